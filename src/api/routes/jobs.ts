import type { Declared, Put } from "../../model/declared.ts";
import type { ApiContext, Observed } from "../context.ts";
import type { JobView, RunJobsRequest } from "../contract.ts";
import { jobView, jobViews } from "../job-views.ts";
import { findJob } from "../refs.ts";
import { need, refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { runJobsRequest, servicesQuery } from "../schemas.ts";
import { observe } from "../waiting.ts";

/** A run may take a day; whoever waits longer asks again. */
const runTimeoutMs = 86_400_000;
const acceptedTimeoutMs = 10_000;
/** Between two states of a watch: storms are one. */
const watchPauseMs = 50;

function current(context: ApiContext, observed: Observed | undefined): Observed {
  const now = observed ?? context.observed.get();
  if (now === undefined) throw refuse("platform-starting", "the node agent has not answered yet", { hint: "try again in a moment", status: 503 });
  return now;
}

/** Whether a run that was asked for has begun and ended. */
function hasEnded(observed: Observed, { key }: Declared<"job">, since: ReadonlySet<string>): boolean {
  const fresh = (observed.jobs?.get(key)?.runs ?? []).filter(({ name }) => !since.has(name));
  return fresh.length > 0 && fresh.every(({ state }) => state !== "running");
}

async function runJobs(context: ApiContext, { namespace, jobs, wait }: RunJobsRequest, signal: AbortSignal): Promise<readonly JobView[]> {
  const snapshot = context.store.snapshot.get();
  const objects = [...new Set(jobs.map((name) => findJob(snapshot, name, namespace)))];
  const before = new Set(objects.flatMap(({ key }) => context.observed.get()?.jobs?.get(key)?.runs ?? []).map(({ name }) => name));
  const puts = objects.map(({ key, stack, value }): Put => {
    return { op: "put", kind: "job", key, ...(stack === undefined ? {} : { stack }), value: { ...value, restarts: value.restarts + 1 } };
  });
  const { version } = need(await context.store.commit(puts));
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(wait ? runTimeoutMs : acceptedTimeoutMs)]);
  const observed = await observe(
    context,
    deadline,
    (now) => now.declared.version >= version && (!wait || objects.every((object) => hasEnded(now, object, before))),
  );
  const now = current(context, observed);
  return objects.flatMap(({ key }) => {
    const object = now.declared.objects.job.get(key);
    return object === undefined ? [] : [jobView(now, object)];
  });
}

async function listJobs(context: ApiContext, namespace: string, signal: AbortSignal): Promise<readonly JobView[]> {
  const { version } = context.store.snapshot.get();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(acceptedTimeoutMs)]);
  return jobViews(current(context, await observe(context, deadline, (now) => now.declared.version >= version)), namespace);
}

async function* watchJobs(context: ApiContext, namespace: string, signal: AbortSignal): AsyncGenerator<readonly JobView[], void, void> {
  let last = "";
  for await (const observed of context.observed.watch(signal)) {
    if (observed === undefined) continue;
    const views = jobViews(observed, namespace);
    const text = JSON.stringify(views);
    if (text === last) continue;
    last = text;
    yield views;
    await context.clock.sleep(watchPauseMs, signal);
  }
}

export const jobRoutes = [
  route("GET /v1/jobs", {
    summary: "Every job with its runs, once or as a stream of states",
    query: servicesQuery,
    handle: (context, { query, signal }) => (query.watch ? watchJobs(context, query.namespace, signal) : listJobs(context, query.namespace, signal)),
  }),
  route("POST /v1/jobs/run", {
    summary: "Runs jobs again now; schedules stay as they are",
    body: runJobsRequest,
    handle: (context, { body, signal }) => runJobs(context, body, signal),
  }),
];
