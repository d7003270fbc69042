/**
 * What the control plane and the agent of a Kubernetes node say to each other: JSON over one bidirectional stream. All that others may know of this folder.
 *
 * A pod joins in this order: ordered with `capture: false` → reported `pinned` with its namespace, and its certificate held → its listeners are in Envoy
 * (ACK) → ordered with `capture: true` → reported `captured`. It leaves in the reverse order, so that no new connection meets a rule without a listener.
 */

/** The gRPC method of the stream. */
export const syncMethod = "/weir.node.v1.NodeService/Sync";

/** Where a pod's own TCP arrives, and where TCP for the pod arrives; in the pod's network namespace. */
export const outboundPort = 15_001;
export const inboundPort = 15_006;

/** Source address of the node proxy's connections to pods of its own node: what comes from there goes in. Only sockets with `nodeMark` may use it. */
export const nodeSource = "169.254.7.1";
/** As what captured pods see connections of the node's own processes, above all the kubelet's probes. */
export const probeSource = "169.254.7.2";
/**
 * SO_MARK of every upstream socket of the node proxy (it needs no source address for that). In the lowest byte, because kube-proxy reads 0x4000 and
 * 0x8000, and others the upper half.
 */
export const nodeMark = 0x57;

/** All that the control plane wants of one node; each order replaces the one before. */
export interface NodeOrder {
  /** Grows with every change. */
  readonly generation: number;
  readonly pods: readonly PodOrder[];
  /** Namespaces whose pods are in the mesh unless they say otherwise: for pods that start before the control plane has seen them. */
  readonly meshNamespaces: readonly string[];
  /** Uids of gateways' pods on this node. Their Envoys may not end connections to lost machines themselves. */
  readonly gateways: readonly string[];
}

export interface PodOrder {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The pod's IPv4 address. */
  readonly address: string;
  /** SPIFFE ID. */
  readonly identity: string;
  readonly mode: "strict" | "permissive";
  /** Ports that the kubelet probes by TCP, HTTP or gRPC. */
  readonly probePorts: readonly number[];
  /** Whether the rules are to be in the pod; else it is only pinned. */
  readonly capture: boolean;
}

/** How far one node is. */
export interface NodeReport {
  readonly node: string;
  /** Of the newest order that was worked on. 0: none yet. */
  readonly generation: number;
  readonly pods: readonly PodReport[];
  readonly guard: GuardReport;
  /** What every pod of the node suffers from; absent when all is well. */
  readonly problem?: string;
  readonly envoy?: { readonly phase: string; readonly version?: string; readonly reason?: string };
  /** Those that it holds for its pods and for itself; absent: it needs none. Facts only: keys never leave the node. */
  readonly certificates?: readonly HeldCertificate[];
  /** Whose certificates are above those. */
  readonly authorities?: readonly AuthorityFacts[];
}

/** Times are milliseconds since the epoch. */
export interface HeldCertificate {
  /** SPIFFE ID. */
  readonly identity: string;
  /** Hex. */
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** About when the node asks for the next one. */
  readonly renewAt: number;
  /** Fingerprints of those above it, the root last. */
  readonly issuers: readonly string[];
}

export interface AuthorityFacts {
  readonly subject: string;
  /** Hex SHA-256. */
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface PodReport {
  readonly uid: string;
  /** searching: no process of it was found yet. pinned: no rules are in it. captured: the rules are in it. failed: see `reason`; it is tried again. */
  readonly phase: "searching" | "pinned" | "captured" | "failed";
  /** Its namespace as the node proxy must name it (`network_namespace_filepath`). Changes when the pod's sandbox was made anew. */
  readonly networkNamespace?: string;
  readonly reason?: string;
  /** Set for a pod that the guard captured at its start and that no order has named yet. */
  readonly guarded?: { readonly namespace: string; readonly name: string; readonly address: string };
}

/** Whether pods are captured before their first container starts (NRI). */
export interface GuardReport {
  readonly state: "active" | "absent";
  readonly reason?: string;
}
