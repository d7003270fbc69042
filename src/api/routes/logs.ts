import type { VersionKey } from "../../model/names.ts";
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
  readonly follow: boolean;
  readonly tail?: number;
  readonly since?: number;
}

async function* logs(context: ApiContext, query: LogsQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
  const refs = typeof query.ref === "string" ? [query.ref] : query.ref;
  const wanted = (): readonly string[] => wantedWorkloads(context, refs, query.namespace);
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

/** All replicas of services, and of each job its newest run. */
function wantedWorkloads(context: ApiContext, refs: readonly string[], namespace: string): readonly string[] {
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

async function exec(
  context: ApiContext,
  { namespace, ref, workload }: { readonly namespace: string; readonly ref: string; readonly workload?: string },
): Promise<ExecView> {
  const keys = new Set(versionKeys(findServices(context.store.snapshot.get(), ref, namespace)));
  const candidates = [...(context.observed.get()?.replicas.workloads.values() ?? [])].filter(
    (known) => keys.has(known.key) && (workload === undefined || known.id === workload),
  );
  const chosen = candidates.find((known) => known.phase === "ready") ?? candidates.find((known) => known.phase === "unready" || known.phase === "starting");
  if (chosen === undefined) {
    const hint = candidates.length === 0 ? "`weir ps` shows what runs" : `${candidates[0]?.id} is ${candidates[0]?.phase}`;
    throw refuse("not-running", `nothing of ${workload ?? ref} runs now`, { hint, status: 422 });
  }
  const plan = await context.machine.exec(chosen.id);
  if (plan === undefined) throw refuse("not-running", `${chosen.id} does not run now`, { hint: "try again in a moment", status: 422 });
  if (plan.kind === "program") return { ...plan, workload: chosen.id };
  const ports = context.store.snapshot.get().objects.service.get(chosen.key)?.value.service.ports ?? [];
  return { ...plan, workload: chosen.id, ports: ports.map(({ port, containerPort }) => ({ port, containerPort })) };
}

export const logRoutes = [
  route("GET /v1/logs", {
    summary: "What workloads say: a stream, oldest first",
    query: logsQuery,
    handle: (context, { query, signal }) => logs(context, query, signal),
  }),
  route("GET /v1/exec/{namespace}/{ref}", {
    summary: "How to start a command inside a workload",
    query: execQuery,
    parameters: refPath,
    handle: (context, { path, query }) => exec(context, { ...path, ...query }),
  }),
];
