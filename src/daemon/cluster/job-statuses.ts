/** What to say of a declared job in its status: which runs there are, and what became of them. */
import { formatDuration } from "../../lib/duration.ts";
import { memoize } from "../../lib/memoize.ts";
import type { JobState } from "../../model/job-run.ts";
import { nextTime } from "../../model/schedule.ts";
import type { Job } from "../../model/types.ts";
import type { JobRunStatus, JobStatus } from "../../providers/kubernetes/declared-status.ts";
import type { ClusterView, KubeDeclaration, KubeJob, KubePod, Objects } from "../../providers/kubernetes/objects.ts";
import { runLabel } from "../../providers/kubernetes/translate-jobs.ts";
import { jobLabel } from "../../providers/kubernetes/workload-objects.ts";

/** What the controller did about the job. */
export interface JobWork {
  readonly hash: string;
  readonly begun: string | undefined;
  /** Why it cannot be as declared. */
  readonly refused: string | undefined;
}

type JobStatusText = Omit<JobStatus, "conditions">;

/** So many runs are told, at most. */
const mostRuns = 20;

/** The status of a job that is understood; `now` in milliseconds since the epoch. */
export function jobStatus(declaration: KubeDeclaration<"job">, job: Job, work: JobWork, view: Pick<ClusterView, "jobs" | "pods">, now: number): JobStatusText {
  const { namespace, name, generation } = declaration;
  const own = (jobsByOwner(view.jobs).get(`${namespace}/${name}`) ?? []).toSorted((a, b) => b.startedAt - a.startedAt || (a.name < b.name ? 1 : -1));
  const pods = podsByRun(view.pods);
  const runs = own.slice(0, mostRuns).map((run) => runStatus(run, job, pods.get(`${namespace}/${run.name}`) ?? []));
  const { schedule } = job;
  const next = schedule === undefined ? undefined : nextTime(schedule, now);
  const [state, why] = judge(declaration, job, work, own, runs);
  return {
    observedGeneration: generation,
    hash: work.hash,
    state,
    runs,
    ...(work.begun === undefined ? {} : { begun: work.begun }),
    ...(why === undefined ? {} : { reason: why }),
    ...(next === undefined ? {} : { nextRunAt: next }),
  };
}

function judge(
  { said }: KubeDeclaration<"job">,
  { schedule }: Job,
  { hash, begun, refused }: JobWork,
  own: readonly KubeJob[],
  runs: readonly JobRunStatus[],
): readonly [JobState, string | undefined] {
  if (refused !== undefined) return ["failed", refused];
  if (schedule !== undefined) {
    const going = runs.find(({ state }) => state === "running");
    return going === undefined ? ["scheduled", runs[0]?.reason] : ["running", going.reason];
  }
  const at = own.findIndex(({ cause, terminating }) => cause === hash && !terminating);
  const current = runs[at];
  // Somebody took it away after it ended: it is what was said of it.
  if (current === undefined) return [begun === hash && (said?.state === "succeeded" || said?.state === "failed") ? said.state : "waiting", undefined];
  if (begun !== hash && current.state === "failed") return ["waiting", undefined];
  switch (current.state) {
    case "succeeded":
    case "failed":
      return [current.state, current.reason];
    case "running":
    case "stopped":
      return [current.hopeless === true ? "failed" : "running", current.reason];
    default:
      return current.state satisfies never;
  }
}

function runStatus(run: KubeJob, job: Job, pods: readonly KubePod[]): JobRunStatus {
  const troubled = pods.toReversed().find(({ trouble }) => trouble !== undefined)?.trouble;
  const reason = run.state === "failed" ? failureOf(run, job, troubled?.reason) : run.state === "running" ? troubled?.reason : undefined;
  return {
    name: run.name,
    cause: run.cause,
    state: run.state,
    startedAt: run.startedAt,
    ...(run.endedAt === undefined ? {} : { endedAt: run.endedAt }),
    ...(reason === undefined ? {} : { reason }),
    // Each try is a pod of its own: one that ended badly is followed by another, but what cannot even start stays so.
    ...(run.state === "running" && pods.some(({ phase, trouble }) => phase === "Pending" && trouble?.kind === "failing") ? { hopeless: true as const } : {}),
  };
}

function failureOf({ failure, failures }: KubeJob, { timeoutMs }: Job, last: string | undefined): string {
  if (failure?.reason === "DeadlineExceeded") return `took longer than ${formatDuration(timeoutMs ?? 0)}${last === undefined ? "" : `; it ${last}`}`;
  const why = last ?? failure?.message ?? "it failed";
  return failures > 1 ? `${why}, ${failures} times` : why;
}

const jobsByOwner = memoize((jobs: Objects<KubeJob>): ReadonlyMap<string, readonly KubeJob[]> => {
  return Map.groupBy(jobs.values(), ({ namespace, labels }) => `${namespace}/${labels[jobLabel] ?? ""}`);
});

const podsByRun = memoize((pods: Objects<KubePod>): ReadonlyMap<string, readonly KubePod[]> => {
  const own = [...pods.values()].filter(({ labels }) => labels[jobLabel] !== undefined && labels[runLabel] !== undefined);
  return Map.groupBy(own, ({ namespace, labels }) => `${namespace}/${labels[runLabel] ?? ""}`);
});
