/** What a commit does to a snapshot: pure, so that every store does the same. */
import { canonicalJson } from "../lib/canonical-json.ts";
import { ok, type Problem, type Result } from "../lib/problem.ts";
import type { Declared, DeclaredChange, DeclaredSnapshot, Kind, Put, Write } from "../model/declared.ts";

export interface Commit {
  readonly snapshot: DeclaredSnapshot;
  /** Empty when nothing changed; then the snapshot is the identical one. */
  readonly changes: readonly DeclaredChange[];
}

/**
 * Applies `writes` in their order at `now`. All changes of one commit have the same version, one more than the last.
 * Problems: `conflict`, `not-found`, each with the object's name; all of them at once.
 */
export function applyWrites(snapshot: DeclaredSnapshot, writes: readonly Write[], now: number): Result<Commit> {
  const draft = new Draft(snapshot, now);
  const problems = writes.flatMap((write) => draft.write(write));
  return problems.length > 0 ? { ok: false, problems } : ok(draft.finish());
}

/** Copies a kind's map when it first changes; the others stay shared. */
class Draft {
  readonly #before: DeclaredSnapshot;
  readonly #now: number;
  readonly #version: number;
  readonly #copies = new Map<Kind, Map<string, Declared>>();
  readonly #changes = new Map<string, DeclaredChange>();

  constructor(before: DeclaredSnapshot, now: number) {
    this.#before = before;
    this.#now = now;
    this.#version = before.version + 1;
  }

  write(write: Write): readonly Problem[] {
    const current = this.#objects(write.kind).get(write.key);
    if (write.expected !== undefined && write.expected !== (current?.version ?? 0)) return [conflict(write, current)];
    if (write.op === "put") {
      this.#put(write, current);
    } else {
      if (current === undefined) return [{ code: "not-found", message: `there is no ${write.kind} ${write.key}` }];
      this.#record({ version: this.#version, kind: write.kind, key: write.key });
      this.#copy(write.kind).delete(write.key);
    }
    return [];
  }

  finish(): Commit {
    if (this.#changes.size === 0) return { snapshot: this.#before, changes: [] };
    const objects = { ...this.#before.objects, ...Object.fromEntries(this.#copies) };
    return { snapshot: { version: this.#version, objects }, changes: [...this.#changes.values()] };
  }

  #put(write: Put, current: Declared | undefined): void {
    const sameValue = current !== undefined && canonicalJson(current.value) === canonicalJson(write.value);
    if (sameValue && current.stack === write.stack) return;
    const object: Declared = {
      kind: write.kind,
      key: write.key,
      ...(write.stack === undefined ? {} : { stack: write.stack }),
      generation: (current?.generation ?? 0) + (sameValue ? 0 : 1),
      version: this.#version,
      createdAt: current?.createdAt ?? this.#now,
      updatedAt: this.#now,
      value: sameValue ? current.value : write.value,
    };
    this.#record({ version: this.#version, kind: write.kind, key: write.key, object });
    this.#copy(write.kind).set(write.key, object);
  }

  #record(change: DeclaredChange): void {
    this.#changes.set(`${change.kind} ${change.key}`, change);
  }

  #objects(kind: Kind): ReadonlyMap<string, Declared> {
    return this.#copies.get(kind) ?? this.#before.objects[kind];
  }

  #copy(kind: Kind): Map<string, Declared> {
    const known = this.#copies.get(kind);
    if (known !== undefined) return known;
    const copy = new Map<string, Declared>(this.#before.objects[kind]);
    this.#copies.set(kind, copy);
    return copy;
  }
}

function conflict(write: Write, current: Declared | undefined): Problem {
  const message =
    write.expected === 0
      ? `${write.kind} ${write.key} exists already`
      : `${write.kind} ${write.key} has changed meanwhile (version ${current?.version ?? 0}, expected ${write.expected})`;
  return { code: "conflict", message, hint: "look at it again, then repeat the command" };
}
