/** Time that passes only when a test says so. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";

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

const maxWaitMs = 10_000;

/** Starts at `now`. */
export function createVirtualClock(now: number): VirtualClock {
  let time = now;
  const sleepers = new Set<Sleeper>();
  const idle = async (count = 1): Promise<void> => {
    const end = Date.now() + maxWaitMs;
    while (sleepers.size < count) {
      if (Date.now() > end) throw new Error(`not within ${maxWaitMs} ms: ${count} sleepers`);
      await nextTurn();
    }
  };
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
        await nextTurn();
      }
      time = end;
    },
  };
}
