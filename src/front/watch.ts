/** Keeps what is observed of a cluster current. */
import type { Observed } from "../api/context.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Reflected } from "../providers/kubernetes/reflector.ts";
import { type RunningPod, runningPods } from "../providers/kubernetes/translate-running.ts";
import type { StoreView } from "../store/kubernetes/kubernetes-store.ts";
import { Freshness, staleMs } from "./freshness.ts";
import { observe } from "./observe.ts";

/** What is told of a cluster, each by itself. */
export interface Sources {
  readonly store: Readable<StoreView>;
  /** One for each namespace, or one for all. */
  readonly pods: readonly Readable<Reflected<RunningPod | undefined>>[];
}

export interface ClusterWatch {
  readonly observed: Readable<Observed>;
  /** The pod of a workload's id, as it is now. */
  pod(id: string): RunningPod | undefined;
}

/** Observes until `signal` aborts. */
export function watchCluster(sources: Sources, clock: Clock, signal: AbortSignal): ClusterWatch {
  let pods = podsNow(sources);
  const are = (jobs: boolean): ReadonlyMap<string, RunningPod> => new Map([...pods].filter(([, { run }]) => (run !== undefined) === jobs));
  const freshness = new Freshness();
  let isPausing = false;
  const look = (): Observed => {
    pods = podsNow(sources);
    const now = clock.now();
    const { declared, statuses, silentBecause } = sources.store.get();
    const reason = silentBecause ?? sources.pods.map((cell) => cell.get()).find(({ connected }) => !connected)?.reason;
    const stale = freshness.stale(declared, statuses, now);
    if (stale.size > 0) void lookLater();
    return observe({ declared, statuses, pods: are(false), runs: are(true), stale, ...(reason === undefined ? {} : { silentBecause: reason }) }, now);
  };
  // What is stale does not stay so, even when nothing happens any more.
  const lookLater = async (): Promise<void> => {
    if (isPausing) return;
    isPausing = true;
    await clock.sleep(staleMs, signal);
    isPausing = false;
    if (!signal.aborted) observed.set(look());
  };
  const observed = new Cell<Observed>(look());
  const again = async (cell: Readable<unknown>): Promise<void> => {
    for await (const _ of cell.watch(signal)) observed.set(look());
  };
  for (const cell of [sources.store, ...sources.pods]) void again(cell);
  return { observed, pod: (id) => pods.get(id) };
}

function podsNow({ pods }: Sources): ReadonlyMap<string, RunningPod> {
  return runningPods(pods.flatMap((cell) => [...cell.get().objects.values()]));
}
