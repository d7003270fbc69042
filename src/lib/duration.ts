/** Lengths of time as users write them: `250ms`, `10s`, `1.5s`, `5m`, `1h30m`, `2d`. Inside they are whole milliseconds. */

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
const pattern = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,3})?)s)?(?:(\d{1,9})ms)?$/;

/**
 * Reads a duration: whole units from large to small, each at most once, `s` with up to three decimals; `0` needs no unit.
 * Returns milliseconds, or undefined when `text` is not a duration.
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const parts = pattern.exec(text);
  if (text === "" || parts === null) return undefined;
  const [, days = "0", hours = "0", minutes = "0", seconds = "0", milliseconds = "0"] = parts;
  const total = Number(days) * unitMs.d + Number(hours) * unitMs.h + Number(minutes) * unitMs.m + Math.round(Number(seconds) * unitMs.s) + Number(milliseconds);
  return Number.isSafeInteger(total) ? total : undefined;
}

/** Writes whole milliseconds the shortest way `parseDuration` reads back: 90 000 is `1m30s`, 0 is `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = ms;
  let text = "";
  for (const [unit, size] of Object.entries(unitMs)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
