import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

interface VirtualClockOptions {
  /** The time to begin with, in milliseconds since the epoch. */
  readonly now?: number;
  /** So many sleep whenever there is nothing to do: `advance` waits for them before each step. For whoever works for real, with keys or files, between two sleeps. */
  readonly atRest?: number;
}

/** Time that stands still until a test moves it. */
export class VirtualClock implements Clock {
  readonly #atRest: number;
  readonly #sleepers = new Set<Sleeper>();
  #now: number;

  constructor({ now = 1_000_000, atRest = 0 }: VirtualClockOptions = {}) {
    this.#now = now;
    this.#atRest = atRest;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake);
    });
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Waits in real time until as many sleep as when there is nothing to do: whoever was awake has done it. Fails after 10 s. */
  async rest(): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (this.#sleepers.size < this.#atRest) {
      if (Date.now() > deadline) throw new Error(`${this.#sleepers.size} sleep, not ${this.#atRest}`);
      await turn();
    }
  }

  /** Moves on, waking sleepers in their order, and lets real I/O happen in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await turn();
      await this.rest();
      const [next] = [...this.#sleepers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = end;
    await turn();
  }

  /** Moves on by `stepMs` at a time until `holds`, and lets real I/O happen in between. Fails after 5 s of real time. */
  async until(holds: () => boolean, what: string, stepMs = 100): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`never: ${what}`);
      await this.advance(stepMs);
      await wait(1);
    }
  }
}
