/** What every platform offers that runs workloads. The same suite tests each one. */
import type { Readable } from "../lib/cell.ts";
import type { JobTemplate, Template } from "../model/declared.ts";
import type { Workload } from "../model/workload.ts";

/** One replica that should be there. */
export interface ReplicaOrder {
  readonly id: string;
  readonly index: number;
  readonly template: Template;
  /** `stop`: drain it, then end it; it stays reported as `exited` until it is no longer ordered. */
  readonly state: "run" | "stop";
}

/** One run of a job that should be there until it ends. */
export interface RunOrder {
  readonly id: string;
  readonly hash: string;
  readonly template: JobTemplate;
  /** `hold`: its network is made and reported, nothing is started yet. */
  readonly state: "run" | "stop" | "hold";
}

/** The complete wish; what is absent is drained and ended, too. */
export interface PlatformOrder {
  readonly replicas: readonly ReplicaOrder[];
  /** Absent: none. */
  readonly runs?: readonly RunOrder[];
  /** namespace → name → virtual IP. */
  readonly names: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PlatformState {
  /** False: what follows was true when the platform was last heard of. */
  readonly connected: boolean;
  /** One line why not, when it is not connected. */
  readonly reason?: string;
  readonly workloads: ReadonlyMap<string, Workload>;
  /** Jobs' runs, which are no replicas of anything; absent: none. */
  readonly runs?: ReadonlyMap<string, Workload>;
  /** The newest order that the platform works on; compare with what `apply` answered. */
  readonly generation: number;
}

export interface Provider {
  /** Undefined until the platform was heard of for the first time. */
  readonly state: Readable<PlatformState | undefined>;
  /** Hands over the newest wish; older ones that were not sent yet are skipped. Returns the generation to look for in the state. */
  apply(order: PlatformOrder): number;
  /** Works until `signal` aborts; reconnects for ever. */
  start(signal: AbortSignal): Promise<void>;
}
