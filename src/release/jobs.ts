/**
 * Which jobs should run now. Pure: called again whenever something changed or a time came. What runs is written down before anybody starts it, so whoever
 * ends in between finds it again: a job that has succeeded is not run twice for one cause.
 */
import { fnv1a } from "../lib/fnv.ts";
import type { Declared, DeclaredSnapshot, JobTemplate, KeptRun, RunState, Write } from "../model/declared.ts";
import type { JobNow, JobRun } from "../model/job-run.ts";
import { newestTime, nextTime } from "../model/schedule.ts";
import type { Schedule } from "../model/types.ts";
import type { Workload } from "../model/workload.ts";
import { type EnvoyKnowledge, envoyPatienceMs } from "./replace.ts";

/** One declared job as it should run now. */
export interface WantedJob {
  readonly key: string;
  readonly object: Declared<"job">;
  /** Of all that a run is made from. */
  readonly hash: string;
  readonly template: JobTemplate;
}

export interface JobsInput {
  readonly jobs: ReadonlyMap<string, WantedJob>;
  readonly runs: DeclaredSnapshot["objects"]["run"];
  /** Workloads of runs, by id. */
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly envoy: Pick<EnvoyKnowledge, "mayCapture">;
  /** The platform has said what of it runs, since it was told the newest wish. */
  readonly isUpToDate: boolean;
  readonly now: number;
}

const restartCause = "restart ";
const timeCause = "at ";

/** What to write so that every job has the runs that it should have now. */
export function stepJobs(input: JobsInput): readonly Write[] {
  const runs = [...input.runs].map(([key, { value }]) => ({ key, run: value }));
  const keys = new Set([...input.jobs.keys(), ...runs.map(({ run }) => jobKeyOf(run))]);
  const byJob = Map.groupBy(runs, ({ run }) => jobKeyOf(run));
  return [...keys].toSorted().flatMap((key) => stepJob(key, byJob.get(key) ?? [], input));
}

/** When to look again although nothing happens; undefined: no need. */
export function nextJobLookAt({ jobs, runs, now }: JobsInput): number | undefined {
  const times = [...jobs.values()].flatMap(({ object }) => nextRunOf(object.value.job.schedule, now) ?? []);
  // Envoy's patience, for those that are held back and those that have ended.
  const ends = [...runs.values()].flatMap(({ value: { template, startedAt, endedAt } }) =>
    template === undefined ? [] : [startedAt, ...(endedAt === undefined ? [] : [endedAt])].map((since) => since + envoyPatienceMs).filter((at) => at > now),
  );
  const all = [...times, ...ends];
  return all.length === 0 ? undefined : Math.min(...all);
}

/** `NAMESPACE/JOB` of a run. */
export function jobKeyOf({ namespace, job }: Pick<KeptRun, "namespace" | "job">): string {
  return `${namespace}/${job}`;
}

interface Kept {
  readonly key: string;
  readonly run: KeptRun;
}

function stepJob(key: string, kept: readonly Kept[], input: JobsInput): readonly Write[] {
  const wanted = input.jobs.get(key);
  const settled = kept.map((one) => ({ key: one.key, run: settledRun(one.run, input), before: one.run }));
  const updates = settled.filter(({ run, before }) => run !== before).map(({ key: of, run }) => put(of, run));
  const runs = settled.map(({ run }) => run).toSorted(byNumber);
  if (wanted === undefined) {
    const over = settled.filter(({ run }) => run.template === undefined);
    return [...updates.filter((write) => !over.some(({ key: of }) => of === write.key)), ...over.map(({ key: of }) => remove(of))];
  }
  const next = nextRun(wanted, runs, input.now);
  const started = next === undefined ? [] : [put(runKey(next), next)];
  const moved = next === undefined ? undefined : settled.find(({ run }) => run.id === next.id);
  const gone = prunable(next === undefined ? runs : [next, ...runs.filter(({ id }) => id !== next.id)], wanted).map(runKey);
  const removed = [...(moved === undefined ? [] : [moved.key]), ...gone];
  return [...updates.filter(({ key: of }) => !removed.includes(of)), ...started, ...removed.map(remove)];
}

function put(key: string, value: KeptRun): Extract<Write, { op: "put" }> {
  return { op: "put", kind: "run", key, value };
}

function remove(key: string): Write {
  return { op: "delete", kind: "run", key };
}

function runKey(run: KeptRun): string {
  return `${jobKeyOf(run)}#${run.number}`;
}

/** Newest first. */
function byNumber(a: KeptRun, b: KeptRun): number {
  return b.number - a.number;
}

/** A run with what its workload says; what has ended keeps its template until Envoy listens there no longer. */
function settledRun(run: KeptRun, input: JobsInput): KeptRun {
  const { workloads, envoy, now } = input;
  const workload = workloads.get(run.id);
  if (run.state !== "running") {
    if (run.template === undefined || (envoy.mayCapture.has(run.id) && now - (run.endedAt ?? now) < envoyPatienceMs)) return run;
    const { template: _template, ...rest } = run;
    return rest;
  }
  // It was to end before it began.
  if (workload === undefined && input.isUpToDate && mustStop(run, input)) return { ...run, state: "stopped", endedAt: now };
  if (workload?.phase !== "exited") return run;
  const state: RunState = workload.outcome ?? "stopped";
  return { ...run, state, endedAt: workload.since, ...(workload.reason === undefined ? {} : { reason: workload.reason }) };
}

/** The run to begin now, or an old one that counts again; undefined: none. `runs`: newest first. */
function nextRun(wanted: WantedJob, runs: readonly KeptRun[], now: number): KeptRun | undefined {
  const { job, restarts } = wanted.object.value;
  const going = runs.filter(({ state }) => state === "running");
  if (job.schedule === undefined) {
    const [latest] = runs;
    if (latest?.cause === wanted.hash && latest.state !== "stopped") return undefined;
    const done = runs.find(({ cause, state }) => cause === wanted.hash && state === "succeeded");
    // It was that before, and did its work: nothing is to be done, but whatever comes next is compared with it.
    if (done !== undefined) return { ...done, number: (latest?.number ?? 0) + 1 };
    // One at a time: what runs for something else is ended first.
    return going.length > 0 ? undefined : newRun(wanted, runs, wanted.hash, now);
  }
  const asked = `${restartCause}${restarts}`;
  if (restarts > 0 && !runs.some(({ cause, state }) => cause === asked && state !== "stopped")) return newRun(wanted, runs, asked, now);
  if (going.length > 0 && job.concurrency === "forbid") return undefined;
  const time = newestTime(job.schedule, Math.max(wanted.object.updatedAt, lastTime(runs)), now);
  return time === undefined ? undefined : newRun(wanted, runs, `${timeCause}${new Date(time).toISOString()}`, now);
}

/** The newest time of the schedule that was run for. */
function lastTime(runs: readonly KeptRun[]): number {
  const times = runs.filter(({ cause }) => cause.startsWith(timeCause)).map(({ cause }) => Date.parse(cause.slice(timeCause.length)));
  return Math.max(0, ...times);
}

function newRun({ key, hash, template, object }: WantedJob, runs: readonly KeptRun[], cause: string, now: number): KeptRun {
  const { namespace, name } = object.value.job;
  const number = (runs[0]?.number ?? 0) + 1;
  // Depends on what it stands for alone, but for the moment at which its job was declared: one of that name before it has logs, too.
  const mark = fnv1a(`${key} ${object.createdAt} ${cause} ${number}`).toString(36).padStart(6, "0").slice(-6);
  return { namespace, job: name, number, id: `${name}-${number}-${mark}`, cause, hash, startedAt: now, state: "running", template };
}

/** Runs that have ended and need not be kept: all but the newest of them, and what says which times and wishes were served. */
function prunable(runs: readonly KeptRun[], { object }: WantedJob): readonly KeptRun[] {
  const over = runs.filter(({ template }) => template === undefined).toSorted(byNumber);
  const served = [restartCause, timeCause].map((cause) => runs.toSorted(byNumber).find((run) => run.cause.startsWith(cause)));
  return over.slice(object.value.job.keep).filter((run) => !served.includes(run));
}

export type RunWish = "run" | "stop" | "hold";

/**
 * What the platform should do with a run that has a template. It starts when Envoy listens where its first connection will arrive; an Envoy that does not
 * answer holds nobody back for long.
 */
export function wishFor(run: KeptRun, input: JobsInput & { readonly captured: ReadonlySet<string> }): RunWish {
  if (run.state !== "running" || mustStop(run, input)) return "stop";
  const phase = input.workloads.get(run.id)?.phase;
  const isHeld = (phase === undefined || phase === "pending") && !input.captured.has(run.id) && input.now - run.startedAt < envoyPatienceMs;
  return isHeld ? "hold" : "run";
}

function mustStop(run: KeptRun, { jobs, runs }: JobsInput): boolean {
  const wanted = jobs.get(jobKeyOf(run));
  if (wanted === undefined) return true;
  const { schedule, concurrency } = wanted.object.value.job;
  if (schedule === undefined) return run.cause !== wanted.hash;
  if (concurrency !== "replace") return false;
  return [...runs.values()].some(({ value }) => jobKeyOf(value) === wanted.key && value.number > run.number);
}

function nextRunOf(schedule: Schedule | undefined, now: number): number | undefined {
  return schedule === undefined ? undefined : nextTime(schedule, now);
}

/** How a job is now. */
export function jobNow({ key, object, hash }: WantedJob, { runs, workloads, now }: JobsInput): JobNow {
  const own = [...runs.values()]
    .map(({ value }) => value)
    .filter((run) => jobKeyOf(run) === key)
    .toSorted(byNumber);
  const shown = own.map((run) => runView(run, workloads.get(run.id)));
  const { schedule } = object.value.job;
  const next = nextRunOf(schedule, now);
  const [latest] = own;
  const isFor = latest !== undefined && (schedule !== undefined || latest.cause === hash);
  const reason = isFor ? shown[0]?.reason : undefined;
  return {
    state: stateOf(isFor ? latest.state : undefined, schedule !== undefined),
    ...(reason === undefined ? {} : { reason }),
    runs: shown,
    ...(next === undefined ? {} : { nextRunAt: next }),
    isCurrent: true,
  };
}

function stateOf(run: RunState | undefined, isScheduled: boolean): JobNow["state"] {
  if (run === "running") return "running";
  if (isScheduled) return "scheduled";
  return run === undefined || run === "stopped" ? "waiting" : run;
}

function runView({ id, cause, state, startedAt, endedAt, reason }: KeptRun, workload: Workload | undefined): JobRun {
  const why = reason ?? (state === "running" ? workload?.reason : undefined);
  return { name: id, cause, state, startedAt, ...(endedAt === undefined ? {} : { endedAt }), ...(why === undefined ? {} : { reason: why }), workloads: [id] };
}
