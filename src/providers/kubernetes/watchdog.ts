import type { Clock } from "../../lib/clock.ts";

/** A signal that aborts with its parent, and when nothing was heard for too long. Must be closed or aborted. */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #done = new AbortController();
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #parent: AbortSignal | undefined;
  #heardAt: number;
  #expired = false;

  constructor(clock: Clock, patienceMs: number, parent?: AbortSignal) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#parent = parent;
    this.#heardAt = clock.now();
    if (parent?.aborted === true) this.abort();
    else parent?.addEventListener("abort", this.abort);
    void this.#guard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Nothing was heard for too long. */
  get expired(): boolean {
    return this.#expired;
  }

  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Aborts the signal at once. */
  readonly abort = (): void => {
    this.close();
    this.#controller.abort();
  };

  /** Watches no longer; the signal stays as it is, so that a connection can be used again. */
  close(): void {
    this.#parent?.removeEventListener("abort", this.abort);
    this.#done.abort();
  }

  async #guard(): Promise<void> {
    while (!this.#done.signal.aborted) {
      const leftMs = this.#heardAt + this.#patienceMs - this.#clock.now();
      if (leftMs > 0) {
        await this.#clock.sleep(leftMs, this.#done.signal);
        continue;
      }
      this.#expired = true;
      this.abort();
    }
  }
}
