/** What is known of pods, from the cluster and from the reports of nodes, in the words of the mesh. */
import type { NodeReport } from "../../agent/cluster/contract.ts";
import type { MeshPod } from "../../model/mesh-pod.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { type SpiffeId, type TrustDomain, workloadId } from "../../model/spiffe.ts";
import type { ClusterView, KubePod } from "../../providers/kubernetes/objects.ts";
import type { ClusterTranslation } from "../../providers/kubernetes/translate.ts";
import type { PodNews } from "../../release/membership.ts";

/** By node. */
export type NodeReports = ReadonlyMap<string, NodeReport>;

/**
 * Uid → address of the pods that their nodes captured at their start. A node tells them until it gets our order, the API knows a pod's address only when its
 * containers run: they are remembered for as long as they run. Of pods of other nodes a node has nothing to say.
 */
export function guardedPods(before: ReadonlyMap<string, string>, reports: NodeReports, running: readonly KubePod[]): ReadonlyMap<string, string> {
  const nodes = new Map(running.map(({ uid, node }) => [uid, node]));
  const told = [...reports].flatMap(([node, { pods }]) =>
    pods.flatMap(({ uid, guarded }) => (guarded === undefined || nodes.get(uid) !== node ? [] : [[uid, guarded.address] as const])),
  );
  return new Map([...before, ...told].filter(([uid]) => nodes.has(uid)));
}

/** Pods of the mesh that have an address, in our words. */
export function wantedPods(translation: ClusterTranslation, trustDomain: TrustDomain, guarded: ReadonlyMap<string, string>): ReadonlyMap<string, MeshPod> {
  const pods = [...translation.meshPods.values()].flatMap((pod): MeshPod[] => {
    const { uid, name, node, mode } = pod;
    const namespace = pod.namespace as Namespace;
    const address = pod.address ?? guarded.get(uid);
    if (address === undefined) return [];
    return [{ uid, namespace, name, node, address, mode, identity: identityOf(pod, trustDomain) }];
  });
  return new Map(pods.map((pod) => [pod.uid, pod]));
}

/** Who a pod is. */
export function identityOf({ namespace, serviceAccount }: { readonly namespace: string; readonly serviceAccount: string }, trustDomain: TrustDomain): SpiffeId {
  return workloadId(trustDomain, namespace as Namespace, serviceAccount as AppName);
}

/** Node → who its pods are. */
export function identitiesByNode(pods: ReadonlyMap<string, MeshPod>): ReadonlyMap<string, ReadonlySet<SpiffeId>> {
  return new Map([...Map.groupBy(pods.values(), (pod) => pod.node)].map(([node, list]) => [node, new Set(list.map((pod) => pod.identity))]));
}

/** Pods that have not ended. */
export function runningPods(view: ClusterView): readonly KubePod[] {
  return [...view.pods.values()].filter(({ phase }) => phase !== "Succeeded" && phase !== "Failed");
}

/** Node → what it says of its pods, by uid. */
export function newsOf(reports: NodeReports): ReadonlyMap<string, ReadonlyMap<string, PodNews>> {
  return new Map([...reports].map(([node, { pods }]) => [node, new Map(pods.map((pod) => [pod.uid, pod]))]));
}

/** Whether the node of a pod holds its certificate, as nodes say. */
export function certifiedIn(reports: NodeReports): (pod: MeshPod) => boolean {
  const held = new Map([...reports].map(([node, { certificates }]) => [node, certificates && new Set(certificates.map(({ identity }) => identity))]));
  return ({ node, identity }) => held.has(node) && held.get(node)?.has(identity) !== false;
}
