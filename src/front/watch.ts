/** Keeps what is observed of a cluster current. */
import type { Observed } from "../api/context.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { DeclaredSnapshot } from "../model/declared.ts";
import type { Reflected } from "../providers/kubernetes/reflector.ts";
import { type RunningPod, runningPods } from "../providers/kubernetes/translate-running.ts";
import { observe, type SeenStatuses } from "./observe.ts";

/** What is told of a cluster, each by itself. */
export interface Sources {
  readonly declared: Readable<DeclaredSnapshot>;
  readonly statuses: Readable<SeenStatuses>;
  /** One for each namespace, or one for all. */
  readonly pods: readonly Readable<Reflected<RunningPod | undefined>>[];
  /** Why `declared` may be old; undefined: it is not. */
  readonly silentBecause: Readable<string | undefined>;
}

export interface ClusterWatch {
  readonly observed: Readable<Observed>;
  /** The pod of a workload's id, as it is now. */
  pod(id: string): RunningPod | undefined;
}

/** Observes until `signal` aborts. */
export function watchCluster(sources: Sources, clock: Clock, signal: AbortSignal): ClusterWatch {
  let pods = podsNow(sources);
  const look = (): Observed => {
    pods = podsNow(sources);
    const silentBecause = sources.silentBecause.get() ?? sources.pods.map((cell) => cell.get()).find(({ connected }) => !connected)?.reason;
    const seen = { declared: sources.declared.get(), statuses: sources.statuses.get(), pods, ...(silentBecause === undefined ? {} : { silentBecause }) };
    return observe(seen, clock.now());
  };
  const observed = new Cell<Observed>(look());
  const again = async (cell: Readable<unknown>): Promise<void> => {
    for await (const _ of cell.watch(signal)) observed.set(look());
  };
  for (const cell of [sources.declared, sources.statuses, sources.silentBecause, ...sources.pods]) void again(cell);
  return { observed, pod: (id) => pods.get(id) };
}

function podsNow({ pods }: Sources): ReadonlyMap<string, RunningPod> {
  return runningPods(pods.flatMap((cell) => [...cell.get().objects.values()]));
}
