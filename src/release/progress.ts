/** How far versions are from what is wanted of them, and when to give up. */
import type { VersionKey } from "../model/names.ts";
import type { Workload } from "../model/workload.ts";
import type { EnvoyKnowledge, Replica, WantedVersion } from "./replace.ts";

/** The platform and what it should do, at one moment. */
export interface ReplicaState {
  readonly wanted: ReadonlyMap<VersionKey, WantedVersion>;
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly envoy: EnvoyKnowledge;
}

export interface VersionProgress {
  readonly wanted: number;
  /** Replicas as they should be, ready. */
  readonly ready: number;
  /** Replicas as they should be, ready, and Envoy has acknowledged them. */
  readonly available: number;
  /** Replicas of another hash or too many, ready and serving. */
  readonly oldReady: number;
  /** Other replicas that may still get requests. */
  readonly oldServing: number;
  /** Those that the platform is ending. */
  readonly ending: number;
  /** All that is wanted is available, and nothing else may get requests. */
  readonly settled: boolean;
  /** Replicas as they should be, in the order of ids. */
  readonly current: readonly Workload[];
}

/** Looks at one version, declared or not. */
export function progressOf(state: ReplicaState, key: VersionKey): VersionProgress {
  const wanted = state.wanted.get(key);
  const replicas = [...state.replicas.values()].filter((replica) => replica.key === key).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const isCurrent = (replica: Replica): boolean => replica.stage === "running" && replica.hash === wanted?.hash;
  const ready = (replica: Replica): boolean => state.workloads.get(replica.id)?.phase === "ready";
  const currentReplicas = replicas.filter(isCurrent);
  const others = replicas.filter((replica) => !isCurrent(replica));
  const scale = wanted?.scale ?? 0;
  const available = currentReplicas.filter((replica) => ready(replica) && state.envoy.has.has(replica.id)).length;
  const oldServing = others.filter((replica) => replica.stage !== "stopping" || state.envoy.mayHave.has(replica.id)).length;
  return {
    wanted: scale,
    ready: currentReplicas.filter(ready).length,
    available,
    oldReady: others.filter((replica) => replica.stage === "running" && ready(replica)).length,
    oldServing,
    ending: others.filter((replica) => replica.stage !== "running").length,
    settled: available === scale && currentReplicas.length === scale && oldServing === 0,
    current: currentReplicas.map((replica) => state.workloads.get(replica.id)).filter((workload) => workload !== undefined),
  };
}

/** Ended by itself so often that waiting longer helps nobody. */
export const crashLoopExits = 3;

/** The replica that shows best why a version does not come up; undefined while there is hope. A replica that was ready before may come back. */
export function crashLooping(workloads: readonly Workload[]): Workload | undefined {
  return workloads.find((workload) => workload.cannotStart === true || (workload.phase === "backoff" && workload.restarts + 1 >= crashLoopExits));
}

/** One line why a replica is not ready: `exited with code 1, 3 times`. Undefined when it is. */
export function whyNotReady(workload: Workload): string | undefined {
  if (workload.phase === "ready") return undefined;
  const reason = workload.reason ?? workload.lastExit;
  if (workload.phase === "backoff" && reason !== undefined) return workload.restarts === 0 ? reason : `${reason}, ${workload.restarts + 1} times`;
  return reason;
}
