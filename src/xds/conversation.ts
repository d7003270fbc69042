/**
 * One proxy on one stream, as a state machine: requests and snapshots go in, pushes come out. No I/O, no clock.
 *
 * Each type moves from snapshot to snapshot behind those it depends on (`order.ts`): a route is taken from the newest snapshot
 * of which the proxy already has all clusters and endpoints. So nothing waits for a storm of changes to end, and nothing is used before it is there.
 */
import { inOrder, orderOf, typeOrder } from "./order.ts";
import type { Resource } from "./snapshot.ts";
import { type Published, type Rejection, resourcesOf, Subscription, versionIn } from "./subscription.ts";
import { typeUrls } from "./type-urls.ts";
import { type DeltaRequest, type DeltaResponse, mentions } from "./wire.ts";

/** Where one proxy is with one type. */
export interface TypeStatus {
  /** Version of the content last sent, and of the newest the proxy has whole; empty for none. */
  readonly sentVersion: string;
  readonly ackedVersion: string;
  /** What the proxy refused; it keeps what it had. */
  readonly rejected: readonly Rejection[];
  /** Names kept back because they use something the proxy refused and never had. */
  readonly heldBack: readonly string[];
}

/** Says "the name of this resource of this type". */
export interface ResourceName {
  readonly typeUrl: string;
  readonly name: string;
}

export class Conversation {
  #newest: Published | undefined;
  #nonces = 0;
  /** Counts down: 2 at first, then a nudge at 1, and nothing is waited for at 0. */
  #patience = 2;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Names that the proxy did not ask for in time: nothing waits for them any longer. */
  readonly #waived = new Set<string>();
  readonly #heldBack = new Map<string, readonly string[]>();

  /** Takes in a request. `now` is in milliseconds since the epoch. */
  take(request: DeltaRequest, now: number): void {
    const subscription = this.#subscriptions.get(request.typeUrl);
    if (subscription === undefined) {
      this.#subscriptions.set(request.typeUrl, new Subscription(request));
      if (request.typeUrl === typeUrls.endpoints) this.#warm(this.#subscriptions.get(typeUrls.cluster)?.flight?.updates ?? []);
      return;
    }
    if (request.nonce !== "" && subscription.flight?.nonce === request.nonce) {
      if (request.error === undefined) subscription.accept();
      else subscription.refuse(request.error, now);
    }
    subscription.subscribe(request);
  }

  /** Sets what the proxy should have from now on. */
  publish(published: Published): void {
    this.#newest = published;
  }

  /** What to send now: at most one response per type, and none for a type whose last one is not answered. */
  pushes(): DeltaResponse[] {
    const pushes: DeltaResponse[] = [];
    if (this.#newest === undefined) return pushes;
    // A type may only become free to remove things after a later one had nothing left to do, hence the second round.
    for (let round = 0; round < 2; round += 1) {
      for (const typeUrl of inOrder(this.#subscriptions.keys())) {
        const subscription = this.#subscriptions.get(typeUrl);
        const push = subscription === undefined ? undefined : this.#push(subscription, this.#newest);
        if (push !== undefined) pushes.push(push);
      }
    }
    return pushes;
  }

  /** Names the proxy should ask for by now, having all that uses them, and has not. */
  unasked(): ResourceName[] {
    const found: ResourceName[] = [];
    for (const [typeUrl, order] of typeOrder) {
      if (!order.asked) continue;
      const users = order.usedBy.map((user) => this.#subscriptions.get(user)?.settled);
      const settled = users.every((user) => user !== undefined) ? users[0] : undefined;
      const subscription = this.#subscriptions.get(typeUrl);
      if (settled === undefined) continue;
      for (const name of this.#lacking(typeUrl, settled)) if (subscription?.wants(name) !== true) found.push({ typeUrl, name });
    }
    return found;
  }

  /** Nothing waits any longer for the proxy to ask for these. */
  waive(names: readonly ResourceName[]): void {
    for (const { typeUrl, name } of names) this.#waived.add(`${typeUrl} ${name}`);
  }

  /**
   * To be called twice, some time apart: the proxy had time to ask for every type it uses.
   * The first time it is nudged: a proxy whose stream broke while a cluster waited for endpoints does not ask for clusters before it gets some.
   * After the second time, a type it did not ask for keeps nothing alive and holds nothing up.
   */
  losePatience(): void {
    this.#patience -= 1;
    if (this.#patience <= 0 || this.#newest === undefined || this.#subscriptions.has(typeUrls.cluster)) return;
    this.#subscriptions.get(typeUrls.endpoints)?.forgetAll(this.#newest.snapshot);
  }

  /** Whether the proxy has everything of the snapshot with this revision or of a newer one, apart from what it refused. */
  hasSettled(revision: number): boolean {
    if (this.#newest === undefined || this.#newest.revision < revision) return false;
    const types = new Set([...this.#newest.snapshot.types.keys(), ...this.#subscriptions.keys()]);
    return [...types].every((typeUrl) => {
      const settled = this.#subscriptions.get(typeUrl)?.settled;
      if (orderOf(typeUrl).asked && this.#lacking(typeUrl, settled ?? this.#newest).length > 0) return false;
      // Nobody has to ask for a secret; a proxy that asks for no clusters yet is still on its way.
      if (!this.#subscriptions.has(typeUrl)) return typeOrder.get(typeUrl)?.wildcard !== true;
      return settled !== undefined && settled.revision >= revision;
    });
  }

  status(): ReadonlyMap<string, TypeStatus> {
    return new Map(
      inOrder(this.#subscriptions.keys()).flatMap((typeUrl) => {
        const subscription = this.#subscriptions.get(typeUrl);
        if (subscription === undefined) return [];
        const { sentVersion, settled, rejected } = subscription;
        const ackedVersion = settled === undefined ? "" : versionIn(settled, typeUrl);
        return [[typeUrl, { sentVersion, ackedVersion, rejected: [...rejected.values()], heldBack: this.#heldBack.get(typeUrl) ?? [] }] as const];
      }),
    );
  }

  /** A changed cluster starts without endpoints in the proxy and waits for them, although it asks for nothing: they are sent again. */
  #warm(clusters: readonly Resource[]): void {
    const endpoints = this.#subscriptions.get(typeUrls.endpoints);
    for (const { name } of clusters) if (endpoints?.wants(name) === true) endpoints.forget(name);
  }

  #push(subscription: Subscription, newest: Published): DeltaResponse | undefined {
    const { typeUrl } = subscription;
    const source = this.#source(typeUrl, newest);
    if (subscription.flight !== undefined || source === undefined) return undefined;
    subscription.forgive(source.snapshot);
    const sources = [newest, source, ...this.#usersOf(typeUrl)];
    const exists = (name: string): boolean => sources.some(({ snapshot }) => resourcesOf(snapshot, typeUrl).has(name));
    const updates = this.#holdBack(subscription, [...subscription.missing(source.snapshot), ...this.#missingForUsers(subscription, source)]);
    const difference = subscription.difference(updates, this.#removals(subscription, exists, newest));
    if (difference === undefined) {
      subscription.settle(source);
      return undefined;
    }
    // The snapshot may be an older one, of which the proxy was told to give something up since.
    if (difference.updates.length > 0 && !this.#hasAllUsedBy(typeUrl, source)) return undefined;
    this.#nonces += 1;
    const nonce = String(this.#nonces);
    subscription.send({ nonce, from: source, ...difference });
    if (typeUrl === typeUrls.cluster) this.#warm(difference.updates);
    return { typeUrl, nonce, version: subscription.sentVersion, updates: difference.updates, removed: difference.removed };
  }

  /** The snapshot a type may be taken from: the newest that everything it waits for has reached. Undefined: not yet. */
  #source(typeUrl: string, newest: Published): Published | undefined {
    const { after } = orderOf(typeUrl);
    let source = newest;
    for (const earlier of after) {
      const subscription = this.#subscriptions.get(earlier);
      if (subscription === undefined && (this.#patience <= 0 || !orderOf(earlier).wildcard)) continue;
      if (subscription?.settled === undefined) return undefined;
      if (subscription.settled.revision < source.revision) source = subscription.settled;
    }
    return source;
  }

  #hasAllUsedBy(typeUrl: string, source: Published): boolean {
    return orderOf(typeUrl).after.every((earlier) => {
      const expected = orderOf(earlier).asked || this.#subscriptions.has(earlier);
      return !expected || this.#lacking(earlier, source).length === 0;
    });
  }

  /** Names of a type that the proxy neither has nor refused, and that something still waits for. */
  #lacking(typeUrl: string, published: Published | undefined): string[] {
    const subscription = this.#subscriptions.get(typeUrl);
    const users = orderOf(typeUrl).usedBy.map((user) => this.#subscriptions.get(user));
    const names = published === undefined ? [] : [...resourcesOf(published.snapshot, typeUrl).keys()];
    return names.filter((name) => {
      if (!orderOf(typeUrl).asked && subscription?.wants(name) !== true) return false;
      if (subscription?.has(name) === true || subscription?.rejected.has(name) === true) return false;
      return !this.#waived.has(`${typeUrl} ${name}`) && !users.some((user) => user?.rejected.has(name) === true);
    });
  }

  /**
   * Takes out new versions that use something which the proxy refused and never had: the old version keeps working.
   * Without an old version there is nothing to keep: better a listener that lacks one cluster than none.
   */
  #holdBack(subscription: Subscription, updates: readonly Resource[]): readonly Resource[] {
    const { typeUrl } = subscription;
    const refused = orderOf(typeUrl).after.flatMap((type) => {
      const earlier = this.#subscriptions.get(type);
      return earlier === undefined ? [] : [...earlier.rejected.keys()].filter((name) => !earlier.has(name));
    });
    if (refused.length === 0) {
      this.#heldBack.delete(typeUrl);
      return updates;
    }
    const held = new Set(updates.filter(({ name, body }) => subscription.has(name) && refused.some((other) => mentions(body, other))));
    this.#heldBack.set(
      typeUrl,
      [...held].map(({ name }) => name),
    );
    return updates.filter((resource) => !held.has(resource));
  }

  /** The older snapshots from which the proxy has, or is about to have, the clusters whose endpoints it asks for. */
  #usersOf(typeUrl: string): Published[] {
    if (typeUrl !== typeUrls.endpoints) return [];
    const clusters = this.#subscriptions.get(typeUrls.cluster);
    return [clusters?.flight?.from, clusters?.settled].filter((published) => published !== undefined);
  }

  /** Endpoints that the newest snapshot no longer has, of clusters that are not gone yet and would serve nobody without. */
  #missingForUsers(subscription: Subscription, source: Published): Resource[] {
    const found = new Map<string, Resource>();
    const there = resourcesOf(source.snapshot, subscription.typeUrl);
    for (const { snapshot } of this.#usersOf(subscription.typeUrl)) {
      if (snapshot === source.snapshot) continue;
      for (const resource of subscription.missing(snapshot)) {
        // What it has of them is good enough: only what it lacks matters.
        if (!there.has(resource.name) && !subscription.has(resource.name) && !found.has(resource.name)) found.set(resource.name, resource);
      }
    }
    return [...found.values()];
  }

  #removals(subscription: Subscription, exists: (name: string) => boolean, newest: Published): string[] {
    const gone = subscription.leftOver(exists);
    const unused = gone.length === 0 || orderOf(subscription.typeUrl).usedBy.every((user) => this.#isCurrent(user, newest));
    return [...(unused ? gone : []), ...subscription.unknownNames(exists)];
  }

  /** Whether the proxy has exactly what `newest` says of a type, so that nothing older of it can use anything. */
  #isCurrent(typeUrl: string, { snapshot }: Published): boolean {
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription === undefined) return this.#patience <= 0;
    if (subscription.flight !== undefined || subscription.clingsToOld(snapshot) || subscription.missing(snapshot).length > 0) return false;
    const resources = resourcesOf(snapshot, typeUrl);
    return subscription.leftOver((name) => resources.has(name)).length === 0;
  }
}
