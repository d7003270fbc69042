/** What one `up` would change: the file against what is declared. */
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import {
  type Declared,
  type DeclaredJob,
  type DeclaredService,
  type DeclaredSnapshot,
  type Kind,
  mapToShares,
  type Put,
  type Shares,
  sharesToMap,
  type Write,
} from "../model/declared.ts";
import type { Runs } from "../model/file/scope.ts";
import { appKey, objectKey, versionKey } from "../model/names.ts";
import type { Config, Stack, WantedWeight } from "../model/types.ts";
import { changeWeights } from "./app-weights.ts";
import { diffFields, type FieldChange, redact, sameValue } from "./diff.ts";
import { changeNotes, volumeProblems } from "./kept-data.ts";
import { appIn, settle } from "./settle.ts";

type PlanKind = "config" | "secret" | "external" | "service" | "job" | "router";
/** In the order in which a reader wants them: what others need comes first. */
const planKinds = ["config", "secret", "external", "service", "job", "router"] as const satisfies readonly PlanKind[];

export interface PlannedChange {
  readonly action: "create" | "update" | "delete";
  readonly kind: PlanKind;
  readonly namespace: string;
  readonly name: string;
  readonly fields: readonly FieldChange[];
}

export interface PlannedWeight {
  readonly namespace: string;
  readonly app: string;
  readonly before: Shares;
  readonly after: Shares;
}

export interface StackPlan {
  readonly stack: string;
  readonly changes: readonly PlannedChange[];
  readonly weights: readonly PlannedWeight[];
  /** What somebody may not expect of it, one line each. */
  readonly notes: readonly string[];
  /** One batch that makes it so; empty when nothing changes. */
  readonly writes: readonly Write[];
}

/**
 * Compares `stack` with `snapshot`. What the stack owns and its file no longer has is deleted, except versions that a command staged while the file still has their app.
 * What nobody owns is taken over. Problems: `owned-by-other` (another stack declares it), `volumes-fixed`, and those of weights that cannot be.
 * `runs`: what the platform starts.
 */
export function planStack(snapshot: DeclaredSnapshot, stack: Stack, now: number, runs?: Runs): Result<StackPlan> {
  const puts = wantedPuts(snapshot, stack);
  const problems = [...puts.flatMap((put) => ownerProblem(snapshot, put, stack.name)), ...volumeProblems(snapshot, stack.services)];
  if (problems.length > 0) return { ok: false, problems };
  const changed = puts.filter((put) => differs(snapshot, put));
  const gone = prunable(snapshot, stack, new Set(puts.map((put) => `${put.kind} ${put.key}`)));
  const deletes = gone.map((object): Write => ({ op: "delete", kind: object.kind, key: object.key }));
  const change = `up ${stack.name}`;
  const settled = settle(snapshot, [...changed, ...deletes], { now, change });
  const weighted = withWeights(snapshot, settled, stack.weights, { now, change });
  if (!weighted.ok) return weighted;
  const changes = [...changed.map((put) => describePut(snapshot, put)), ...gone.map(describeDelete)].toSorted(byKindThenName);
  const writes = [...weighted.value, ...stackWrite(snapshot, stack)];
  const leaving = gone.flatMap((object) => (object.kind === "service" && "service" in object.value ? [object.value.service] : []));
  const notes = changeNotes({ snapshot, wanted: stack.services, gone: leaving, runs });
  return ok({ stack: stack.name, changes, weights: weightChanges(snapshot, weighted.value), notes, writes });
}

function wantedPuts(snapshot: DeclaredSnapshot, stack: Stack): readonly Put[] {
  const owner = { op: "put", stack: stack.name } as const;
  return [
    ...stack.configs.map((value): Put => ({ ...owner, kind: "config", key: objectKey(value.namespace, value.name), value })),
    ...stack.secrets.map((value): Put => ({ ...owner, kind: "secret", key: objectKey(value.namespace, value.name), value })),
    ...stack.externals.map((value): Put => ({ ...owner, kind: "external", key: objectKey(value.namespace, value.name), value })),
    ...stack.services.map((service): Put => {
      const key = versionKey(service.namespace, service.app, service.version);
      const restarts = snapshot.objects.service.get(key)?.value.restarts ?? 0;
      return { ...owner, kind: "service", key, value: { service, origin: "file", restarts } };
    }),
    ...stack.jobs.map((job): Put => {
      const key = objectKey(job.namespace, job.name);
      return { ...owner, kind: "job", key, value: { job, restarts: snapshot.objects.job.get(key)?.value.restarts ?? 0 } };
    }),
    ...stack.routers.map((value): Put => ({ ...owner, kind: "router", key: objectKey(value.namespace, value.name), value })),
  ];
}

function find(snapshot: DeclaredSnapshot, kind: Kind, key: string): Declared | undefined {
  return snapshot.objects[kind].get(key);
}

function ownerProblem(snapshot: DeclaredSnapshot, put: Put, stack: string): readonly Problem[] {
  const owner = find(snapshot, put.kind, put.key)?.stack;
  if (owner === undefined || owner === stack) return [];
  const where = put.kind === "router" || put.kind === "external" ? put.value.where : undefined;
  return [
    {
      code: "owned-by-other",
      message: `${put.kind} ${put.key} belongs to the stack ${owner}`,
      hint: `take it out of one of the two files, or \`weir down ${owner}\` first`,
      ...(where === undefined ? {} : { where }),
    },
  ];
}

function differs(snapshot: DeclaredSnapshot, put: Put): boolean {
  const current = find(snapshot, put.kind, put.key);
  return current === undefined || current.stack !== put.stack || !sameValue(current.value, put.value);
}

function prunable(snapshot: DeclaredSnapshot, stack: Stack, wanted: ReadonlySet<string>): readonly Declared<PlanKind>[] {
  const apps = new Set(stack.services.map((service) => appKey(service.namespace, service.app)));
  const staged = ({ origin, service }: DeclaredService): boolean => origin === "command" && apps.has(appKey(service.namespace, service.app));
  return planKinds.flatMap((kind) =>
    [...snapshot.objects[kind].values()].filter(
      (object) => object.stack === stack.name && !wanted.has(`${kind} ${object.key}`) && !(object.kind === "service" && staged(object.value)),
    ),
  );
}

/** Brings the weights that the file asks for into a batch whose apps have all their versions already. */
function withWeights(
  snapshot: DeclaredSnapshot,
  writes: readonly Write[],
  wanted: readonly WantedWeight[],
  options: { readonly now: number; readonly change: string },
): Result<readonly Write[]> {
  const byApp = Map.groupBy(wanted, ({ namespace, app }) => appKey(namespace, app));
  let result = writes;
  const problems: Problem[] = [];
  for (const [key, weights] of byApp) {
    const app = appIn(snapshot, result, key);
    if (app === undefined) continue;
    // One line in the history for one `up`: a record that this batch made starts again from the one before.
    const base = snapshot.objects.app.get(key)?.value;
    const start = { ...app, history: base?.history ?? [] };
    const changed = changeWeights(start, new Map(weights.map(({ version, weight }) => [version, weight])), { ...options, durationMs: 0 });
    if (!changed.ok) problems.push(...changed.problems.map((problem) => ({ ...problem, message: `${key}: ${problem.message}` })));
    else if (changed.value !== start)
      result = [...result.filter((write) => write.kind !== "app" || write.key !== key), { op: "put", kind: "app", key, value: changed.value }];
  }
  return problems.length > 0 ? failed(...problems) : ok(result);
}

function weightChanges(snapshot: DeclaredSnapshot, writes: readonly Write[]): readonly PlannedWeight[] {
  return writes.flatMap((write) => {
    const before = write.kind === "app" && write.op === "put" ? snapshot.objects.app.get(write.key)?.value.weights : undefined;
    if (before === undefined || write.kind !== "app" || write.op !== "put") return [];
    const { namespace, app, weights } = write.value;
    const moved = Object.entries(weights).some(([version, weight]) => (before[version] ?? 0) !== weight);
    return moved ? [{ namespace, app, before, after: mapToShares(sharesToMap(weights)) }] : [];
  });
}

function describePut(snapshot: DeclaredSnapshot, put: Put): PlannedChange {
  const before = find(snapshot, put.kind, put.key);
  const fields = diffFields(before === undefined ? undefined : visible(before.kind, before.value), visible(put.kind, put.value));
  const owner: readonly FieldChange[] = before !== undefined && before.stack !== put.stack ? [{ path: "stack", after: put.stack ?? "" }] : [];
  const action = before === undefined ? "create" : "update";
  return { action, ...nameOf(put.kind, put.value), fields: put.kind === "secret" ? redact(fields) : [...owner, ...fields] };
}

function describeDelete(object: Declared<PlanKind>): PlannedChange {
  return { action: "delete", ...nameOf(object.kind, object.value), fields: [] };
}

/** What a user wrote: without what names it and what only we count. */
function visible(kind: Kind, value: Put["value"]): unknown {
  if (kind === "service") {
    const { namespace: _namespace, app: _app, version: _version, ...rest } = (value as DeclaredService).service;
    return rest;
  }
  const { namespace: _namespace, name: _name, ...rest } = kind === "job" ? (value as DeclaredJob).job : (value as Config);
  return rest;
}

function nameOf(kind: Kind, value: Put["value"]): { kind: PlanKind; namespace: string; name: string } {
  if (kind === "service") {
    const { namespace, app, version } = (value as DeclaredService).service;
    return { kind, namespace, name: `${app}@${version}` };
  }
  const { namespace, name } = kind === "job" ? (value as DeclaredJob).job : (value as Config);
  return { kind: kind as PlanKind, namespace, name };
}

function byKindThenName(a: PlannedChange, b: PlannedChange): number {
  const order = planKinds.indexOf(a.kind) - planKinds.indexOf(b.kind);
  return order || compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function stackWrite(snapshot: DeclaredSnapshot, stack: Stack): readonly Write[] {
  const value = { name: stack.name, namespaces: [...stack.namespaces].toSorted() };
  const same = sameValue(snapshot.objects.stack.get(stack.name)?.value, value);
  return same ? [] : [{ op: "put", kind: "stack", key: stack.name, value }];
}
