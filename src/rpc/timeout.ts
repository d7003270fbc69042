/** `grpc-timeout` values: up to eight digits and a unit. */

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const maxDigits = 99_999_999;

/** Milliseconds (rounded up, so that no deadline comes early) of a `grpc-timeout`, or undefined when it is none. */
export function parseTimeout(text: string): number | undefined {
  const parts = /^(\d{1,8})([HMSmun])$/.exec(text);
  const unit = unitMs[parts?.[2] ?? ""];
  if (parts === null || unit === undefined) return undefined;
  return Math.ceil(Number(parts[1]) * unit);
}

/** Writes milliseconds in the finest unit of whole milliseconds or more that eight digits can hold. */
export function formatTimeout(ms: number): string {
  const whole = Math.max(0, Math.ceil(ms));
  if (whole <= maxDigits) return `${whole}m`;
  const seconds = Math.ceil(whole / 1000);
  if (seconds <= maxDigits) return `${seconds}S`;
  return `${Math.min(maxDigits, Math.ceil(seconds / 3600))}H`;
}
