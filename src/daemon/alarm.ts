/** Wakes a loop at the time that its last step asked for. */
import { Cell } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";

/** Node's timers hold 24 days at most; a longer wait is asked for again. */
const longestMs = 1_000_000_000;

export class Alarm {
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #at = new Cell<number | undefined>(undefined);

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Sets the only time that counts, in milliseconds since the epoch; undefined: never. */
  set(at: number | undefined): void {
    this.#at.set(at);
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    let sleeping = new AbortController();
    for await (const at of this.#at.watch(signal)) {
      sleeping.abort();
      if (at === undefined) continue;
      sleeping = new AbortController();
      const mine = sleeping.signal;
      const ms = Math.min(Math.max(0, at - this.#clock.now()), longestMs);
      void this.#clock.sleep(ms, AbortSignal.any([mine, signal])).then(() => {
        if (mine.aborted || signal.aborted) return;
        // A timer may fire a moment early: the step then asks for the same time again, and that must be news.
        this.#at.set(undefined);
        this.#wake();
      });
    }
    sleeping.abort();
  }
}
