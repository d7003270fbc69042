import type { VersionKey } from "../../model/names.ts";
import type { Workload, WorkloadPhase } from "../../model/workload.ts";
import type { ApiContext } from "../context.ts";
import type { ExecView, LogLine } from "../contract.ts";
import { latestWorkloads } from "../job-views.ts";
import { findRef, findServices, versionKeys } from "../refs.ts";
import { refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { execQuery, logsQuery, refPath } from "../schemas.ts";
import { keysOf } from "../views.ts";

interface LogsQuery {
  readonly namespace: string;
  readonly ref: string | readonly string[];
  readonly workload?: string;
  readonly follow: boolean;
  readonly tail?: number;
  readonly since?: number;
}

async function* logs(context: ApiContext, query: LogsQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
  const refs = typeof query.ref === "string" ? [query.ref] : query.ref;
  const wanted = (): readonly string[] => wantedWorkloads(context, refs, query);
  const first = wanted();
  const limits = { ...(query.tail === undefined ? {} : { tail: query.tail }), ...(query.since === undefined ? {} : { since: query.since }) };
  if (!query.follow) {
    yield* await context.machine.readLogs({ workloads: first, ...limits });
    return;
  }
  // The reader looks at the list again and again: replicas that come later are followed, too.
  const workloads = [...first];
  const end = new AbortController();
  const all = AbortSignal.any([signal, end.signal]);
  const adding = addNew(context, { workloads, wanted, signal: all });
  try {
    yield* context.machine.followLogs({ workloads, ...limits }, all);
  } finally {
    end.abort();
    await adding;
  }
}

async function addNew(
  context: ApiContext,
  { workloads, wanted, signal }: { readonly workloads: string[]; readonly wanted: () => readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  for await (const _ of context.observed.watch(signal)) {
    let ids: readonly string[];
    try {
      ids = wanted();
    } catch {
      // What was followed is gone; another of its name may come.
      continue;
    }
    for (const id of ids) if (!workloads.includes(id)) workloads.push(id);
  }
}

/** All replicas of services, and of each job its newest run; or one of them, or one run. */
function wantedWorkloads(context: ApiContext, refs: readonly string[], { namespace, workload }: Pick<LogsQuery, "namespace" | "workload">): readonly string[] {
  if (workload !== undefined)
    return refs.flatMap((ref) =>
      candidatesOf(context, ref, namespace)
        .filter((one) => isMeant(one, workload))
        .map((one) => one.workload.id),
    );
  const snapshot = context.store.snapshot.get();
  const observed = context.observed.get();
  const jobs = (keys: readonly string[]): readonly string[] => keys.flatMap((key) => latestWorkloads(observed, key));
  if (refs.length === 0) {
    const keys = new Set(keysOf({ declared: snapshot }, (object) => object.value.service.namespace === namespace));
    return [...workloadsOf(context, keys), ...jobs([...snapshot.objects.job.keys()].filter((key) => key.startsWith(`${namespace}/`)))];
  }
  return refs.flatMap((ref) => {
    const found = findRef(snapshot, ref, namespace);
    return found.kind === "job" ? jobs([found.object.key]) : workloadsOf(context, new Set(versionKeys(findServices(snapshot, ref, namespace))));
  });
}

function workloadsOf(context: ApiContext, keys: ReadonlySet<VersionKey>): readonly string[] {
  const all = [...(context.observed.get()?.replicas.workloads.values() ?? [])];
  return all.filter((workload) => keys.has(workload.key)).map((workload) => workload.id);
}

/** A workload that a command may be for. */
interface Candidate {
  readonly workload: Workload;
  /** Of a job: its run. */
  readonly run?: string;
}

/** By its own id, or by its run's. */
function isMeant({ workload: { id }, run }: Candidate, meant: string): boolean {
  return id === meant || run === meant;
}

/** The best first: ready replicas, or a job's newest run with its newest try. */
function candidatesOf(context: ApiContext, ref: string, namespace: string): readonly Candidate[] {
  const snapshot = context.store.snapshot.get();
  const observed = context.observed.get();
  const found = findRef(snapshot, ref, namespace);
  if (found.kind === "job")
    return (observed?.jobs?.get(found.object.key)?.runs ?? []).flatMap(({ name, workloads }) =>
      workloads.toReversed().flatMap((id): readonly Candidate[] => {
        const workload = observed?.runs?.get(id);
        return workload === undefined ? [] : [{ workload, run: name }];
      }),
    );
  const keys = new Set(versionKeys(findServices(snapshot, ref, namespace)));
  const replicas = [...(observed?.replicas.workloads.values() ?? [])].filter(({ key }) => keys.has(key));
  return replicas.toSorted((a, b) => Number(b.phase === "ready") - Number(a.phase === "ready")).map((workload) => ({ workload }));
}

const runningPhases: ReadonlySet<WorkloadPhase> = new Set(["ready", "unready", "starting"]);

async function exec(
  context: ApiContext,
  { namespace, ref, workload }: { readonly namespace: string; readonly ref: string; readonly workload?: string },
): Promise<ExecView> {
  const candidates = candidatesOf(context, ref, namespace).filter((one) => workload === undefined || isMeant(one, workload));
  const chosen = candidates.find((one) => runningPhases.has(one.workload.phase));
  if (chosen === undefined)
    throw refuse("not-running", `nothing of ${workload ?? ref} runs now`, { hint: whyNothingRuns(context, { namespace, ref }, candidates), status: 422 });
  const { id, key } = chosen.workload;
  const plan = await context.machine.exec(id);
  if (plan === undefined) throw refuse("not-running", `${id} does not run now`, { hint: "try again in a moment", status: 422 });
  const about = { workload: id, ...(chosen.run === undefined ? {} : { run: chosen.run }) };
  if (plan.kind === "program") return { ...plan, ...about };
  const ports = context.store.snapshot.get().objects.service.get(key)?.value.service.ports ?? [];
  return { ...plan, ...about, ports: ports.map(({ port, containerPort }) => ({ port, containerPort })) };
}

function whyNothingRuns(context: ApiContext, { namespace, ref }: { readonly namespace: string; readonly ref: string }, [first]: readonly Candidate[]): string {
  const found = findRef(context.store.snapshot.get(), ref, namespace);
  if (found.kind !== "job") return first === undefined ? "`weir ps` shows what runs" : `${first.workload.id} is ${first.workload.phase}`;
  const { key, value } = found.object;
  const run = context.observed.get()?.jobs?.get(key)?.runs[0];
  const { name } = value.job;
  if (run === undefined) return `it has not run yet: weir restart ${name} runs it now`;
  if (run.state === "running") return `its run ${run.name} is between two tries, or has not begun: try again in a moment`;
  return `its newest run ${run.state}: weir logs ${name} shows what it said, weir restart ${name} runs it again`;
}

export const logRoutes = [
  route("GET /v1/logs", {
    summary: "What workloads say: a stream, oldest first",
    query: logsQuery,
    handle: (context, { query, signal }) => logs(context, query, signal),
  }),
  route("GET /v1/exec/{namespace}/{ref}", {
    summary: "How to start a command inside a workload of an app, or of a job's run",
    query: execQuery,
    parameters: refPath,
    handle: (context, { path, query }) => exec(context, { ...path, ...query }),
  }),
];
