/** What a platform says about one running replica, the same for every platform. Times are milliseconds since the epoch. */
import type { AppName, Namespace, VersionKey, VersionName } from "./names.ts";

/**
 * pending: not started yet · starting: runs, not yet ready once · ready · unready: was ready, its check fails now ·
 * backoff: ended by itself or failed its live check, waits to run again · draining: ends soon · exited: ended as asked.
 */
export type WorkloadPhase = "pending" | "starting" | "ready" | "unready" | "backoff" | "draining" | "exited";

export interface WorkloadNetwork {
  readonly address: string;
  readonly captureAddress: string;
  readonly capturePort: number;
  /** As Envoy must name it. */
  readonly networkNamespace: string;
}

export interface Workload {
  /** Unique on the platform. */
  readonly id: string;
  readonly key: VersionKey;
  readonly namespace: Namespace;
  readonly app: AppName;
  readonly version: VersionName;
  /** Hash of what it was made from. */
  readonly hash: string;
  readonly phase: WorkloadPhase;
  readonly since: number;
  readonly startedAt?: number;
  readonly network?: WorkloadNetwork;
  readonly restarts: number;
  /** One line why it is not ready. */
  readonly reason?: string;
  /** Time alone does not mend `reason`: its image does not exist, a config that it needs is not there. */
  readonly cannotStart?: true;
  /** One line how its process ended last: `exited with code 1`. */
  readonly lastExit?: string;
  /** Of a job's run (phase `exited`): how it ended by itself. */
  readonly outcome?: "succeeded" | "failed";
}
