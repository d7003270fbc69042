/** What one proxy asked for, has, and refused of one type, on one stream. */
import { orderOf } from "./order.ts";
import type { Resource, Snapshot } from "./snapshot.ts";
import type { DeltaRequest } from "./wire.ts";

/** A snapshot with its place in the sequence of those published for a node. */
export interface Published {
  readonly revision: number;
  readonly snapshot: Snapshot;
}

/** A resource the proxy refused. It is not sent again before its content changes. */
export interface Rejection {
  readonly name: string;
  readonly version: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A response that is not answered yet. There is at most one per type and stream. */
export interface Flight {
  readonly nonce: string;
  readonly from: Published;
  readonly updates: readonly Resource[];
  readonly removed: readonly string[];
  /** Nothing else of `from` was left to send. */
  readonly complete: boolean;
}

/** What to send next. */
export type Difference = Pick<Flight, "updates" | "removed" | "complete">;

/** The version of a name that the proxy knows not to exist. */
const absent = "";

const noResources: ReadonlyMap<string, Resource> = new Map();

/** The resources of one type; none when the snapshot has none. */
export function resourcesOf(snapshot: Snapshot, typeUrl: string): ReadonlyMap<string, Resource> {
  return snapshot.types.get(typeUrl)?.resources ?? noResources;
}

/** The version of a type's content in a snapshot; empty when there is none. */
export function versionIn({ snapshot }: Published, typeUrl: string): string {
  return snapshot.types.get(typeUrl)?.version ?? "";
}

export class Subscription {
  readonly typeUrl: string;
  /** The newest snapshot of which the proxy has everything it asked for (or refused it). */
  settled: Published | undefined;
  flight: Flight | undefined;
  sentVersion = "";
  readonly rejected = new Map<string, Rejection>();

  #wildcard = false;
  /** Whether the proxy has heard anything: it waits for a first answer even when that is empty. */
  #answered: boolean;
  readonly #names = new Set<string>();
  /** Name → version that the proxy has. */
  readonly #known: Map<string, string>;
  /** Asked for again while a response was under way: that response may have come too early. */
  readonly #again = new Set<string>();
  /** Name → version in a refused response of many: sent alone, so that the answer is a verdict. */
  readonly #suspects = new Map<string, string>();
  /** Of which nothing was missing when last looked at, and nothing happened since. */
  #whole: ReadonlyMap<string, Resource> | undefined;

  /** Begins with the first request of a type on a stream. */
  constructor(first: DeltaRequest) {
    this.typeUrl = first.typeUrl;
    this.#known = new Map(first.initialVersions);
    this.#answered = first.initialVersions.size > 0;
    this.#wildcard = first.subscribe.length === 0 && orderOf(first.typeUrl).wildcard;
    this.subscribe(first);
  }

  /** Takes in what a request subscribes to and gives up. A name that is asked for again is sent again, as the protocol wants. */
  subscribe(request: DeltaRequest): void {
    this.#whole = undefined;
    for (const name of request.subscribe) {
      if (name === "*") {
        this.#wildcard = true;
        continue;
      }
      this.#names.add(name);
      if (request.initialVersions.has(name)) continue;
      this.#known.delete(name);
      if (this.flight !== undefined) this.#again.add(name);
    }
    for (const name of request.unsubscribe) {
      if (name === "*") this.#wildcard = false;
      else this.#names.delete(name);
    }
    if (request.unsubscribe.length > 0) this.#forgetUnwanted();
  }

  wants(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  /** Whether the proxy has some version of a resource, and was not told to give it up. */
  has(name: string): boolean {
    return (this.#known.get(name) ?? absent) !== absent && this.flight?.removed.includes(name) !== true;
  }

  /** Whether the proxy holds on to something older than `snapshot` because it refused the newer. */
  clingsToOld(snapshot: Snapshot): boolean {
    const resources = resourcesOf(snapshot, this.typeUrl);
    return [...this.rejected.values()].some(({ name }) => this.has(name) && resources.get(name)?.version !== this.#known.get(name));
  }

  /** To be sent again although nothing changed: the proxy lost it on its side. */
  forget(name: string): void {
    this.#whole = undefined;
    this.#known.delete(name);
    if (this.flight !== undefined) this.#again.add(name);
  }

  /** To be sent again: everything of a snapshot. What it no longer contains stays. */
  forgetAll(snapshot: Snapshot): void {
    const resources = resourcesOf(snapshot, this.typeUrl);
    for (const name of this.#known.keys()) if (resources.has(name)) this.forget(name);
  }

  /** Names the proxy has and `keep` does not want to keep. */
  leftOver(keep: (name: string) => boolean): string[] {
    return [...this.#known].filter(([name, version]) => version !== absent && !keep(name)).map(([name]) => name);
  }

  /** Wanted resources that the proxy does not have in the version of `snapshot`, refused ones left out. */
  missing(snapshot: Snapshot): Resource[] {
    const resources = resourcesOf(snapshot, this.typeUrl);
    if (resources === this.#whole) return [];
    const found: Resource[] = [];
    const candidates = this.#wildcard ? resources.values() : [...this.#names].flatMap((name) => resources.get(name) ?? []);
    for (const resource of candidates) {
      if (this.#known.get(resource.name) !== resource.version && this.rejected.get(resource.name)?.version !== resource.version) found.push(resource);
    }
    if (found.length === 0) this.#whole = resources;
    return found;
  }

  /** Names asked for that `exists` does not know and the proxy was not told about yet. */
  unknownNames(exists: (name: string) => boolean): string[] {
    return [...this.#names].filter((name) => !this.#known.has(name) && !exists(name));
  }

  /** What to send of these; undefined for nothing. Suspects go alone. */
  difference(updates: readonly Resource[], removed: readonly string[]): Difference | undefined {
    const clean = updates.filter((resource) => this.#suspects.get(resource.name) !== resource.version);
    if (clean.length > 0 || removed.length > 0) return { updates: clean, removed, complete: clean.length === updates.length };
    const [suspect] = updates;
    if (suspect !== undefined) return { updates: [suspect], removed, complete: updates.length === 1 };
    return this.#wildcard && !this.#answered ? { updates: [], removed: [], complete: true } : undefined;
  }

  /** Notes that a response went out. */
  send(flight: Flight): void {
    this.flight = flight;
    this.#answered = true;
    this.sentVersion = versionIn(flight.from, this.typeUrl);
  }

  /** Notes that the proxy has all it wants of a snapshot without being sent anything: that is as good as sent and acknowledged. */
  settle(source: Published): void {
    this.settled = source;
    this.sentVersion = versionIn(source, this.typeUrl);
  }

  /** The proxy took the response under way. Returns it. */
  accept(): Flight | undefined {
    const flight = this.#land();
    if (flight === undefined) return undefined;
    for (const { name, version } of flight.updates) {
      this.rejected.delete(name);
      this.#suspects.delete(name);
      if (this.wants(name) && !this.#again.has(name)) this.#known.set(name, version);
    }
    this.#noteRemoved(flight.removed);
    this.#again.clear();
    if (flight.complete) this.settled = flight.from;
    return flight;
  }

  /**
   * The proxy refused the response under way; it may have taken parts of it. With one resource that is the verdict on it;
   * of many, those the proxy's message names (else all) are suspects and the others are sent again.
   */
  refuse(message: string, at: number): void {
    const flight = this.#land();
    if (flight === undefined) return;
    this.#again.clear();
    const [only] = flight.updates;
    if (only === undefined) this.#noteRemoved(flight.removed);
    else if (flight.updates.length === 1) this.rejected.set(only.name, { name: only.name, version: only.version, message, at });
    else {
      const named = flight.updates.filter(({ name }) => message.includes(name));
      for (const { name, version } of named.length > 0 ? named : flight.updates) this.#suspects.set(name, version);
    }
  }

  /** Drops the memory of refusals that `snapshot` no longer contains. */
  forgive(snapshot: Snapshot): void {
    if (this.rejected.size + this.#suspects.size === 0) return;
    const resources = resourcesOf(snapshot, this.typeUrl);
    this.#whole = undefined;
    for (const [name, { version }] of this.rejected) if (resources.get(name)?.version !== version) this.rejected.delete(name);
    for (const [name, version] of this.#suspects) if (resources.get(name)?.version !== version) this.#suspects.delete(name);
  }

  #land(): Flight | undefined {
    const { flight } = this;
    this.#whole = undefined;
    this.flight = undefined;
    return flight;
  }

  #noteRemoved(names: readonly string[]): void {
    for (const name of names) {
      if (this.#names.has(name)) this.#known.set(name, absent);
      else this.#known.delete(name);
    }
  }

  #forgetUnwanted(): void {
    for (const memory of [this.#known, this.rejected, this.#suspects]) {
      for (const name of memory.keys()) if (!this.wants(name)) memory.delete(name);
    }
  }
}
