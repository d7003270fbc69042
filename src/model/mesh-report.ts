/**
 * What the control plane says of the mesh in one namespace, for whoever may read that namespace: who its pods are, whether they joined, until when their
 * certificates hold. In Weir's own namespace also how nodes and the authority are. Facts only: there is nothing in it that is secret.
 * Times are milliseconds since the epoch.
 */

/** Its name in every namespace. */
export const meshReportName = "mesh";
export const meshReportKind = { group: "weir.dev", version: "v1alpha1", resource: "meshreports", kind: "MeshReport" } as const;

export interface MeshReport {
  /** Of the control plane that says so. */
  readonly version: string;
  readonly trustDomain: string;
  /** Whether the namespace's pods are in the mesh unless they say otherwise. */
  readonly joins: boolean;
  /** Of its pods, unless they say otherwise. */
  readonly mode: "strict" | "permissive";
  /** By name. */
  readonly pods: readonly ReportedPod[];
  /** Whose certificates are above those of the pods. */
  readonly authorities: readonly ReportedAuthority[];
  /** In Weir's own namespace only. */
  readonly system?: SystemReport;
}

export interface ReportedPod {
  readonly uid: string;
  readonly name: string;
  readonly node: string;
  /** What it is called in traffic's figures. */
  readonly app: string;
  readonly serviceAccount: string;
  /** SPIFFE ID. */
  readonly identity: string;
  readonly mode: "strict" | "permissive";
  /** joining, leaving: on the way; `reason` says what is wrong, if anything is. */
  readonly state: "joining" | "joined" | "leaving";
  readonly reason?: string;
  /** What its node holds for it; absent: nothing yet, or it is not known. */
  readonly certificate?: ReportedCertificate;
}

export interface ReportedCertificate {
  /** Hex. */
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** About when the node asks for the next one. */
  readonly renewAt: number;
  /** Fingerprints of those above it, the root last. */
  readonly issuers: readonly string[];
}

export interface ReportedAuthority {
  readonly subject: string;
  /** Hex SHA-256. */
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface SystemReport {
  /** Pod of the control plane that leads. */
  readonly leader: string;
  readonly authority: {
    /** Whether it is the user's. */
    readonly plugIn: boolean;
    /** spreading: a new root is being told to everybody; moving: certificates below the one before are still in use. */
    readonly rotation: "stable" | "spreading" | "moving";
    /** When the intermediate that signs now ends. */
    readonly notAfter: number;
    readonly rootNotAfter: number;
    /** Why what the user gave is not what signs. */
    readonly refused?: string;
  };
  /** Nodes of the cluster, by name. */
  readonly nodes: readonly ReportedNode[];
  /** Namespaces and single pods that take plain text, too: `shop`, `shop/web-0`. */
  readonly permissive: readonly string[];
  /** Pods that are wanted in the mesh and not in it, with the reason. */
  readonly waiting: readonly { readonly pod: string; readonly reason: string }[];
  /** What cannot be understood of the cluster's labels and objects. */
  readonly problems: readonly string[];
}

export interface ReportedNode {
  readonly name: string;
  /** Whether its agent talks with the control plane now. */
  readonly agent: "connected" | "away" | "unknown";
  /** Whether its Envoy gets its configuration from the control plane now. */
  readonly proxy: "connected" | "away";
  readonly envoy?: string;
  /** Envoy's own words on what it did not take. */
  readonly refused?: string;
  /** Whether pods are captured before their first container starts. */
  readonly guard: "active" | "absent" | "unknown";
  /** Why the guard is absent, or what all pods of the node suffer from. */
  readonly reason?: string;
  /** Pods of the mesh. */
  readonly pods: number;
}
