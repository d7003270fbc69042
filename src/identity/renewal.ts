/** When a node asks for what. Pure: time and chance are arguments. */

import { backoffMs } from "../lib/backoff.ts";

export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

const secondMs = 1000;
const firstRetryMs = secondMs;
const maxRetryMs = 5 * 60 * secondMs;
const instantRedials = 5;
const instantRedialMs = 100;
const quickRedials = 16;
const maxRedialMs = 30_000;

/**
 * When to ask for a new certificate: at half of its life, a tenth of that earlier or later, so that a thousand that were made together are not
 * renewed together.
 * @param chance from 0 to 1, evenly
 */
export function renewAt({ notBefore, notAfter }: Lifetime, chance: number): number {
  const half = (notAfter - notBefore) / 2;
  return notBefore + half * (0.9 + 0.2 * chance);
}

/**
 * How long to wait after a failure: twice as long each time, from one second to five minutes, half of it by chance.
 * @param failures how many there were in a row, at least 1
 * @param chance from 0 to 1, evenly
 */
export function retryDelayMs(failures: number, chance: number): number {
  const whole = backoffMs({ firstMs: firstRetryMs, longestMs: maxRetryMs }, failures);
  return whole * (0.5 + 0.5 * chance);
}

/**
 * How long to wait when nobody answered. One of two control planes does not listen (decision 17), so that half of all calls meet it although the other serves:
 * for the first five times a tenth of a second (a pod that starts waits for its certificate), until the 16th a second, then twice as long each time up to half a
 * minute; half of it by chance.
 * @param failures how many there were in a row, at least 1
 * @param chance from 0 to 1, evenly
 */
export function redialDelayMs(failures: number, chance: number): number {
  const slow = backoffMs({ firstMs: firstRetryMs, longestMs: maxRedialMs }, Math.max(1, failures - quickRedials + 1));
  const whole = failures <= instantRedials ? instantRedialMs : slow;
  return whole * (0.5 + 0.5 * chance);
}

/** Whether a certificate may still be shown. Peers refuse it from `notAfter` on. */
export function isUsable({ notBefore, notAfter }: Lifetime, now: number): boolean {
  return notBefore <= now && now < notAfter;
}
