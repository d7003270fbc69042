/** What a reader of a cell may do. */
export interface Readable<T> {
  /** The newest value. */
  get(): T;
  /**
   * Yields the value of now, then each newer one until `signal` aborts (it then ends, it does not throw).
   * A slow reader skips what it missed: it always gets the newest.
   */
  watch(signal: AbortSignal): AsyncGenerator<T, void, void>;
}

/**
 * One value between two stages: the newest wins, writers never wait, setting what is already there is silent.
 * Each waiting reader holds one callback, so nothing grows with the number of values.
 */
export class Cell<T> implements Readable<T> {
  #value: T;
  #version = 0;
  readonly #same: (before: T, after: T) => boolean;
  readonly #waiting = new Set<() => void>();

  /** `same` says whether a new value changes nothing; by default only the identical value does. */
  constructor(value: T, same: (before: T, after: T) => boolean = Object.is) {
    this.#value = value;
    this.#same = same;
  }

  get(): T {
    return this.#value;
  }

  /** Replaces the value and wakes the readers, unless it is the same. Returns whether it changed. */
  set(value: T): boolean {
    if (this.#same(this.#value, value)) return false;
    this.#value = value;
    this.#version += 1;
    for (const wake of this.#waiting) wake();
    return true;
  }

  /** Replaces the value by what `change` makes of it. Returns whether it changed. */
  update(change: (value: T) => T): boolean {
    return this.set(change(this.#value));
  }

  async *watch(signal: AbortSignal): AsyncGenerator<T, void, void> {
    let seen = -1;
    while (!signal.aborted) {
      if (seen === this.#version) {
        await this.#nextChange(signal);
        continue;
      }
      seen = this.#version;
      yield this.#value;
    }
  }

  /** Resolves at the next change or abort. Takes its listeners away again: a raced promise would keep them for ever. */
  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
