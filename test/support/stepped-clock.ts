/** Time that passes only when a test says so. */
import type { Clock } from "../../src/lib/clock.ts";
import { eventually } from "./real.ts";

export interface VirtualClock extends Clock {
  /** Lets `ms` pass, one sleeper after the other; waits for real until somebody sleeps again before each step. */
  advance(ms: number): Promise<void>;
  /** Waits for real until `count` sleep: whoever was awake has done what there was to do. */
  idle(count?: number): Promise<void>;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Starts at `now`. */
export function createVirtualClock(now: number): VirtualClock {
  let time = now;
  const sleepers = new Set<Sleeper>();
  const idle = (count = 1): Promise<void> => eventually(() => sleepers.size >= count, `${count} sleepers`);
  return {
    now: () => time,
    sleep(ms, signal) {
      return new Promise((resolve) => {
        const sleeper: Sleeper = { at: time + ms, wake };
        function wake(): void {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        }
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake);
        if (signal?.aborted === true) wake();
      });
    },
    idle,
    async advance(ms) {
      const end = time + ms;
      for (;;) {
        await idle();
        const next = [...sleepers].sort((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > end) break;
        time = Math.max(time, next.at);
        next.wake();
        await new Promise((resolve) => setImmediate(resolve));
      }
      time = end;
    },
  };
}
