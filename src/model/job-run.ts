/** What a platform says of jobs and their runs, the same for every platform. Times are milliseconds since the epoch. */
import type { RunState } from "./declared.ts";

/**
 * waiting: has not run yet for what it is now · running · succeeded, failed: its run for what it is now has ended so · scheduled: waits for its next time,
 * whatever became of its runs.
 */
export const jobStates = ["waiting", "running", "succeeded", "failed", "scheduled"] as const;
export type JobState = (typeof jobStates)[number];

/** One run, as everybody may see it. */
export interface JobRunFacts {
  readonly name: string;
  /** What it runs for: the hash of what it is made from, `restart N`, or `at TIME`. */
  readonly cause: string;
  readonly state: RunState;
  readonly startedAt: number;
  readonly endedAt?: number;
  /** One line why it failed, or is about to. */
  readonly reason?: string;
}

/** One run, with who did it. */
export interface JobRun extends JobRunFacts {
  /** Those that did it, oldest first: what they said can be read by these ids. */
  readonly workloads: readonly string[];
}

/** A job at one moment. */
export interface JobNow {
  readonly state: JobState;
  readonly reason?: string;
  /** Newest first. */
  readonly runs: readonly JobRun[];
  readonly nextRunAt?: number;
  /** What is said here is about the job as it is declared now. */
  readonly isCurrent: boolean;
}
