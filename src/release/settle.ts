/** What a change of services, routers and external services brings with it: every app's weights cover exactly its versions, every name has an address. */
import type { Declared, DeclaredApp, DeclaredSnapshot, Kinds, Write } from "../model/declared.ts";
import { type AppKey, type AppName, appKey, type Namespace, type VersionName } from "../model/names.ts";
import { allocateAddresses, namesOf } from "./addresses.ts";
import { newApp, setVersions } from "./app-weights.ts";
import { sameValue } from "./diff.ts";

export interface SettleOptions {
  readonly now: number;
  /** The history's line for apps whose versions come or go: `up shop`, `stage v2`. */
  readonly change: string;
}

/** `writes` with what follows from them. A new app's first version in the order of `writes` gets all of its traffic. */
export function settle(snapshot: DeclaredSnapshot, writes: readonly Write[], options: SettleOptions): readonly Write[] {
  const services = after(snapshot, writes, "service");
  const versions = new Map<AppKey, { namespace: Namespace; app: AppName; versions: VersionName[] }>();
  for (const { service } of services.values()) {
    const key = appKey(service.namespace, service.app);
    const known = versions.get(key) ?? { namespace: service.namespace, app: service.app, versions: [] };
    known.versions.push(service.version);
    versions.set(key, known);
  }
  const apps = after(snapshot, writes, "app");
  const appWrites: Write[] = [...apps.keys()].filter((key) => !versions.has(key as AppKey)).map((key) => ({ op: "delete", kind: "app", key }));
  for (const [key, named] of versions) {
    const before = apps.get(key);
    const app = setVersions(before ?? newApp(named.namespace, named.app), named.versions, options);
    if (app !== before) appWrites.push({ op: "put", kind: "app", key, value: app });
  }
  const routers = after(snapshot, writes, "router").values();
  const externals = after(snapshot, writes, "external").values();
  const names = namesOf({ services: [...services.values()].map(({ service }) => service), routers, externals });
  return withoutNewDeletes(snapshot, [...writes, ...appWrites, ...allocateAddresses(after(snapshot, writes, "address"), names)]);
}

/** All values of one kind as they will be. New ones come after the ones of now, in the order of `writes`. */
function after<K extends "service" | "app" | "router" | "external" | "address">(
  snapshot: DeclaredSnapshot,
  writes: readonly Write[],
  kind: K,
): Map<string, Kinds[K]> {
  const values = new Map<string, Kinds[K]>();
  for (const [key, object] of snapshot.objects[kind] as unknown as ReadonlyMap<string, { readonly value: Kinds[K] }>) values.set(key, object.value);
  for (const write of writes) {
    if (write.kind !== kind) continue;
    if (write.op === "put") values.set(write.key, write.value as Kinds[K]);
    else values.delete(write.key);
  }
  return values;
}

/** An app that `writes` put and that has no versions was never there. */
function withoutNewDeletes(snapshot: DeclaredSnapshot, writes: readonly Write[]): readonly Write[] {
  const unborn = new Set(writes.flatMap((write) => (write.op === "delete" && write.kind === "app" && !snapshot.objects.app.has(write.key) ? [write.key] : [])));
  return writes.filter((write) => write.kind !== "app" || !unborn.has(write.key));
}

/** The app record in a batch, or the one of now: what a later step of the same change starts from. */
export function appIn(snapshot: DeclaredSnapshot, writes: readonly Write[], key: AppKey): DeclaredApp | undefined {
  return after(snapshot, writes, "app").get(key);
}

/**
 * What takes `writes` back: each object as it was in `before`, as long as nobody else changed it since (`now` still has what `accepted`, the snapshot of that commit, has).
 * Settle the result: names and versions that came meanwhile stay.
 */
export function undo(
  before: DeclaredSnapshot,
  now: DeclaredSnapshot,
  { writes, accepted }: { readonly writes: readonly Write[]; readonly accepted: DeclaredSnapshot },
): readonly Write[] {
  return writes.flatMap(({ kind, key }): Write[] => {
    const [old, current]: readonly [Declared | undefined, Declared | undefined] = [before.objects[kind].get(key), now.objects[kind].get(key)];
    if (current !== undefined && !isStill(current, accepted.objects[kind].get(key))) return [];
    if (old === undefined) return current === undefined ? [] : [{ op: "delete", kind, key }];
    if (current === undefined || current.value !== old.value || current.stack !== old.stack) {
      return [{ op: "put", kind, key, value: old.value, ...(old.stack === undefined ? {} : { stack: old.stack }) } as Write];
    }
    return [];
  });
}

/** Whether nobody declared anything else since. Its version says nothing: where others keep notes on the same object, they count it up. */
function isStill(current: Declared, accepted: Declared | undefined): boolean {
  if (current === accepted) return true;
  return accepted !== undefined && current.createdAt === accepted.createdAt && current.stack === accepted.stack && sameValue(current.value, accepted.value);
}
