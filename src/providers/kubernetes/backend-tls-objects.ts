/** Gateway API's BackendTLSPolicies, and the roots that they and Gateways name, as far as we read them. */
import type { PeerName } from "../../model/gateway.ts";
import type { KubeMeta } from "./objects.ts";
import type { KubeParentStatus } from "./route-objects.ts";

/** One thing that a policy is for; always in the policy's own namespace. */
export interface KubePolicyTarget {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** Of a Service: the name of one of its ports. */
  readonly section?: string;
}

export interface KubeRootsRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface KubeBackendTlsPolicy extends KubeMeta {
  readonly kind: "BackendTLSPolicy";
  readonly generation: number;
  /** RFC 3339: sorts as text. */
  readonly createdAt: string;
  readonly targets: readonly KubePolicyTarget[];
  readonly roots: readonly KubeRootsRef[];
  /** Empty: none. */
  readonly wellKnownRoots: string;
  readonly hostname: string;
  readonly names: readonly PeerName[];
  /** What our own controller has said so far. */
  readonly reported: readonly KubeParentStatus[];
}

/** A ConfigMap as far as it holds root certificates. */
export interface KubeRoots extends KubeMeta {
  readonly kind: "ConfigMap";
  /** PEM of certificates and nothing else; absent: it cannot be used, `mistake` says why. */
  readonly pem?: string;
  readonly mistake?: string;
}
