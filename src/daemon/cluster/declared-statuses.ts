/** What to say of each declared object in its status: what runs of it, and what of it is true in Envoy. */
import { callersRoutes, meshRoutes } from "../../emit/envoy/route-configuration.ts";
import { memoize, shareMap } from "../../lib/memoize.ts";
import { mapToShares } from "../../model/declared.ts";
import { type AppName, appKey, type Namespace, type ObjectKey, objectKey, type VersionKey, type VersionName, versionKey } from "../../model/names.ts";
import type { Adopted, DestinationRef, Router, Service } from "../../model/types.ts";
import type { World } from "../../model/world.ts";
import type { StatusCondition } from "../../providers/kubernetes/conditions.ts";
import type { AppStatus, JobStatus, ProgrammedStatus, VersionState, VersionStatus } from "../../providers/kubernetes/declared-status.ts";
import type { ClusterView, KubeDeclaration, KubePod, KubeRunner, Objects } from "../../providers/kubernetes/objects.ts";
import { translateDeclarations } from "../../providers/kubernetes/translate-declarations.ts";
import { runnerKind } from "../../providers/kubernetes/translate-runners.ts";
import { declarationKey } from "../../providers/kubernetes/translate-wanted.ts";
import { appLabel, hashLabel, type RunnerKind, versionLabel } from "../../providers/kubernetes/workload-objects.ts";
import { isMoving, weightsAt } from "../../release/rollout.ts";
import type { InForce } from "./in-force.ts";
import { jobStatus } from "./job-statuses.ts";
import type { WorkloadState } from "./workload-controller.ts";

type UntimedCondition = Omit<StatusCondition, "lastTransitionTime">;
/** A status without the times of its conditions, which depend on what was said before. */
type Untimed<S> = Omit<S, "conditions"> & { readonly conditions: readonly [UntimedCondition] };

export type DeclaredStatus = { readonly namespace: string; readonly name: string; readonly uid: string } & (
  | { readonly kind: "service"; readonly status: Untimed<VersionStatus> }
  | { readonly kind: "app"; readonly status: Untimed<AppStatus> }
  | { readonly kind: "job"; readonly status: Untimed<JobStatus> }
  | { readonly kind: "router" | "external"; readonly status: Untimed<ProgrammedStatus> }
);

export interface StatusInput {
  readonly view: ClusterView;
  readonly workloads: WorkloadState;
  readonly inForce: InForce;
  readonly now: number;
  /** What was to be said before, by `declarationKey`. */
  readonly before: ReadonlyMap<string, DeclaredStatus>;
}

/** The statuses of all declared objects, by `declarationKey`. */
export function declaredStatuses(input: StatusInput): ReadonlyMap<string, DeclaredStatus> {
  const { versions, apps, declaredJobs, routers, externals } = input.view;
  return new Map([
    ...[...versions.values()].map((one) => entry(one, { kind: "service", status: versionStatus(one, input) })),
    ...[...apps.values()].map((one) => entry(one, { kind: "app", status: appStatus(one, input) })),
    ...[...declaredJobs.values()].map((one) => entry(one, { kind: "job", status: statusOfJob(one, input) })),
    ...[...routers.values()].map((one) => entry(one, { kind: "router", status: routerStatus(one, input) })),
    ...[...externals.values()].map((one) => entry(one, { kind: "external", status: programmedStatus(one, input, input.inForce.world.externals) })),
  ]);
}

type Said = DeclaredStatus extends infer One ? (One extends DeclaredStatus ? Pick<One, "kind" | "status"> : never) : never;

function entry(declaration: KubeDeclaration, said: Said): readonly [string, DeclaredStatus] {
  const { namespace, name, uid } = declaration;
  return [declarationKey(declaration), { namespace, name, uid, ...said }];
}

interface Judged {
  readonly state: VersionState;
  readonly reason?: string;
}

function versionStatus(version: KubeDeclaration<"service">, input: StatusInput): Untimed<VersionStatus> {
  const { workloads, inForce, before } = input;
  const key = declarationKey(version);
  const hash = workloads.hashes.get(key) ?? "";
  const { generation: observedGeneration, value } = version;
  const refused = workloads.reasons.get(key);
  const last = before.get(key);
  // Nothing was done about this generation yet: what was said of the one before still stands.
  if (last?.kind === "service" && last.uid === version.uid && workloads.generations.get(key) !== observedGeneration) return last.status;
  if (value === undefined) return versionSaid({ observedGeneration, hash, ready: 0, wanted: 0, weight: 0 }, { state: "failing", ...reasonOf(refused) });
  const { namespace, app, version: name, ports, adopted } = value.service;
  const own = versionKey(namespace, app, name);
  const pods = adopted === undefined ? (podsByVersion(input.view.pods).get(own) ?? []) : adoptedPods(input.view.pods, namespace, adopted);
  const there = pods.filter(({ terminating }) => !terminating);
  // How many pods an adopted Deployment has is its own business: all that there are should be ready.
  const runner = runnerOf(value.service, version.name, input.view);
  const wanted = adopted === undefined ? wantedNow(value.service, runner) : there.length;
  const current = adopted === undefined ? there.filter(({ labels }) => labels[hashLabel] === hash) : there;
  const ready = current.filter((pod) => pod.ready);
  const served = ports.length === 0 ? undefined : inForce.world.endpoints.get(own);
  const inEnvoy = new Set(served?.flatMap((endpoint) => (endpoint.ready ? [endpoint.id] : [])));
  const judged = judge({
    wanted,
    ready: ready.length,
    available: served === undefined ? ready.length : ready.filter(({ uid }) => inEnvoy.has(uid)).length,
    oldReady: there.filter((pod) => pod.ready && !current.includes(pod)).length,
    old: there.length - current.length,
    ending: pods.length - there.length,
    current,
    hindrance: refused ?? runner?.failure,
    wasReady: last?.kind === "service" && last.status.hash === hash && last.status.wanted >= wanted && /^(ready|degraded)$/.test(last.status.state),
  });
  const weight = inForce.world.apps.get(appKey(namespace, app))?.weights.get(name) ?? 0;
  const idle = value.service.autoscale === undefined ? undefined : input.view.autoscalers.get(`${namespace}/${version.name}`)?.failure;
  const remark = idle === undefined ? undefined : `its number does not follow its use of the processor: ${idle}`;
  return versionSaid({ observedGeneration, hash, ready: ready.length, wanted, weight }, { state: judged.state, ...reasonOf(judged.reason ?? remark) });
}

/** What makes a version's pods, once it is there. */
function runnerOf(service: Service, name: string, { deployments, statefulSets, daemonSets }: ClusterView): KubeRunner | undefined {
  const all = { Deployment: deployments, StatefulSet: statefulSets, DaemonSet: daemonSets } as const satisfies Record<RunnerKind, Objects<KubeRunner>>;
  return all[runnerKind(service)].get(`${service.namespace}/${name}`);
}

/** How many pods there should be: of some versions others say that, the nodes that there are or an autoscaler. */
function wantedNow({ scale, autoscale, perNode }: Service, runner: KubeRunner | undefined): number {
  if (perNode === true) return runner?.isObserved === true ? runner.wanted : Math.max(1, runner?.wanted ?? 0);
  return autoscale === undefined ? scale : Math.min(autoscale.max, Math.max(scale, runner?.wanted ?? 0));
}

function statusOfJob(job: KubeDeclaration<"job">, { view, workloads, now, before }: StatusInput): Untimed<JobStatus> {
  const key = declarationKey(job);
  const last = before.get(key);
  const refused = workloads.reasons.get(key);
  const { generation: observedGeneration, value } = job;
  if (last?.kind === "job" && last.uid === job.uid && workloads.generations.get(key) !== observedGeneration) return last.status;
  const work = { hash: workloads.hashes.get(key) ?? "", begun: workloads.begun.get(key), refused };
  const status: Omit<JobStatus, "conditions"> =
    value === undefined ? { observedGeneration, hash: "", state: "failed", runs: [], ...reasonOf(refused) } : jobStatus(job, value.job, work, view, now);
  const isFine = status.state === "succeeded" || status.state === "scheduled" || status.state === "running";
  const condition = {
    type: "Ready",
    status: isFine ? "True" : "False",
    reason: camel(status.state),
    message: status.reason ?? "",
    observedGeneration,
  } as const;
  return { ...status, conditions: [condition] };
}

interface Progress {
  readonly wanted: number;
  /** Pods as they should be, ready. */
  readonly ready: number;
  /** Those of them that Envoys know. */
  readonly available: number;
  readonly oldReady: number;
  readonly old: number;
  readonly ending: number;
  readonly current: readonly KubePod[];
  /** Why there can be no pods. */
  readonly hindrance: string | undefined;
  readonly wasReady: boolean;
}

/** As on one machine: `ready` is true in Envoy, `failing` has no hope without somebody who mends it. */
function judge({ wanted, ready, available, oldReady, old, ending, current, hindrance, wasReady }: Progress): Judged {
  if (hindrance !== undefined) return { state: ready + oldReady > 0 ? "degraded" : "failing", reason: hindrance };
  if (wanted === 0) return { state: current.length + old + ending > 0 ? "draining" : "stopped" };
  const failing = current.find(({ trouble }) => trouble?.kind === "failing")?.trouble;
  if (failing !== undefined && ready === 0) {
    const others = oldReady > 0 ? `; ${oldReady} of before still ${oldReady === 1 ? "serves" : "serve"}` : "";
    return { state: "failing", reason: `${failing.reason}${others}` };
  }
  if (available >= wanted && old === 0 && current.length <= wanted) return { state: "ready" };
  if (ready >= wanted) return { state: "starting", reason: old > 0 || current.length > wanted ? "replaces pods of before" : "waits for Envoy" };
  const troubled = failing ?? current.find(({ trouble }) => trouble !== undefined)?.trouble;
  return { state: wasReady && ready + oldReady > 0 ? "degraded" : "starting", ...reasonOf(troubled?.reason) };
}

function versionSaid(counts: Omit<Untimed<VersionStatus>, "state" | "reason" | "conditions">, { state, reason }: Judged): Untimed<VersionStatus> {
  const isReady = state === "ready" || state === "stopped";
  return {
    ...counts,
    state,
    ...reasonOf(reason),
    conditions: [
      {
        type: "Ready",
        status: isReady ? "True" : "False",
        reason: camel(state),
        message: reason ?? "",
        observedGeneration: counts.observedGeneration,
      },
    ],
  };
}

function camel(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
}

function reasonOf(reason: string | undefined): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

/** Pods that have not ended, by the version that they say they are of. */
const podsByVersion = memoize((pods: Objects<KubePod>): ReadonlyMap<VersionKey, readonly KubePod[]> => {
  const running = [...pods.values()].filter(({ phase, labels }) => phase !== "Succeeded" && phase !== "Failed" && labels[versionLabel] !== undefined);
  return Map.groupBy(running, ({ namespace, labels }) =>
    versionKey(namespace as Namespace, (labels[appLabel] ?? "") as AppName, (labels[versionLabel] ?? "") as VersionName),
  );
});

function adoptedPods(pods: Objects<KubePod>, namespace: Namespace, { selector }: Adopted): readonly KubePod[] {
  const wanted = Object.entries(selector);
  const isOne = ({ labels, phase }: KubePod): boolean => phase !== "Succeeded" && phase !== "Failed" && wanted.every(([key, value]) => labels[key] === value);
  return [...pods.values()].filter((pod) => pod.namespace === namespace && isOne(pod));
}

function appStatus(app: KubeDeclaration<"app">, { inForce, now, view, workloads }: StatusInput): Untimed<AppStatus> {
  const { generation: observedGeneration, value } = app;
  const key = appKey(app.namespace as Namespace, app.name as AppName);
  const declared = translateDeclarations(view).declaredApps.get(key);
  const there = inForce.declaredApps.get(key);
  const inWorld = there === undefined ? undefined : inForce.world.apps.get(key);
  const refused = workloads.reasons.get(declarationKey(app)) ?? refusal(inForce, app.namespace, app.name);
  const reason = refused ?? (declared === undefined && !hasVersions(app, view) ? "it has no versions" : undefined);
  const hasArrived = there !== undefined && there === declared && inWorld !== undefined && sameShares(weightsAt(there.app, now), inWorld.weights);
  const programmed = refused === undefined && hasArrived && value !== undefined && !isMoving(value, now);
  const weights = inWorld === undefined ? {} : mapToShares(inWorld.weights);
  return { observedGeneration, weights, programmed, ...reasonOf(reason), conditions: [programmedCondition(observedGeneration, programmed, reason)] };
}

function hasVersions({ namespace, name }: KubeDeclaration<"app">, { versions }: ClusterView): boolean {
  return [...versions.values()].some((one) => one.namespace === namespace && one.value?.service.app === name);
}

function sameShares(a: ReadonlyMap<VersionName, number>, b: ReadonlyMap<VersionName, number>): boolean {
  return shareMap(a, b) === a;
}

function refusal({ refusals }: InForce, namespace: string, name: string): string | undefined {
  const routes = [meshRoutes, callersRoutes(namespace as Namespace)];
  const found = refusals.find(({ resource }) => routes.includes(resource) || resource.startsWith(`${name}@`) || resource.startsWith(`${name}.${namespace}:`));
  return found === undefined ? undefined : `the Envoy of node ${found.node} refused ${found.resource}; what it had before stays in force`;
}

function routerStatus(router: KubeDeclaration<"router">, input: StatusInput): Untimed<ProgrammedStatus> {
  const { world } = input.inForce;
  const missing = router.value === undefined ? undefined : missingDestination(router.value, world);
  return programmedStatus(router, input, world.routers, missing);
}

function missingDestination({ rules }: Router, world: World): string | undefined {
  for (const [at, { action }] of rules.entries()) {
    const destinations = action.kind === "forward" ? action.destinations : [];
    const lost = destinations.find(({ to }) => !isInWorld(to, world));
    if (lost !== undefined)
      return `rule ${at + 1} leads to the ${lost.to.kind} ${lost.to.name}${lost.to.version === undefined ? "" : `@${lost.to.version}`}, which is not there`;
  }
  return undefined;
}

function isInWorld({ kind, namespace, name, version }: DestinationRef, world: World): boolean {
  if (kind === "external") return world.externals.has(objectKey(namespace, name));
  const app = world.apps.get(appKey(namespace, name as AppName));
  return app !== undefined && (version === undefined || app.versions.has(version));
}

/** Of a router or external service: it is in force when Envoys have what is declared, under an address. */
function programmedStatus<K extends "router" | "external">(
  declaration: KubeDeclaration<K>,
  { workloads, inForce }: StatusInput,
  inWorld: ReadonlyMap<ObjectKey, unknown>,
  note?: string,
): Untimed<ProgrammedStatus> {
  const { kind, generation: observedGeneration, namespace, name } = declaration;
  const key = objectKey(namespace as Namespace, name);
  const objects: Objects<KubeDeclaration> = kind === "router" ? inForce.view.routers : inForce.view.externals;
  const refused =
    workloads.reasons.get(declarationKey(declaration)) ?? refusal(inForce, namespace, declaration.kind === "external" ? `external/${name}` : name);
  const isThere = objects.get(key) === declaration && inWorld.has(key) && inForce.world.addresses.has(key);
  const programmed = isThere && refused === undefined;
  const reason = refused ?? note;
  return { observedGeneration, programmed, ...reasonOf(reason), conditions: [programmedCondition(observedGeneration, programmed, reason)] };
}

function programmedCondition(observedGeneration: number, programmed: boolean, reason: string | undefined): UntimedCondition {
  const word = programmed ? "Programmed" : reason === undefined ? "Pending" : "Failed";
  return { type: "Programmed", status: programmed ? "True" : "False", reason: word, message: reason ?? "", observedGeneration };
}
