/** Schedules: the five fields of cron as every platform here understands them, and the times that they mean. */
import { Cron } from "croner";
import { quote } from "./quote.ts";
import type { Schedule } from "./types.ts";

/** Of a schedule that says none: the same on every machine. */
export const usualTimeZone = "UTC";

/** What a schedule must look like, for hints. */
export const scheduleHint = "five fields: minute, hour, day of the month, month, day of the week, like */5 * * * *";

const nicknames: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

interface Field {
  readonly what: string;
  readonly min: number;
  readonly max: number;
  /** Words for numbers, from `min` on. */
  readonly words?: readonly string[];
}

const fields: readonly Field[] = [
  { what: "minute", min: 0, max: 59 },
  { what: "hour", min: 0, max: 23 },
  { what: "day of the month", min: 1, max: 31 },
  { what: "month", min: 1, max: 12, words: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ") },
  { what: "day of the week", min: 0, max: 6, words: "SUN MON TUE WED THU FRI SAT".split(" ") },
];

/**
 * Why a text is no schedule; undefined: it is one. Only what Kubernetes' CronJobs and this machine both understand in the same way is one: five fields of
 * numbers, words, lists, ranges and steps, or `@hourly` and the like.
 */
export function whyNoSchedule(cron: string): string | undefined {
  if (cron.startsWith("@")) return cron in nicknames ? undefined : `there is no ${quote(cron)}, only ${Object.keys(nicknames).join(", ")}`;
  const parts = cron.trim().split(/\s+/);
  if (parts.length !== fields.length) return `it has ${parts.length} ${parts.length === 1 ? "field" : "fields"}, not five`;
  for (const [at, field] of fields.entries()) {
    const wrong = (parts[at] ?? "").split(",").find((item) => !isItem(item, field));
    if (wrong !== undefined) return `${quote(wrong)} is no ${field.what}`;
  }
  return nextTime({ cron, timeZone: usualTimeZone }, 0) === undefined ? "there is no such day" : undefined;
}

function isItem(item: string, field: Field): boolean {
  const parts = /^(?:(\*)|([0-9]+|[A-Za-z]+)(?:-([0-9]+|[A-Za-z]+))?)(?:\/([0-9]+))?$/.exec(item);
  if (parts === null) return false;
  const [, star, from, to, step] = parts;
  if (step !== undefined && (Number(step) < 1 || Number(step) > field.max)) return false;
  if (star !== undefined) return true;
  const [first, last] = [valueOf(from, field), to === undefined ? undefined : valueOf(to, field)];
  if (first === undefined) return false;
  // A step needs a range: programs disagree about what `5/10` means.
  if (to === undefined) return step === undefined;
  return last !== undefined && first <= last;
}

function valueOf(text: string | undefined, { min, max, words }: Field): number | undefined {
  if (text === undefined) return undefined;
  const word = words?.indexOf(text.toUpperCase()) ?? -1;
  const value = word >= 0 ? min + word : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

/** Says whether a name is that of a time zone (IANA): `Europe/Berlin`. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** The first time of a schedule after a moment (both milliseconds since the epoch); undefined: there is none, or it is no schedule. */
export function nextTime({ cron, timeZone }: Schedule, after: number): number | undefined {
  try {
    const pattern = new Cron(nicknames[cron] ?? cron, { timezone: timeZone, paused: true });
    return pattern.nextRun(new Date(after))?.getTime();
  } catch {
    return undefined;
  }
}

/** The newest time of a schedule after `since` and not after `now`; undefined: none. */
export function newestTime(schedule: Schedule, since: number, now: number): number | undefined {
  // Looks back a minute, then further and further: the newest is mostly near, and the years in which nobody looked are long.
  for (let windowMs = 60_000; ; windowMs *= 4) {
    const from = Math.max(since, now - windowMs);
    let found: number | undefined;
    for (let next = nextTime(schedule, from); next !== undefined && next <= now; next = nextTime(schedule, next)) found = next;
    if (found !== undefined || from === since) return found;
  }
}
