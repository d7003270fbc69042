/** From objects of a cluster to a snapshot of what is declared. Pure; what did not change is the identical value of the one before. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { shareMap } from "../../lib/memoize.ts";
import type { Problem } from "../../lib/problem.ts";
import { type Declared, type DeclaredChange, type DeclaredSnapshot, emptySnapshot, type Kind } from "../../model/declared.ts";
import { type ClusterKind, clusterKinds } from "../../model/declared-kinds.ts";
import type { Statuses } from "../../providers/kubernetes/declared-status.ts";
import { completeApps } from "../../providers/kubernetes/translate-apps.ts";
import type { KubeDeclared } from "../../providers/kubernetes/translate-declared.ts";

/** A kind's objects by `NAMESPACE/NAME`, as the cluster has them. */
export type ClusterObjects = { readonly [K in ClusterKind]: ReadonlyMap<string, KubeDeclared> };

/** What the control plane says, by the keys of declared objects. */
export type SeenStatuses = { readonly [K in "service" | "app" | "job" | "router" | "external"]: ReadonlyMap<string, Statuses[K]> };

export interface Assembled {
  readonly declared: DeclaredSnapshot;
  readonly statuses: SeenStatuses;
  /** Of objects that do not fit: they are not in the snapshot. */
  readonly problems: readonly Problem[];
  /** What `declared` has that is not in the one before. */
  readonly changes: readonly DeclaredChange[];
}

export const nothingAssembled: Assembled = {
  declared: emptySnapshot(),
  statuses: { service: new Map(), app: new Map(), job: new Map(), router: new Map(), external: new Map() },
  problems: [],
  changes: [],
};

export const allKinds = Object.keys(clusterKinds) as readonly ClusterKind[];

/** The next moment after `before`. Objects on their way out are gone. A snapshot's version is that of its newest object, and grows with every change. */
export function assemble(before: Assembled, objects: ClusterObjects): Assembled {
  const living = allKinds.flatMap((kind) => [...objects[kind].values()]).filter(({ terminating }) => !terminating);
  const read = Map.groupBy(
    living.flatMap(({ object }) => object ?? []),
    ({ kind }) => kind,
  );
  const of = <K extends ClusterKind>(kind: K): ReadonlyMap<string, Declared<K>> =>
    new Map(((read.get(kind) ?? []) as unknown as readonly Declared<K>[]).map((object) => [object.key, object]));
  const next: Partial<Record<Kind, ReadonlyMap<string, Declared>>> = {};
  for (const kind of allKinds) next[kind] = of(kind);
  next.app = completeApps(of("service"), of("app"));
  next.stack = stacksOf(living.flatMap(({ object }) => object ?? []));
  const shared = { ...before.declared.objects, ...shareKinds(before.declared, next) } as DeclaredSnapshot["objects"];
  const changed = changesBetween(before.declared, shared);
  const newest = Math.max(before.declared.version, ...living.map(({ object }) => object?.version ?? 0));
  const version = changed.length === 0 ? before.declared.version : Math.max(newest, before.declared.version + 1);
  const declared = changed.length === 0 ? before.declared : { version, objects: shared };
  return {
    declared,
    statuses: statusesOf(before.statuses, living),
    problems: living.flatMap(({ problems }) => problems),
    changes: changed.map((change) => ({ ...change, version })),
  };
}

function shareKinds(
  before: DeclaredSnapshot,
  next: Partial<Record<Kind, ReadonlyMap<string, Declared>>>,
): Partial<Record<Kind, ReadonlyMap<string, Declared>>> {
  const entries = Object.entries(next) as readonly (readonly [Kind, ReadonlyMap<string, Declared>])[];
  return Object.fromEntries(
    entries.map(([kind, objects]) => {
      const old: ReadonlyMap<string, Declared> = before.objects[kind];
      const kept = new Map([...objects].map(([key, object]) => [key, sameDeclared(old.get(key), object) ? (old.get(key) ?? object) : object]));
      return [kind, shareMap(old, kept)];
    }),
  );
}

/** Equal in all but versions: a new status is no change of what is declared. */
function sameDeclared(old: Declared | undefined, now: Declared): boolean {
  if (old === undefined || old.createdAt !== now.createdAt || old.stack !== now.stack) return false;
  // That it exists now is news, even with the weights that it was thought to have.
  if ((old.version === 0) !== (now.version === 0)) return false;
  return old.value === now.value || canonicalJson(old.value) === canonicalJson(now.value);
}

/** A stack is what its objects say: the label has its name, and its namespaces are theirs. */
function stacksOf(objects: readonly Declared[]): ReadonlyMap<string, Declared<"stack">> {
  const owned = Map.groupBy(
    objects.filter(({ stack }) => stack !== undefined),
    ({ stack }) => stack ?? "",
  );
  return new Map(
    [...owned].map(([name, own]): [string, Declared<"stack">] => {
      const namespaces = [...new Set(own.map(({ key }) => key.slice(0, key.indexOf("/"))))].toSorted();
      const [versions, made, touched] = [own.map(({ version }) => version), own.map(({ createdAt }) => createdAt), own.map(({ updatedAt }) => updatedAt)];
      const times = { createdAt: Math.min(...made), updatedAt: Math.max(...touched) };
      return [name, { kind: "stack", key: name, generation: 1, version: Math.max(...versions), ...times, value: { name, namespaces } }];
    }),
  );
}

function changesBetween(before: DeclaredSnapshot, after: DeclaredSnapshot["objects"]): readonly Omit<DeclaredChange, "version">[] {
  return (Object.keys(after) as readonly Kind[]).flatMap((kind) => {
    const [old, now]: readonly [ReadonlyMap<string, Declared>, ReadonlyMap<string, Declared>] = [before.objects[kind], after[kind]];
    if (old === now) return [];
    const come = [...now].filter(([key, object]) => old.get(key) !== object).map(([key, object]) => ({ kind, key, object }));
    const gone = [...old.keys()].filter((key) => !now.has(key)).map((key) => ({ kind, key }));
    return [...come, ...gone];
  });
}

function statusesOf(before: SeenStatuses, living: readonly KubeDeclared[]): SeenStatuses {
  const of = <K extends keyof SeenStatuses>(kind: K): ReadonlyMap<string, Statuses[K]> => {
    const found = living.flatMap((seen): [string, Statuses[K]][] =>
      seen.kind === kind && seen.object !== undefined && seen.status !== undefined ? [[seen.object.key, seen.status as Statuses[K]]] : [],
    );
    return shareMap(before[kind], new Map(found));
  };
  return { service: of("service"), app: of("app"), job: of("job"), router: of("router"), external: of("external") };
}
