/** What a cluster says of declared things → what the API shows of them. Pure: called again whenever something changed. */
import type { Observed } from "../api/context.ts";
import type { Declared, DeclaredSnapshot } from "../model/declared.ts";
import type { JobNow } from "../model/job-run.ts";
import { type AppKey, type AppName, appKey, type Namespace, type VersionKey, type VersionName } from "../model/names.ts";
import { nextTime } from "../model/schedule.ts";
import type { Service } from "../model/types.ts";
import type { App, Endpoint } from "../model/world.ts";
import type { VersionStatus } from "../providers/kubernetes/declared-status.ts";
import type { RunningPod } from "../providers/kubernetes/translate-running.ts";
import type { ReplicaState } from "../release/progress.ts";
import type { Replica, WantedVersion } from "../release/replace.ts";
import { isMoving } from "../release/rollout.ts";
import type { SeenStatuses } from "../store/kubernetes/assemble.ts";

/** A cluster at one moment, as far as it concerns Weir. */
export interface Seen {
  readonly declared: DeclaredSnapshot;
  readonly statuses: SeenStatuses;
  /** By id. */
  readonly pods: ReadonlyMap<string, RunningPod>;
  /** Those of jobs; absent: none. */
  readonly runs?: ReadonlyMap<string, RunningPod>;
  /** Keys of versions and jobs whose status is about contents of before. */
  readonly stale: ReadonlySet<string>;
  /** Why what is known may be old; undefined: it is not. */
  readonly silentBecause?: string;
}

/** Nobody knows yet what its pods are made from. */
const unknownHash = "?";

/** The moment as the API wants it; milliseconds since the epoch. */
export function observe(seen: Seen, now: number): Observed {
  const { declared, silentBecause } = seen;
  return {
    declared,
    world: { ...emptyWorld, revision: 1, apps: appsInForce(seen), endpoints: endpointsOf(seen) },
    replicas: replicaState(seen),
    jobs: jobsOf(seen, now),
    runs: seen.runs ?? new Map(),
    ackedRevision: 1,
    late: lateObjects(seen, now),
    hindrances: hindrancesOf(seen),
    remarks: remarksOf(seen),
    refusals: [],
    platform: {
      teller: "the cluster's API server",
      connected: silentBecause === undefined,
      upToDate: silentBecause === undefined,
      ...(silentBecause === undefined ? {} : { reason: silentBecause }),
    },
  };
}

const emptyWorld = { routers: new Map(), serviceRoutes: new Map(), externals: new Map(), captures: [], addresses: new Map() } as const;

/** Apps with the weights that the control plane says are in force. */
function appsInForce({ declared, statuses }: Seen): ReadonlyMap<AppKey, App> {
  const versions = new Map<AppKey, Map<VersionName, Service>>();
  for (const { value } of declared.objects.service.values()) {
    const { namespace, app, version } = value.service;
    const key = appKey(namespace, app);
    versions.set(key, (versions.get(key) ?? new Map<VersionName, Service>()).set(version, value.service));
  }
  return new Map(
    [...versions].map(([key, services]) => {
      const [namespace = "", name = ""] = key.split("/");
      const weights = new Map(Object.entries(statuses.app.get(key)?.weights ?? {}) as [VersionName, number][]);
      return [key, { namespace: namespace as Namespace, name: name as AppName, versions: services, weights }];
    }),
  );
}

function endpointsOf({ pods }: Seen): ReadonlyMap<VersionKey, readonly Endpoint[]> {
  const ready = [...pods.values()].filter(({ phase, network }) => phase === "ready" && network !== undefined);
  const endpoint = ({ id, network, node }: RunningPod): Endpoint => ({ id, address: network?.address ?? "", ready: true, node });
  return new Map([...Map.groupBy(ready, ({ key }) => key)].map(([key, ones]) => [key, ones.map(endpoint)]));
}

function replicaState(seen: Seen): ReplicaState {
  const { declared, pods } = seen;
  const ready = new Set([...pods.values()].filter(({ phase }) => phase === "ready").map(({ id }) => id));
  const running = new Set([...pods.values()].filter(({ ending }) => !ending).map(({ id }) => id));
  return {
    wanted: new Map([...declared.objects.service.values()].map((object) => [object.key as VersionKey, wantedOf(object, currentStatus(seen, object))])),
    replicas: new Map([...pods].map(([id, pod]) => [id, replicaOf(pod)])),
    workloads: pods,
    // A pod that is deleted leaves the endpoints at that moment, and answers until every node's proxy has heard of it.
    envoy: { has: ready, mayHave: running, mayCapture: running },
  };
}

/** Jobs as the control plane says that they are, with the pods of their runs. */
function jobsOf({ declared, statuses, runs, stale }: Seen, now: number): ReadonlyMap<string, JobNow> {
  const pods = Map.groupBy(
    [...(runs?.values() ?? [])].toSorted((a, b) => a.since - b.since),
    ({ namespace, run }) => `${namespace}/${run ?? ""}`,
  );
  return new Map(
    [...declared.objects.job.values()].map(({ key, generation, value: { job } }): [string, JobNow] => {
      const status = statuses.job.get(key);
      const next = job.schedule === undefined ? undefined : nextTime(job.schedule, now);
      const all = status?.runs ?? [];
      return [
        key,
        {
          state: status?.state ?? "waiting",
          ...(status?.reason === undefined ? {} : { reason: status.reason }),
          runs: all.map((run) => ({ ...run, workloads: (pods.get(`${job.namespace}/${run.name}`) ?? []).map(({ id }) => id) })),
          ...(next === undefined ? {} : { nextRunAt: next }),
          isCurrent: status !== undefined && status.observedGeneration >= generation && !stale.has(key),
        },
      ];
    }),
  );
}

function replicaOf({ id, key, hash, phase, since }: RunningPod): Replica {
  return { id, key, hash, index: 0, stage: phase === "draining" || phase === "exited" ? "stopping" : "running", since };
}

function wantedOf({ key, value: { service } }: Declared<"service">, status: VersionStatus | undefined): WantedVersion {
  const { app, version, adopted, autoscale, perNode } = service;
  const isOthers = adopted !== undefined || autoscale !== undefined || perNode === true;
  const scale = isOthers ? (status?.wanted ?? service.scale) : service.scale;
  return { key: key as VersionKey, app, version, scale, hash: status?.hash ?? unknownHash };
}

/** What is said of the version as it is declared now; undefined while only one of before was judged. */
function currentStatus({ statuses, stale }: Seen, { key, generation }: Declared<"service">): VersionStatus | undefined {
  const status = statuses.service.get(key);
  return status !== undefined && status.observedGeneration >= generation && !stale.has(key) ? status : undefined;
}

/** Why things cannot become as declared, in the control plane's words. */
function hindrancesOf(seen: Seen): ReadonlyMap<string, string> {
  const { declared, statuses } = seen;
  const found = new Map<string, string>();
  for (const object of declared.objects.service.values()) {
    const status = currentStatus(seen, object);
    if (status?.state === "failing" && status.reason !== undefined) found.set(`service ${object.key}`, status.reason);
  }
  for (const kind of ["app", "router", "external"] as const) {
    for (const { key, generation } of declared.objects[kind].values()) {
      const status = statuses[kind].get(key);
      if (status?.programmed === false && status.reason !== undefined && status.observedGeneration >= generation) found.set(`${kind} ${key}`, status.reason);
    }
  }
  return found;
}

/** What the control plane says of versions that are as they should be. */
function remarksOf(seen: Seen): ReadonlyMap<string, string> {
  return new Map(
    [...seen.declared.objects.service.values()].flatMap((object) => {
      const status = currentStatus(seen, object);
      return status?.state === "ready" && status.reason !== undefined ? [[object.key, status.reason] as const] : [];
    }),
  );
}

/** `KIND KEY` of what Envoy does not have as declared. An app whose weights move is where it should be. */
function lateObjects(seen: Seen, now: number): ReadonlySet<string> {
  const { declared, statuses, pods } = seen;
  const late = new Set<string>();
  for (const { key, generation, value } of declared.objects.app.values()) {
    const status = statuses.app.get(key);
    // Nobody declared it: there is no object that could have a status.
    if (generation === 0) continue;
    if (status === undefined || status.observedGeneration < generation || !(status.programmed || isMoving(value, now))) late.add(`app ${key}`);
  }
  for (const kind of ["router", "external"] as const) {
    for (const { key, generation } of declared.objects[kind].values()) {
      const status = statuses[kind].get(key);
      if (status?.programmed !== true || status.observedGeneration < generation) late.add(`${kind} ${key}`);
    }
  }
  // Of a version that is no longer declared nothing but its pods can say that it still answers.
  for (const { key, ending } of pods.values()) if (!ending && !declared.objects.service.has(key)) late.add(`service ${key}`);
  return late;
}
