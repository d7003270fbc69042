import { Cell } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import { ok, type Result } from "../lib/problem.ts";
import { type DeclaredBatch, type DeclaredSnapshot, emptySnapshot, type LocalStore, type Write } from "../model/declared.ts";
import { ChangeLog } from "./change-log.ts";
import { applyWrites, type Commit } from "./commit.ts";

/** Keeps declarations in memory only, or in whatever `persist` writes to. */
export class MemoryStore implements LocalStore {
  readonly snapshot: Cell<DeclaredSnapshot>;
  readonly #clock: Pick<Clock, "now">;
  readonly #log: ChangeLog;
  readonly #persist: (commit: Commit) => void;

  /** `persist` makes a commit safe before anybody sees it; when it throws, nothing has changed. */
  constructor(clock: Pick<Clock, "now">, start: DeclaredSnapshot = emptySnapshot(), persist: (commit: Commit) => void = () => {}) {
    this.snapshot = new Cell(start);
    this.#clock = clock;
    this.#log = new ChangeLog(start.version);
    this.#persist = persist;
  }

  async commit(writes: readonly Write[]): Promise<Result<DeclaredSnapshot>> {
    return this.commitNow(writes);
  }

  commitNow(writes: readonly Write[]): Result<DeclaredSnapshot> {
    const result = applyWrites(this.snapshot.get(), writes, this.#clock.now());
    if (!result.ok) return result;
    if (result.value.changes.length > 0) {
      this.#persist(result.value);
      this.#log.append(result.value);
      this.snapshot.set(result.value.snapshot);
    }
    return ok(result.value.snapshot);
  }

  watch(from: number, signal: AbortSignal): AsyncGenerator<DeclaredBatch, void, void> {
    return this.#log.watch(from, signal);
  }
}
