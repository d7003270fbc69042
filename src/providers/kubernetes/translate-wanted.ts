/** Everything declared on a cluster, and its Gateways → all objects that Weir should have there, and why some of it cannot be. */
import { memoizeLast } from "../../lib/memoize.ts";
import { stackLabel } from "../../model/declared-kinds.ts";
import { type AppName, type Namespace, objectKey } from "../../model/names.ts";
import type { Job, Service } from "../../model/types.ts";
import type { ClusterView, DeclarationKind, KubeDeclaration, KubeRunner, KubeWritten } from "./objects.ts";
import { keepsService, versionsByApp, whyNotCalled } from "./translate-declarations.ts";
import { type JobObjects, jobObjects, whyNoJobHere } from "./translate-jobs.ts";
import { contentNames, contentsOf, type PodSource, podTemplate, podText } from "./translate-pod-template.ts";
import { type Belongs, runnerObjects } from "./translate-runners.ts";
import { appObjects, externalService, routerService, versionService, whyNotHere } from "./translate-workloads.ts";
import { adoptedHash, isRunnerKind, type Owner, runnerKinds, type WrittenKind, type WrittenObject, writtenKey } from "./workload-objects.ts";

/** One object that should be there. */
export interface WantedObject {
  readonly object: WrittenObject;
  /** Who wants it, as in `Claim`. */
  readonly by: readonly string[];
}

/** What somebody wants to have on the cluster. */
export interface Claim {
  /** Keys of those who want it: `Version shop/web-v1`. */
  readonly by: readonly string[];
  /** When they came, in milliseconds since the epoch: of two claims of one name the older counts. */
  readonly since: number;
  readonly objects: readonly WrittenObject[];
}

export interface GatewayClaims {
  readonly claims: readonly Claim[];
  /** Objects that belong to nobody, by `writtenKey`: when nothing wants them, they go. */
  readonly ownerless: ReadonlySet<string>;
}

export interface Wanted {
  /** By `writtenKey`. */
  readonly objects: ReadonlyMap<string, WantedObject>;
  /** Declaration → one line why it cannot be as declared. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Version or job → hash of what its pods are made from. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Uids of declarations that are understood: what they no longer want may go. What others own is not ours to judge. */
  readonly judges: ReadonlySet<string>;
  /** As in `GatewayClaims`. */
  readonly ownerless: ReadonlySet<string>;
  /** Objects that stay although nothing wants them, by `writtenKey`. */
  readonly kept: ReadonlySet<string>;
  /** Job → the newest cause that it was run for. */
  readonly begun: ReadonlyMap<string, string>;
}

type Input = Pick<ClusterView, "apps" | "versions" | "declaredJobs" | "jobs" | "routers" | "externals" | "configs" | "secrets" | "services">;

/** How a hash is made of a text. */
export type Hash = (text: string) => string;

const ownerKinds = { app: "App", service: "Version", job: "Job", router: "Router", external: "ExternalService" } as const satisfies Record<
  DeclarationKind,
  Owner["kind"]
>;

/** By what declarations are called in messages and maps: `Version shop/web-v1`. */
export function declarationKey({ kind, namespace, name }: Pick<KubeDeclaration, "kind" | "namespace" | "name">): string {
  return `${ownerKinds[kind]} ${namespace}/${name}`;
}

interface WantedOptions {
  /** What jobs were run for, as far as their statuses do not say it yet. */
  readonly begun?: ReadonlyMap<string, string>;
  readonly gateways?: GatewayClaims;
}

export const noGatewayClaims: GatewayClaims = { claims: [], ownerless: new Set() };

/** All that should be there. Of two that want one name the older has it. */
export function wantedObjects(view: Input, hash: Hash, { begun = new Map(), gateways = noGatewayClaims }: WantedOptions = {}): Wanted {
  const all: readonly KubeDeclaration[] = [view.apps, view.versions, view.declaredJobs, view.routers, view.externals].flatMap((objects) => [
    ...objects.values(),
  ]);
  const there = all.filter(({ terminating, value }) => !terminating && value !== undefined);
  const reasons = new Map<string, string>();
  for (const declaration of all) {
    const reason = declaration.problems[0]?.message ?? whyNot(declaration);
    if (reason !== undefined) reasons.set(declarationKey(declaration), reason);
  }
  const hashes = new Map<string, string>();
  const jobs = jobClaims(view, hash, begun);
  for (const { by, made } of jobs) hashes.set(by[0], made.hash);
  const claims = [...appClaims(view), ...versionClaims(view, hash, hashes), ...jobs, ...addressClaims(view), ...gateways.claims];
  const objects = new Map<string, WantedObject>();
  for (const { by, objects: wanted } of claims.toSorted((a, b) => a.since - b.since || (a.by.join() < b.by.join() ? -1 : 1))) {
    for (const object of wanted) {
      const key = writtenKey(object);
      const taken = objects.get(key);
      if (taken === undefined) objects.set(key, { object, by });
      else for (const name of by) reasons.set(name, `it needs the name ${object.metadata.name}, which is that of ${taken.by[0] ?? "another"}`);
    }
  }
  return {
    objects,
    reasons,
    hashes,
    judges: new Set(there.map(({ uid }) => uid)),
    ownerless: gateways.ownerless,
    kept: new Set(jobs.flatMap(({ made }) => made.kept)),
    begun: new Map(jobs.flatMap(({ by, made }) => (made.begun === undefined ? [] : [[by[0], made.begun] as const]))),
  };
}

/**
 * Objects of ours that nothing understood wants any longer, but for those whose pods are still needed. What belongs to nobody of now, the cluster takes away itself.
 */
export function unwanted(held: HeldObjects, { objects, judges, ownerless, kept }: Wanted): readonly KubeWritten[] {
  const isJudged = (key: string, { owners }: KubeWritten): boolean => (owners.length === 0 ? ownerless.has(key) : owners.some((uid) => judges.has(uid)));
  const mayGo = (key: string, object: KubeWritten): boolean =>
    !objects.has(key) && !kept.has(key) && !object.terminating && isJudged(key, object) && !isStillNeeded(object, objects, held);
  return [...held].flatMap(([key, object]) => (mayGo(key, object) ? [object] : []));
}

/** A version whose pods are now made by another kind of object keeps those of before until the new ones are ready. */
function isStillNeeded(old: KubeWritten, objects: Wanted["objects"], held: HeldObjects): boolean {
  if (!isRunnerKind(old.kind)) return false;
  const keyOf = (kind: WrittenKind): string => writtenKey({ kind, metadata: old });
  const successor = runnerKinds.map(keyOf).find((key) => objects.has(key));
  if (successor === undefined) return false;
  const now = held.get(successor);
  if (now === undefined || !("updated" in now) || !now.isObserved) return true;
  const autoscaler = objects.get(keyOf("HorizontalPodAutoscaler"))?.object["spec"] as { readonly minReplicas?: number } | undefined;
  return Math.min(now.ready, now.updated) < Math.max(now.wanted, autoscaler?.minReplicas ?? 0);
}

/** All objects that Weir wrote, by `writtenKey`. */
export type HeldObjects = ReadonlyMap<string, KubeWritten | KubeRunner>;
type HeldParts =
  | "deployments"
  | "statefulSets"
  | "daemonSets"
  | "autoscalers"
  | "jobs"
  | "cronJobs"
  | "ownServices"
  | "ownAccounts"
  | "ownBudgets"
  | "ownConfigMaps";

/** All objects that Weir wrote, as the cluster has them. */
export function heldObjects(view: Pick<ClusterView, HeldParts>): HeldObjects {
  const parts = [
    view.deployments,
    view.statefulSets,
    view.daemonSets,
    view.autoscalers,
    view.jobs,
    view.cronJobs,
    view.ownServices,
    view.ownAccounts,
    view.ownBudgets,
    view.ownConfigMaps,
  ];
  const all: readonly KubeWritten[] = parts.flatMap((objects) => [...objects.values()]);
  return new Map(all.map((object) => [writtenKey({ kind: object.kind, metadata: object }), object]));
}

function whyNot(declaration: KubeDeclaration): string | undefined {
  const { kind, value } = declaration;
  if (value === undefined) return undefined;
  if (kind === "job" && "job" in value) return whyNoJobHere(value.job);
  return kind === "service" && "service" in value ? whyNotHere(value.service) : whyNotCalled(declaration);
}

function claimOf(by: readonly KubeDeclaration[], objects: readonly WrittenObject[]): Claim {
  return { by: by.map(declarationKey), since: Math.min(...by.map(({ createdAt }) => createdAt)), objects };
}

function belongsTo(...declarations: readonly KubeDeclaration[]): Belongs {
  const stack = declarations[0]?.labels[stackLabel];
  return {
    owners: declarations.map(({ kind, name, uid }) => ({ kind: ownerKinds[kind], name, uid })),
    ...(stack === undefined ? {} : { stack }),
  };
}

function appClaims({ apps, versions, services: there }: Input): readonly Claim[] {
  return [...versionsByApp(versions)].map(([key, [first, ...others]]): Claim => {
    const declared = apps.get(key);
    const all = first === undefined ? [] : [first, ...others];
    // Without an App of its own it is its versions', for as long as there is one.
    const by = declared === undefined || declared.terminating || declared.value === undefined ? all : [declared];
    const weights = declared?.value?.weights ?? {};
    const services = all.flatMap(({ value }) => value?.service ?? []).toSorted((a, b) => (weights[b.version] ?? 0) - (weights[a.version] ?? 0));
    const [namespace = "", app = ""] = key.split("/");
    const hasService = keepsService(services, there.get(key));
    return claimOf(by, appObjects({ namespace: namespace as Namespace, app: app as AppName, versions: services, hasService }, belongsTo(...by)));
  });
}

function versionClaims(view: Input, hash: Hash, hashes: Map<string, string>): readonly Claim[] {
  return [...view.versions.values()].flatMap((version): Claim[] => {
    const { value, terminating } = version;
    if (value === undefined || terminating || whyNotHere(value.service) !== undefined) return [];
    const made = versionObjects(version, hash, ...contentHashes(value.service, view).flat());
    hashes.set(declarationKey(version), made.hash);
    return [claimOf([version], made.objects)];
  });
}

interface JobClaim extends Claim {
  readonly by: readonly [string];
  readonly made: JobObjects;
}

function jobClaims(view: Input, hash: Hash, begun: ReadonlyMap<string, string>): readonly JobClaim[] {
  const runs = Map.groupBy(
    [...view.jobs.values()].flatMap((run) => run.owners.map((owner) => ({ owner, run }))),
    ({ owner }) => owner,
  );
  return [...view.declaredJobs.values()].flatMap((declaration): JobClaim[] => {
    const { value, terminating, uid, said } = declaration;
    if (value === undefined || terminating || whyNoJobHere(value.job) !== undefined) return [];
    const contents = new Map(contentHashes(value.job, view));
    const made = jobObjects(
      { job: value.job, restarts: value.restarts, contents },
      {
        runs: (runs.get(uid) ?? []).map(({ run }) => run),
        begun: begun.get(declarationKey(declaration)) ?? said?.begun,
        belongs: belongsTo(declaration),
        hash,
      },
    );
    return [{ ...claimOf([declaration], made.objects), by: [declarationKey(declaration)], made }];
  });
}

/** Pairs of what a version or job uses and the hash of its contents, for what exists. */
function contentHashes(service: Service | Job, { configs, secrets }: Input): readonly (readonly [string, string])[] {
  return contentNames(service).flatMap((reference) => {
    const [kind = "", name = ""] = reference.split("/");
    const found = (kind === "config" ? configs : secrets).get(objectKey(service.namespace, name));
    return found === undefined ? [] : [[reference, found.hash] as const];
  });
}

const versionObjects = memoizeLast(
  (version: KubeDeclaration<"service">, hash: Hash, ...pairs: readonly string[]): { readonly hash: string; readonly objects: readonly WrittenObject[] } => {
    if (version.value === undefined) return { hash: "", objects: [] };
    const { service, restarts } = version.value;
    if (service.adopted !== undefined) return { hash: adoptedHash, objects: [versionService(service, belongsTo(version))].filter((one) => one !== undefined) };
    const source: PodSource = { service, restarts, contents: contentsOf(pairs) };
    const made = hash(podText(podTemplate(source), source));
    const own = versionService(service, belongsTo(version));
    return { hash: made, objects: [...runnerObjects(source, made, belongsTo(version)), ...(own === undefined ? [] : [own])] };
  },
);

function addressClaims({ routers, externals }: Input): readonly Claim[] {
  const claim = (declaration: KubeDeclaration, object: WrittenObject | undefined): Claim[] => (object === undefined ? [] : [claimOf([declaration], [object])]);
  return [
    ...[...routers.values()].flatMap((one) => (one.value === undefined || one.terminating ? [] : claim(one, routerService(one.value, belongsTo(one))))),
    ...[...externals.values()].flatMap((one) =>
      one.value === undefined || one.terminating || whyNotCalled(one) !== undefined ? [] : claim(one, externalService(one.value, belongsTo(one))),
    ),
  ];
}
