/** Gateway API's classes and Gateways, and the Secrets that their listeners name, as far as we read them. */
import type { KubeRootsRef } from "./backend-tls-objects.ts";
import type { KubeMeta } from "./objects.ts";
import type { KubeCondition, KubeObjectRef } from "./route-objects.ts";
import type { Labels } from "./workload-objects.ts";

/** By this name a GatewayClass says that its Gateways are ours, and a route's status which words are a gateway's of ours. */
export const gatewayController = "weir.dev/gateway";

export interface KubeGatewayClass extends KubeMeta {
  readonly kind: "GatewayClass";
  readonly generation: number;
  readonly controller: string;
  readonly hasParameters: boolean;
  /** What its status says now; canonical. */
  readonly reported: string;
}

/** `matchLabels` and `matchExpressions`. */
export interface KubeSelector {
  readonly labels: Labels;
  readonly expressions: readonly { readonly key: string; readonly operator: string; readonly values: readonly string[] }[];
}

export interface KubeSecretRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface KubeListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  /** Empty: any. */
  readonly hostname: string;
  readonly tls?: { readonly mode: string; readonly certificates: readonly KubeSecretRef[] };
  /** From which namespaces routes may come. */
  readonly from: "Same" | "All" | "Selector";
  readonly selector: KubeSelector;
  /** Empty: whatever fits the protocol. */
  readonly kinds: readonly { readonly group: string; readonly kind: string }[];
}

/** Certificates that callers by HTTPS show. */
export interface KubeClientValidation {
  readonly roots: readonly KubeRootsRef[];
  /** `AllowInsecureFallback`: whoever shows none, or another's, is served all the same. */
  readonly isInsecure: boolean;
}

export interface KubeGatewayTls {
  /** Of its own, towards backends. */
  readonly clientCertificate?: KubeSecretRef;
  /** For all ports that are not among `clientsAt`. */
  readonly clients?: KubeClientValidation;
  readonly clientsAt: readonly { readonly port: number; readonly clients?: KubeClientValidation }[];
}

/** From which namespaces ListenerSets may come. */
export interface KubeAllowedListeners {
  readonly from: "None" | "Same" | "All" | "Selector";
  readonly selector: KubeSelector;
}

/** More listeners for a Gateway. */
export interface KubeListenerSet extends KubeMeta {
  readonly kind: "ListenerSet";
  readonly generation: number;
  readonly createdAt: string;
  readonly parent: KubeObjectRef;
  readonly listeners: readonly KubeListener[];
  /** What its status says now. */
  readonly reported: KubeReported;
}

/** What a status says now. */
export interface KubeReported {
  readonly text: string;
  readonly conditions: readonly KubeCondition[];
}

export interface KubeGateway extends KubeMeta {
  readonly kind: "Gateway";
  readonly generation: number;
  readonly createdAt: string;
  readonly className: string;
  readonly listeners: readonly KubeListener[];
  readonly tls: KubeGatewayTls;
  readonly allowedListeners: KubeAllowedListeners;
  /** Addresses that are asked for; one without a value leaves the choice to us. */
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  /** For what is made for it. */
  readonly infrastructure: { readonly labels: Labels; readonly annotations: Labels; readonly hasParameters: boolean };
  /** What its status says now. */
  readonly reported: KubeReported;
}

/** A Secret of the type `kubernetes.io/tls`. */
export interface KubeTlsSecret extends KubeMeta {
  readonly kind: "Secret";
  /** PEM; absent: it cannot be used, `mistake` says why. */
  readonly pair?: { readonly chain: string; readonly key: string };
  readonly mistake?: string;
}
