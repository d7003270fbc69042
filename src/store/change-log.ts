import { Cell } from "../lib/cell.ts";
import type { DeclaredBatch } from "../model/declared.ts";
import type { Commit } from "./commit.ts";

type Changes = Extract<DeclaredBatch, { kind: "changes" }>;

/** Remembers the newest commits, so that watchers that come late or read slowly miss nothing. */
export class ChangeLog {
  readonly #limit: number;
  readonly #newest: Cell<number>;
  #batches: Changes[] = [];
  /** Changes after this version are all in the log. */
  #complete: number;

  /** `version`: of the snapshot it starts from; `limit`: how many commits it remembers. */
  constructor(version: number, limit = 10_000) {
    this.#complete = version;
    this.#limit = limit;
    this.#newest = new Cell(version);
  }

  /** Takes in a commit that is already safe. */
  append(commit: Commit): void {
    this.#batches.push({ kind: "changes", version: commit.snapshot.version, changes: commit.changes });
    if (this.#batches.length > this.#limit * 2) {
      this.#complete = this.#batches[this.#limit - 1]?.version ?? this.#complete;
      this.#batches = this.#batches.slice(this.#limit);
    }
    this.#newest.set(commit.snapshot.version);
  }

  /** As `DeclaredStore.watch`. */
  async *watch(from: number, signal: AbortSignal): AsyncGenerator<DeclaredBatch, void, void> {
    let seen = from;
    for await (const _ of this.#newest.watch(signal)) {
      for (;;) {
        if (seen < this.#complete || seen > this.#newest.get()) {
          yield { kind: "expired", version: this.#newest.get() };
          return;
        }
        const next = this.#batches[this.#indexAfter(seen)];
        if (next === undefined) break;
        seen = next.version;
        yield next;
        if (signal.aborted) return;
      }
    }
  }

  /** Index of the first batch after `version`; versions grow, by one or by more. */
  #indexAfter(version: number): number {
    let [low, high] = [0, this.#batches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#batches[middle]?.version ?? 0) > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
