import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";

/** The clock on the wall. */
export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    wait(ms, undefined, signal === undefined ? {} : { signal }).then(
      () => undefined,
      () => undefined,
    ),
};
