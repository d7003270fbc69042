import { ok } from "../../lib/problem.ts";
import type { Declared, DeclaredSnapshot } from "../../model/declared.ts";
import type { VersionKey } from "../../model/names.ts";
import { planStack, type StackPlan } from "../../release/plan.ts";
import { crashLooping, progressOf, whyNotReady } from "../../release/progress.ts";
import { settle, undo } from "../../release/settle.ts";
import type { ApiContext, Observed } from "../context.ts";
import type { JobView, Plan, PlanRequest, ServiceView, StackView, UpEvent, UpFailure, UpRequest } from "../contract.ts";
import { isJobHopeless, isJobSettled, jobView, latestWorkloads } from "../job-views.ts";
import { parseSource } from "../parse-source.ts";
import { need } from "../refusal.ts";
import { route } from "../route.ts";
import { planRequest, upRequest } from "../schemas.ts";
import { keysOf, publicUrls, serviceView } from "../views.ts";
import { appsOf, areSettled, describeRefusal, hindranceOf, isHopeless } from "../waiting.ts";

const lastLines = 10;
/** Between two reports of progress. */
const progressPauseMs = 100;

function planOf(context: ApiContext, request: PlanRequest): StackPlan {
  const snapshot = context.store.snapshot.get();
  return need(planStack(snapshot, parseSource(snapshot, request, context.platform.runs), context.clock.now(), context.platform.runs));
}

function namespacesOf({ writes }: StackPlan): readonly string[] {
  const keys = writes.filter((write) => write.op === "put" && write.kind !== "stack").map(({ key }) => key.slice(0, key.indexOf("/")));
  return [...new Set(keys)].toSorted();
}

/** `KIND KEY` of what Envoy has to take besides versions. */
function namesOf({ writes }: StackPlan): readonly string[] {
  return writes.filter(({ op, kind }) => op === "put" && (kind === "router" || kind === "external")).map(({ kind, key }) => `${kind} ${key}`);
}

function planView({ stack, changes, weights, notes }: StackPlan): Plan {
  return { stack, changes, weights, notes };
}

/** One `up` under way. */
interface Up {
  readonly plan: StackPlan;
  readonly before: DeclaredSnapshot;
  /** As the commit left it. */
  readonly accepted: DeclaredSnapshot;
  /** Versions of the stack, and those that it gave up. */
  readonly keys: readonly VersionKey[];
  /** Jobs of the stack. */
  readonly jobs: readonly string[];
  readonly startedAt: number;
}

async function* up(context: ApiContext, request: UpRequest, signal: AbortSignal): AsyncGenerator<UpEvent, void, void> {
  const startedAt = context.clock.now();
  const before = context.store.snapshot.get();
  const plan = planOf(context, request);
  need((await context.platform.makeNamespaces?.(namespacesOf(plan))) ?? ok(undefined));
  const accepted = need(await context.store.commit(plan.writes));
  const gone = keysOf({ declared: before }, (object) => object.stack === plan.stack && !accepted.objects.service.has(object.key));
  const keys = [...keysOf({ declared: accepted }, (object) => object.stack === plan.stack), ...gone];
  const jobs = [...accepted.objects.job.values()].filter((object) => object.stack === plan.stack).map(({ key }) => key);
  yield { kind: "plan", plan: planView(plan) };
  yield { kind: "applied" };
  if (request.wait)
    yield* progress(context, { plan, before, accepted, keys, jobs, startedAt }, AbortSignal.any([signal, AbortSignal.timeout(request.timeoutMs)]), signal);
}

async function* progress(context: ApiContext, up: Up, deadline: AbortSignal, signal: AbortSignal): AsyncGenerator<UpEvent, void, void> {
  let last = "";
  let newest: Observed | undefined;
  for await (const observed of context.observed.watch(deadline)) {
    if (observed === undefined || observed.declared.version < up.accepted.version) continue;
    newest = observed;
    const services = viewsOf(observed, up, context.clock.now());
    const jobs = jobViewsOf(observed, up);
    const isSettled =
      areSettled(observed, up.accepted.version, up.keys, namesOf(up.plan)) && up.jobs.every((key) => !isDeclared(observed, key) || isJobSettled(observed, key));
    if (isSettled && observed.refusals.some((refusal) => refusal.at >= up.startedAt)) {
      yield await fail(context, up, { observed, keys: [] });
      return;
    }
    if (isSettled) {
      yield { kind: "done", services, jobs, urls: publicUrls(observed, up.plan.stack), tookMs: context.clock.now() - up.startedAt };
      return;
    }
    const failing = up.keys.filter((key) => isHopeless(observed, key));
    const failed = up.jobs.filter((key) => isDeclared(observed, key) && isJobHopeless(observed, key));
    if (failing.length > 0 || failed.length > 0) {
      yield await fail(context, up, { observed, keys: failing, jobs: failed });
      return;
    }
    const text = JSON.stringify([services, jobs]);
    if (text === last) continue;
    last = text;
    yield { kind: "progress", services, jobs };
    await context.clock.sleep(progressPauseMs, deadline);
  }
  if (signal.aborted) return;
  const late = newest === undefined ? [] : up.keys.filter((key) => newest !== undefined && !progressOf(newest.replicas, key).settled);
  const names = namesOf(up.plan).filter((name) => newest?.hindrances?.has(name) === true);
  const jobs = newest === undefined ? [] : up.jobs.filter((key) => newest !== undefined && isDeclared(newest, key) && !isJobSettled(newest, key));
  yield { ...(await fail(context, up, { observed: newest, keys: late, names, jobs })), timedOut: true };
}

function viewsOf(observed: Observed, up: Up, now: number): readonly ServiceView[] {
  return up.keys.flatMap((key) => {
    const object = observed.declared.objects.service.get(key);
    return object === undefined ? [] : [serviceView(observed, object, now)];
  });
}

/** Somebody else may take it away meanwhile. */
function isDeclared(observed: Observed, job: string): boolean {
  return observed.declared.objects.job.has(job);
}

function jobViewsOf(observed: Observed, up: Up): readonly JobView[] {
  return up.jobs.flatMap((key) => {
    const object = observed.declared.objects.job.get(key);
    return object === undefined ? [] : [jobView(observed, object)];
  });
}

interface Failing {
  readonly observed: Observed | undefined;
  readonly keys: readonly VersionKey[];
  readonly names?: readonly string[];
  readonly jobs?: readonly string[];
}

/** Says why, and brings back what was declared before: what ran goes on, what is new goes. */
async function fail(context: ApiContext, up: Up, { observed, keys, names = [], jobs = [] }: Failing): Promise<Extract<UpEvent, { kind: "failed" }>> {
  const services = observed === undefined ? [] : await Promise.all(keys.map((key) => explain(context, observed, key)));
  const ended = observed === undefined ? [] : await Promise.all(jobs.map((key) => explainJob(context, observed, key)));
  const failures = [...services, ...ended, ...names.map((name) => explainName(observed, name))];
  const restored = await restore(context, up);
  const nobody: UpFailure = { namespace: "", name: up.plan.stack, reason: reasonWithout(context, observed, up.startedAt), lastLog: [] };
  return { kind: "failed", failures: failures.length === 0 ? [nobody] : failures, restored };
}

function reasonWithout({ platform }: ApiContext, observed: Observed | undefined, since: number): string {
  if (observed === undefined) return `${platform.teller} did not answer in time`;
  if (!observed.platform.connected) return `${platform.teller} does not answer: ${observed.platform.reason ?? "no connection"}`;
  const refused = observed.refusals.find((refusal) => refusal.at >= since);
  return refused === undefined ? "Envoy did not acknowledge the change in time" : describeRefusal(refused);
}

/** `router shop/www` or the like. */
function explainName(observed: Observed | undefined, name: string): UpFailure {
  const [kind = "", key = ""] = name.split(" ");
  const [namespace = "", own = ""] = key.split("/");
  return { namespace, name: `${kind}/${own}`, reason: observed?.hindrances?.get(name) ?? "", lastLog: [] };
}

/** Why a job is not done: how its run ended, or that it goes on; with its last lines. */
async function explainJob(context: ApiContext, observed: Observed, key: string): Promise<UpFailure> {
  const now = observed.jobs?.get(key);
  const [namespace = "", name = ""] = key.split("/");
  const workloads = latestWorkloads(observed, key);
  const [lines, notes] = await Promise.all([
    workloads.length === 0 ? [] : context.machine.readLogs({ workloads, tail: lastLines }),
    context.machine.notes?.(key),
  ]);
  const reason = observed.hindrances?.get(`job ${key}`) ?? now?.reason ?? (now?.state === "running" ? "it has not ended in time" : "it has not run in time");
  return { namespace, name: `job/${name}`, reason, lastLog: lines.map(({ line }) => line), ...(notes === undefined ? {} : { notes }) };
}

async function explain(context: ApiContext, observed: Observed, key: VersionKey): Promise<UpFailure> {
  const service = observed.declared.objects.service.get(key)?.value.service;
  const { current, ready, wanted } = progressOf(observed.replicas, key);
  const culprit = crashLooping(current) ?? current.find((workload) => workload.phase !== "ready");
  const [lines, notes] = await Promise.all([
    culprit === undefined ? [] : context.machine.readLogs({ workloads: [culprit.id], tail: lastLines }),
    context.machine.notes?.(key),
  ]);
  const hindrance = crashLooping(current) === undefined ? hindranceOf(observed, key) : undefined;
  const [app = ""] = appsOf([key]);
  const why = hindrance ?? (culprit === undefined ? undefined : whyNotReady(culprit)) ?? observed.hindrances?.get(app);
  const reason = why ?? (ready >= wanted ? "Envoy did not acknowledge it in time" : "not ready in time");
  const [namespace = "", name = key] = key.split("/");
  return { namespace: service?.namespace ?? namespace, name, reason, lastLog: lines.map((line) => line.line), ...(notes === undefined ? {} : { notes }) };
}

async function restore(context: ApiContext, up: Up): Promise<boolean> {
  const now = context.store.snapshot.get();
  const writes = undo(up.before, now, { writes: up.plan.writes, accepted: up.accepted });
  if (writes.length === 0) return false;
  const result = await context.store.commit(settle(now, writes, { now: context.clock.now(), change: `up ${up.plan.stack} taken back` }));
  if (!result.ok) context.log.warn("could not take a failed up back", { stack: up.plan.stack, problems: result.problems });
  return result.ok;
}

function listStacks(snapshot: DeclaredSnapshot): readonly StackView[] {
  const owned = (name: string): readonly Declared[] =>
    (["service", "job", "router", "external", "config", "secret"] as const).flatMap(
      (kind) => [...snapshot.objects[kind].values()].filter((object) => object.stack === name) as readonly Declared[],
    );
  return [...snapshot.objects.stack.values()].map(({ value, updatedAt }) => {
    const objects = owned(value.name);
    return {
      name: value.name,
      namespaces: value.namespaces,
      objects: objects.length,
      updatedAt: Math.max(updatedAt, ...objects.map((object) => object.updatedAt)),
    };
  });
}

export const stackRoutes = [
  route("POST /v1/plan", { summary: "What `up` would change", body: planRequest, handle: (context, { body }) => planView(planOf(context, body)) }),
  route("POST /v1/up", {
    summary: "Makes a stack what its file says; a stream of what happens",
    body: upRequest,
    handle: (context, { body, signal }) => up(context, body, signal),
  }),
  route("GET /v1/stacks", { summary: "Every stack", handle: (context) => listStacks(context.store.snapshot.get()) }),
];
