/** Gateway API's routes and grants, as far as we read them. */
import type { Cors } from "../../model/gateway.ts";
import type { HeaderChanges } from "../../model/types.ts";
import type { KubeMeta } from "./objects.ts";

/** Gateway API's own. */
export const gatewayGroup = "gateway.networking.k8s.io";
/** By this name a status says which words about parents that are Services are ours. */
export const meshController = "weir.dev/mesh";

/** What a route is attached to. */
export interface KubeParentRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly port?: number;
  /** Of a Service: the name of one of its ports. */
  readonly section?: string;
  /** As the user wrote it: the status must name it so. */
  readonly said: Readonly<Record<string, string | number>>;
}

export interface KubeObjectRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly port?: number;
}

export interface KubeBackendRef extends KubeObjectRef {
  readonly weight: number;
  readonly filters: readonly KubeFilter[];
}

export type KubePath = { readonly kind: "full"; readonly path: string } | { readonly kind: "prefix"; readonly path: string };

export type KubeFilter =
  | { readonly kind: "requestHeaders" | "responseHeaders"; readonly changes: HeaderChanges }
  | { readonly kind: "redirect"; readonly scheme?: string; readonly host?: string; readonly port?: number; readonly path?: KubePath; readonly code: number }
  | { readonly kind: "rewrite"; readonly host?: string; readonly path?: KubePath }
  /** `share` in basis points. */
  | { readonly kind: "mirror"; readonly to: KubeObjectRef; readonly share: number }
  | { readonly kind: "cors"; readonly cors: Cors }
  | { readonly kind: "other"; readonly type: string };

/** Some part of a request against a text. `type` is Gateway API's word: `Exact`, `RegularExpression`, `PathPrefix`. */
export interface KubeTextMatch {
  readonly type: string;
  readonly value: string;
}

export interface KubeRouteMatch {
  readonly path?: KubeTextMatch;
  readonly method?: string;
  /** Of a GRPCRoute; absent names match any. */
  readonly grpc?: { readonly type: string; readonly service?: string; readonly method?: string };
  readonly headers: readonly (KubeTextMatch & { readonly name: string })[];
  readonly query: readonly (KubeTextMatch & { readonly name: string })[];
}

export interface KubeRouteRule {
  /** Empty: everything. */
  readonly matches: readonly KubeRouteMatch[];
  readonly filters: readonly KubeFilter[];
  readonly backends: readonly KubeBackendRef[];
  /** As written: `10s`, `1m30s`. */
  readonly requestTimeout?: string;
  readonly backendTimeout?: string;
  /** Only where a cluster has the experimental kinds. */
  readonly retry?: { readonly codes: readonly number[]; readonly attempts?: number; readonly hasBackoff: boolean };
}

export interface KubeCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly generation: number;
}

/** What a status says of one parent. */
export interface KubeParentStatus {
  /** Which of our two controllers speaks: the mesh of Services, the gateway of Gateways. */
  readonly controller: string;
  readonly parentRef: Readonly<Record<string, string | number>>;
  readonly conditions: readonly KubeCondition[];
}

export interface KubeRoute extends KubeMeta {
  readonly kind: "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute";
  readonly generation: number;
  /** RFC 3339: sorts as text. */
  readonly createdAt: string;
  /** Empty: any. They count at Gateways only. */
  readonly hostnames: readonly string[];
  readonly parents: readonly KubeParentRef[];
  readonly rules: readonly KubeRouteRule[];
  /** What our own controller has said so far. */
  readonly reported: readonly KubeParentStatus[];
}

export interface KubeReferenceGrant extends KubeMeta {
  readonly kind: "ReferenceGrant";
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  /** Without a name: all of the kind. */
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}
