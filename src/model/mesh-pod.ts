/** A pod of a cluster that is in the mesh. */
import type { Namespace } from "./names.ts";
import type { SpiffeId, TrustDomain } from "./spiffe.ts";

/** By this label (`on` or `off`) a pod says itself whether it is in the mesh; without it its namespace decides. */
export const meshLabel = "weir.dev/mesh";

export interface MeshPod {
  readonly uid: string;
  readonly namespace: Namespace;
  readonly name: string;
  /** Name of the node it runs on. */
  readonly node: string;
  /** The pod's own IP. */
  readonly address: string;
  readonly identity: SpiffeId;
  /** `strict`: nothing reaches it from other nodes but mutual TLS; `permissive`: plaintext does, too. */
  readonly mode: "strict" | "permissive";
}

/** A mesh pod on whose network namespace its node has a hold. */
export interface PinnedPod extends MeshPod {
  /** As the node's Envoy must name it (`SocketAddress.network_namespace_filepath`). */
  readonly networkNamespace: string;
  /** It is strict otherwise: it takes plaintext only while it joins or leaves. */
  readonly meanwhile?: true;
}

/** All mesh pods of a cluster, at one moment. */
export interface MeshPods {
  readonly trustDomain: TrustDomain;
  /** Those whose capture is complete, by address: others may reach them by mutual TLS. */
  readonly joined: ReadonlyMap<string, MeshPod>;
  /** Those that a node has a hold on, by node. */
  readonly pinned: ReadonlyMap<string, readonly PinnedPod[]>;
}
