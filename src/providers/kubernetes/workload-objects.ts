/** Kubernetes objects that Weir writes for what is declared and for Gateways, as plain values, and the labels by which they are found again. */
import { weirGroup, weirVersion } from "../../model/declared-kinds.ts";
import type { Namespace } from "../../model/names.ts";
import { gatewayGroup } from "./route-objects.ts";

export type Labels = Readonly<Record<string, string>>;

/** Who an object belongs to: when all its owners are deleted, the cluster deletes the object. */
export interface Owner {
  readonly kind: "App" | "Version" | "Job" | "Router" | "ExternalService" | "Gateway";
  readonly name: string;
  readonly uid: string;
}

/** Who writes, as the API server notes it of each field. */
export const fieldManager = "weir";
/** Who holds the number of pods from the moment at which Weir lets go of it until an autoscaler says another. */
export const replicasManager = "weir-replicas";

/** Kinds that Weir writes, with the names that addresses have. */
export const writtenKinds = {
  ConfigMap: { apiVersion: "v1", group: "", version: "v1", resource: "configmaps" },
  CronJob: { apiVersion: "batch/v1", group: "batch", version: "v1", resource: "cronjobs" },
  DaemonSet: { apiVersion: "apps/v1", group: "apps", version: "v1", resource: "daemonsets" },
  Deployment: { apiVersion: "apps/v1", group: "apps", version: "v1", resource: "deployments" },
  HorizontalPodAutoscaler: { apiVersion: "autoscaling/v2", group: "autoscaling", version: "v2", resource: "horizontalpodautoscalers" },
  Job: { apiVersion: "batch/v1", group: "batch", version: "v1", resource: "jobs" },
  PodDisruptionBudget: { apiVersion: "policy/v1", group: "policy", version: "v1", resource: "poddisruptionbudgets" },
  Service: { apiVersion: "v1", group: "", version: "v1", resource: "services" },
  ServiceAccount: { apiVersion: "v1", group: "", version: "v1", resource: "serviceaccounts" },
  StatefulSet: { apiVersion: "apps/v1", group: "apps", version: "v1", resource: "statefulsets" },
} as const;
export type WrittenKind = keyof typeof writtenKinds;

/** Kinds that make the pods of versions; a version has one of them, by its own name. */
export const runnerKinds = ["Deployment", "StatefulSet", "DaemonSet"] as const satisfies readonly WrittenKind[];
export type RunnerKind = (typeof runnerKinds)[number];

/** Says whether objects of a kind make pods. */
export function isRunnerKind(kind: WrittenKind): kind is RunnerKind {
  return (runnerKinds as readonly WrittenKind[]).includes(kind);
}

/** One object to apply: all fields that are Weir's. */
export interface WrittenObject {
  readonly apiVersion: string;
  readonly kind: WrittenKind;
  readonly metadata: {
    readonly name: string;
    readonly namespace: Namespace;
    readonly labels: Labels;
    readonly annotations?: Labels;
    readonly ownerReferences: readonly object[];
  };
  readonly [field: string]: unknown;
}

export const appLabel = "weir.dev/app";
export const versionLabel = "weir.dev/version";
/** On whatever runs a declared job: its name. */
export const jobLabel = "weir.dev/job";
/** On a Job: what it runs for. */
export const causeAnnotation = "weir.dev/cause";
/** Of what a pod is made from: a pod with another value is one of before. */
export const hashLabel = "weir.dev/hash";
/** In place of that hash for pods that somebody else makes. */
export const adoptedHash = "adopted";
/** Every object that Weir wrote says so: what does not, it leaves alone. */
export const managedLabel = { key: "weir.dev/managed-by", value: "weir" } as const;
export const managedSelector = `${managedLabel.key}=${managedLabel.value}`;
/** Of the pod template: counts the restarts that were asked for. */
export const restartsAnnotation = "weir.dev/restarts";

interface ObjectOptions {
  readonly namespace: Namespace;
  readonly name: string;
  readonly owners: readonly Owner[];
  readonly labels: Labels;
  readonly annotations?: Labels;
  /** Everything beside kind and metadata. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An object of ours: with our label, and with its owners. */
export function writtenObject(kind: WrittenKind, { namespace, name, owners, labels, annotations = {}, fields }: ObjectOptions): WrittenObject {
  const { apiVersion } = writtenKinds[kind];
  // Of several owners none can be the one that counts.
  const controller = owners.length === 1;
  const ownerReferences = owners.map((owner) => ({
    apiVersion: owner.kind === "Gateway" ? `${gatewayGroup}/v1` : `${weirGroup}/${weirVersion}`,
    kind: owner.kind,
    name: owner.name,
    uid: owner.uid,
    controller,
  }));
  const all = { ...labels, "app.kubernetes.io/managed-by": "weir", [managedLabel.key]: managedLabel.value };
  const said = Object.keys(annotations).length === 0 ? {} : { annotations };
  return { apiVersion, kind, metadata: { name, namespace, labels: all, ...said, ownerReferences }, ...fields };
}

/** What a map of objects is kept by: `Deployment shop/web-v1`. */
export function writtenKey({
  kind,
  metadata: { namespace, name },
}: {
  readonly kind: WrittenKind;
  readonly metadata: { readonly namespace: string; readonly name: string };
}): string {
  return `${kind} ${namespace}/${name}`;
}
