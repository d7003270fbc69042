/** Jobs in lists: shared by every command that prints them. */
import type { JobRunView, JobView } from "../../api/contract.ts";
import { formatAge } from "../../lib/age.ts";
import { exitCode } from "../exit-code.ts";
import { type Column, emphasis, type Listing, say } from "../output.ts";

const stateStyles = { waiting: "cyan", running: "cyan", succeeded: "green", failed: "red", scheduled: "green" } as const;

/** `migrate`, with its namespace in front where it is not the default one. */
export function jobName({ namespace, name }: Pick<JobView, "namespace" | "name">): string {
  return `${namespace === "default" ? "" : `${namespace}:`}${name}`;
}

/** The same as a reference that names nothing but a job: `job/migrate`. */
export function jobRefText({ namespace, name }: Pick<JobView, "namespace" | "name">): string {
  return `${namespace === "default" ? "" : `${namespace}:`}job/${name}`;
}

function lastRun(run: JobRunView | undefined, now: number): string {
  if (run === undefined) return "-";
  if (run.state === "running") return `running for ${formatAge(now - run.startedAt)}`;
  return `${run.state} ${formatAge(now - (run.endedAt ?? run.startedAt))} ago`;
}

function tookText(run: JobRunView | undefined): string {
  return run?.endedAt === undefined ? "-" : formatAge(run.endedAt - run.startedAt);
}

function columns(now: number): readonly Column<JobView>[] {
  return [
    { title: "JOB", value: jobName },
    { title: "STATE", value: (job) => emphasis(stateStyles[job.state], job.state) },
    { title: "SCHEDULE", value: (job) => job.schedule?.cron ?? "once" },
    { title: "LAST RUN", value: (job) => lastRun(job.runs[0], now) },
    { title: "TOOK", value: (job) => tookText(job.runs[0]) },
    { title: "NEXT RUN", value: (job) => (job.nextRunAt === undefined ? "-" : `in ${formatAge(job.nextRunAt - now)}`) },
    { title: "AGE", value: (job) => formatAge(now - job.createdAt) },
    { title: "TIME ZONE", value: (job) => job.schedule?.timeZone ?? "-", wide: true },
    { title: "STACK", value: (job) => job.stack ?? "-", wide: true },
    { title: "RUN", value: (job) => job.runs[0]?.name ?? "-", wide: true },
  ];
}

/** The listing of jobs in `ps`. */
export function jobListing(items: readonly JobView[], now: number): Listing<JobView> {
  return {
    items,
    columns: columns(now),
    name: jobRefText,
    note: (job) => (job.reason === undefined ? undefined : `why: ${job.reason}`),
    empty: "there are no jobs",
  };
}

/** Exit status of a command that waited for these: says which of them have failed. */
export function judgeJobs(jobs: readonly JobView[], waited: boolean): number {
  const failed = waited ? jobs.filter(({ runs }) => runs[0]?.state !== "succeeded") : [];
  for (const job of failed) say(`${jobName(job)} ${job.runs[0]?.reason ?? `is ${job.state}`}; what it said: weir logs ${jobRefText(job)}`);
  return failed.length === 0 ? exitCode.ok : exitCode.failed;
}

/** One line for a job in progress: `job/migrate  running  why`. */
export function jobLine(job: JobView): string {
  const reason = job.reason === undefined ? "" : `  ${job.reason}`;
  return `${jobRefText(job).padEnd(24)} ${job.state}${reason}`;
}
