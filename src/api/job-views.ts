/** Declared jobs and their runs, as clients see them. */
import type { Declared } from "../model/declared.ts";
import type { JobNow, JobRun } from "../model/job-run.ts";
import type { Observed } from "./context.ts";
import type { JobRunView, JobView } from "./contract.ts";

const unknown: JobNow = { state: "waiting", runs: [], isCurrent: false };

/** Every declared job of `namespace` (`*`: of all), sorted by namespace and name. */
export function jobViews(observed: Observed, namespace: string): readonly JobView[] {
  return [...observed.declared.objects.job.values()]
    .filter(({ value }) => namespace === "*" || value.job.namespace === namespace)
    .map((object) => jobView(observed, object))
    .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

/** One declared job. */
export function jobView(observed: Observed, { key, value: { job }, stack, createdAt }: Declared<"job">): JobView {
  const now = observed.jobs?.get(key) ?? unknown;
  const hindrance = observed.hindrances?.get(`job ${key}`);
  const reason = hindrance ?? now.reason;
  return {
    kind: "job",
    namespace: job.namespace,
    name: job.name,
    ...(stack === undefined ? {} : { stack }),
    state: hindrance === undefined ? now.state : "failed",
    ...(job.schedule === undefined ? {} : { schedule: job.schedule }),
    ...(now.nextRunAt === undefined ? {} : { nextRunAt: now.nextRunAt }),
    createdAt,
    ...(reason === undefined ? {} : { reason }),
    runs: now.runs.map(runView),
  };
}

function runView({ workloads: _workloads, ...run }: JobRun): JobRunView {
  return run;
}

/** Whether nothing more is to be waited for: it has done its work, or its schedule is in force. */
export function isJobSettled(observed: Observed, key: string): boolean {
  const now = observed.jobs?.get(key);
  if (now?.isCurrent !== true) return false;
  const isScheduled = observed.declared.objects.job.get(key)?.value.job.schedule !== undefined;
  return isScheduled ? now.state === "scheduled" || now.state === "running" : now.state === "succeeded";
}

/** Whether waiting longer for a job helps nobody. */
export function isJobHopeless(observed: Observed, key: string): boolean {
  const now = observed.jobs?.get(key);
  return observed.hindrances?.has(`job ${key}`) === true || (now?.isCurrent === true && now.state === "failed");
}

/** The workloads of a job's newest run: what it said is what they said. */
export function latestWorkloads(observed: Observed | undefined, key: string): readonly string[] {
  return observed?.jobs?.get(key)?.runs[0]?.workloads ?? [];
}

/** Whether nothing of these jobs runs any more. */
export function areJobsGone(observed: Observed, keys: ReadonlySet<string>): boolean {
  return [...(observed.runs?.values() ?? [])].every(({ namespace, app, phase }) => phase === "exited" || !keys.has(`${namespace}/${app}`));
}
