/** One kind's objects as an API server has them, kept current by lists and events. */
import { isDeepStrictEqual } from "node:util";
import type { WatchEvent } from "./client.ts";
import { record, text } from "./readers.ts";

interface Held<T> {
  readonly uid: string;
  readonly version: string;
  readonly value: T;
}

interface Identity {
  readonly key: string;
  readonly uid: string;
  readonly version: string;
}

/** Objects by `NAMESPACE/NAME` (or `NAME`). What we read of an object decides whether it changed: unchanged is the identical value. */
export class Mirror<T> {
  readonly #read: (raw: unknown) => T;
  readonly #held = new Map<string, Held<T>>();
  #objects: ReadonlyMap<string, T> = new Map();
  #version: string | undefined;

  /** `read` takes from an object what is needed of it. */
  constructor(read: (raw: unknown) => T) {
    this.#read = read;
  }

  /** Immutable; the identical map as long as nothing in it changed. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Up to where everything is known; undefined: a list is needed. */
  get version(): string | undefined {
    return this.#version;
  }

  /** What is known can no longer be continued from where it is. It stays until the next list. */
  expire(): void {
    this.#version = undefined;
  }

  /** Reads the objects of a page, so that their raw form can be forgotten. */
  page(items: readonly unknown[]): ReadonlyMap<string, Held<T>> {
    return new Map(items.map(identify).flatMap((identity, index) => (identity === undefined ? [] : [[identity.key, this.#hold(identity, items[index])]])));
  }

  /** A complete list: what is not in it is gone. */
  replace(pages: readonly ReadonlyMap<string, Held<T>>[], version: string): void {
    const next = new Map(pages.flatMap((page) => [...page]));
    const isSame = next.size === this.#held.size && [...next].every(([key, { value }]) => this.#held.get(key)?.value === value);
    this.#held.clear();
    for (const [key, held] of next) this.#held.set(key, held);
    this.#version = version;
    if (!isSame) this.#publish();
  }

  /** Some events, in the order in which they came. Those from before what is known (sent twice, or late) change nothing. */
  apply(events: readonly WatchEvent[]): void {
    let changed = false;
    for (const { type, object } of events) {
      const version = text(record(record(object)["metadata"])["resourceVersion"]);
      if (version !== undefined && isOlder(version, this.#version)) continue;
      const identity = type === "bookmark" ? undefined : identify(object);
      if (identity !== undefined) changed = (type === "deleted" ? this.#remove(identity) : this.#put(identity, object)) || changed;
      this.#version = version ?? this.#version;
    }
    if (changed) this.#publish();
  }

  #publish(): void {
    this.#objects = new Map([...this.#held].map(([key, { value }]) => [key, value]));
  }

  #put(identity: Identity, object: unknown): boolean {
    const before = this.#held.get(identity.key);
    const after = this.#hold(identity, object);
    this.#held.set(identity.key, after);
    return after.value !== before?.value;
  }

  #remove({ key, uid }: Identity): boolean {
    // A late word about an object that was made anew under the same name changes nothing.
    return this.#held.get(key)?.uid === uid && this.#held.delete(key);
  }

  #hold({ key, uid, version }: Identity, object: unknown): Held<T> {
    const before = this.#held.get(key);
    if (before !== undefined && before.uid === uid && before.version === version && version !== "") return before;
    const value = this.#read(object);
    return { uid, version, value: before !== undefined && isDeepStrictEqual(before.value, value) ? before.value : value };
  }
}

function identify(object: unknown): Identity | undefined {
  const meta = record(record(object)["metadata"]);
  const [name, namespace] = [text(meta["name"]), text(meta["namespace"])];
  if (name === undefined) return undefined;
  return { key: namespace === undefined ? name : `${namespace}/${name}`, uid: text(meta["uid"]) ?? "", version: text(meta["resourceVersion"]) ?? "" };
}

/** Resource versions are numbers that grow (Kubernetes promises it since 1.35); others cannot be compared and count as new. */
function isOlder(version: string, than: string | undefined): boolean {
  if (than === undefined || !/^[1-9]\d*$/.test(version) || !/^[1-9]\d*$/.test(than)) return false;
  return version.length === than.length ? version < than : version.length < than.length;
}
