/** Which pods are in the mesh, and what the mesh needs to know about them. */

import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { Problem } from "../../lib/problem.ts";
import { meshLabel } from "../../model/mesh-pod.ts";
import { quote } from "../../model/quote.ts";
import type { KubeContainer, KubeMeta, KubeNamespace, KubePod, Objects, PortRef } from "./objects.ts";
import { optional } from "./readers.ts";

export type MtlsMode = "strict" | "permissive";

/** A pod of the mesh. */
export interface MeshPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** Its IPv4 address; absent before it has a network. */
  readonly address?: string;
  readonly serviceAccount: string;
  /** What it is called in traffic's figures: label `app.kubernetes.io/name` or `app`, else its controller's name, else its own. */
  readonly app: string;
  /** strict: only callers of the mesh may come in; permissive: others, too. */
  readonly mode: MtlsMode;
  /** What the kubelet calls, and must be let in without mutual TLS; ascending. */
  readonly probePorts: readonly number[];
  readonly ready: boolean;
  readonly terminating: boolean;
}

export interface TranslatedPods {
  /** Namespaces whose pods are in the mesh unless they say otherwise; sorted. */
  readonly meshNamespaces: readonly string[];
  /** Namespaces that say how their pods take callers. */
  readonly modes: ReadonlyMap<string, MtlsMode>;
  /** By uid. */
  readonly meshPods: ReadonlyMap<string, MeshPod>;
  readonly problems: readonly Problem[];
}

const mtlsKey = "weir.dev/mtls";
/** Here a namespace's label is not enough: a cluster must not lose its DNS because somebody labelled generously. */
const systemNamespaces: ReadonlySet<string> = new Set(["weir-system", "kube-system"]);

/** The pods of the mesh in the order of their names. A pod that did not change, in a namespace that did not, is the identical value. */
export const translatePods: (pods: Objects<KubePod>, namespaces: Objects<KubeNamespace>) => TranslatedPods = memoizeLast((pods, namespaces) => {
  const found = [...pods].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, pod]) => translatePod(pod, namespaces.get(pod.namespace)));
  return {
    meshNamespaces: meshNamespaces(namespaces),
    modes: modesOf(namespaces),
    meshPods: new Map(found.flatMap(({ meshPod }) => (meshPod === undefined ? [] : [[meshPod.uid, meshPod] as const]))),
    problems: [...[...namespaces.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)).flatMap(metaProblems), ...found.flatMap(({ problems }) => problems)],
  };
});

function meshNamespaces(namespaces: Objects<KubeNamespace>): readonly string[] {
  return [...namespaces.values()]
    .filter((namespace) => !systemNamespaces.has(namespace.name) && wish(namespace) === "on")
    .map(({ name }) => name)
    .sort();
}

function modesOf(namespaces: Objects<KubeNamespace>): ReadonlyMap<string, MtlsMode> {
  const modes = new Map<string, MtlsMode>();
  for (const namespace of namespaces.values()) {
    const mode = mtlsMode(namespace);
    if (mode !== undefined) modes.set(namespace.name, mode);
  }
  return modes;
}

const translatePod = memoizeLast((pod: KubePod, namespace: KubeNamespace | undefined): { readonly meshPod?: MeshPod; readonly problems: readonly Problem[] } =>
  isInMesh(pod, namespace)
    ? { meshPod: meshPodOf(pod, namespace), problems: [...metaProblems(pod), ...addressProblems(pod)] }
    : { problems: metaProblems(pod) },
);

function isInMesh(pod: KubePod, namespace: KubeNamespace | undefined): boolean {
  const isFinished = pod.phase === "Succeeded" || pod.phase === "Failed";
  // A pod of the host's own network cannot be told from its node.
  if (pod.hostNetwork || isFinished || pod.node === "") return false;
  const inherited = systemNamespaces.has(pod.namespace) ? undefined : wish(namespace);
  return (wish(pod) ?? inherited) === "on";
}

function wish(meta: KubeMeta | undefined): "on" | "off" | undefined {
  const said = meta?.labels[meshLabel];
  return said === "on" || said === "off" ? said : undefined;
}

function meshPodOf(pod: KubePod, namespace: KubeNamespace | undefined): MeshPod {
  const { uid, name, node, serviceAccount, ready, terminating } = pod;
  return {
    uid,
    namespace: pod.namespace,
    name,
    node,
    ...optional(
      "address",
      pod.addresses.find((address) => !address.includes(":")),
    ),
    serviceAccount,
    app: pod.labels["app.kubernetes.io/name"] ?? pod.labels["app"] ?? ownerName(pod),
    mode: mtlsMode(pod) ?? mtlsMode(namespace) ?? "strict",
    probePorts: probePorts(pod.containers),
    ready,
    terminating,
  };
}

/** The controller's name; of a Deployment's ReplicaSet without the hash that the Deployment put at its end. */
function ownerName({ owner, name, labels }: KubePod): string {
  if (owner === "") return name;
  const hash = labels["pod-template-hash"];
  return hash !== undefined && owner.endsWith(`-${hash}`) ? owner.slice(0, -hash.length - 1) : owner;
}

function saidMtls(meta: KubeMeta | undefined): string | undefined {
  return meta?.labels[mtlsKey] ?? meta?.annotations[mtlsKey];
}

function mtlsMode(meta: KubeMeta | undefined): MtlsMode | undefined {
  const said = saidMtls(meta);
  return said === "strict" || said === "permissive" ? said : undefined;
}

function probePorts(containers: readonly KubeContainer[]): readonly number[] {
  const numbers = containers.flatMap((container) => container.kubeletCalls.flatMap((port) => resolvePort(port, container) ?? []));
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** A name means a port of the same container. */
function resolvePort(port: PortRef, { ports }: KubeContainer): number | undefined {
  return typeof port === "number" ? port : ports.find(({ name }) => name === port)?.number;
}

/** Labels of ours with values that mean nothing: they are as if they were not there. */
const metaProblems = memoize((meta: KubePod | KubeNamespace): readonly Problem[] => {
  const name = meta.kind === "Pod" ? `pod ${meta.namespace}/${meta.name}` : `namespace ${meta.name}`;
  const [mesh, mtls] = [meta.labels[meshLabel], saidMtls(meta)];
  const problems: Problem[] = [];
  if (mesh !== undefined && wish(meta) === undefined)
    problems.push({ code: "kube-mesh-label", message: `${name}: ${meshLabel} is ${quote(mesh)}`, hint: 'it can be "on" or "off"' });
  if (mtls !== undefined && mtlsMode(meta) === undefined)
    problems.push({ code: "kube-mtls-label", message: `${name}: ${mtlsKey} is ${quote(mtls)}`, hint: 'it can be "strict" or "permissive"' });
  return problems;
});

function addressProblems(pod: KubePod): readonly Problem[] {
  if (pod.addresses.length === 0 || pod.addresses.some((address) => !address.includes(":"))) return [];
  const message = `pod ${pod.namespace}/${pod.name} is in the mesh and has IPv6 addresses only`;
  return [{ code: "kube-no-ipv4", message, hint: "the mesh carries IPv4; take it out with the label weir.dev/mesh: off" }];
}
