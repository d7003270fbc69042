/** Kubernetes objects as far as we read them, and one consistent look at all of them. */
import type { KubeGateway, KubeGatewayClass, KubeTlsSecret } from "./gateway-objects.ts";
import type { KubeReferenceGrant, KubeRoute } from "./route-objects.ts";

export type Labels = Readonly<Record<string, string>>;

export interface KubeMeta {
  readonly uid: string;
  readonly name: string;
  /** Empty for what belongs to no namespace. */
  readonly namespace: string;
  readonly labels: Labels;
  /** Only our own: `weir.dev/…`. */
  readonly annotations: Labels;
  /** It was deleted and is on its way out. */
  readonly terminating: boolean;
}

export interface KubeNamespace extends KubeMeta {
  readonly kind: "Namespace";
}

export interface KubeNode extends KubeMeta {
  readonly kind: "Node";
  /** Its own addresses inside the cluster. */
  readonly addresses: readonly string[];
  /** Ranges that its pods' addresses come from. */
  readonly podRanges: readonly string[];
  readonly ready: boolean;
}

/** A port by number, or by its name in the pod. */
export type PortRef = number | string;

export interface KubeContainer {
  readonly name: string;
  readonly ports: readonly { readonly name: string; readonly number: number }[];
  /** What the kubelet itself calls at the pod's address: probes and lifecycle hooks. */
  readonly kubeletCalls: readonly PortRef[];
}

export interface KubePod extends KubeMeta {
  readonly kind: "Pod";
  /** Empty: not scheduled yet. */
  readonly node: string;
  readonly hostNetwork: boolean;
  readonly serviceAccount: string;
  /** Name of its controller (a ReplicaSet, a Job …); empty when it has none. */
  readonly owner: string;
  /** Those that run as long as the pod: ordinary ones and restartable init containers. */
  readonly containers: readonly KubeContainer[];
  /** In the order of the cluster's families; empty before it has a network. */
  readonly addresses: readonly string[];
  readonly phase: string;
  readonly ready: boolean;
}

export interface KubeServicePort {
  /** Empty for the only port. */
  readonly name: string;
  readonly number: number;
  readonly transport: string;
  readonly appProtocol: string;
  readonly target: PortRef;
}

export interface KubeService extends KubeMeta {
  readonly kind: "Service";
  readonly type: string;
  readonly hasSelector: boolean;
  readonly headless: boolean;
  /** Its virtual addresses, in the order of its families. */
  readonly addresses: readonly string[];
  /** Where a load balancer takes calls for it. */
  readonly ingress: readonly { readonly type: "IPAddress" | "Hostname"; readonly value: string }[];
  readonly ports: readonly KubeServicePort[];
  /** `internalTrafficPolicy: Local`. */
  readonly localOnly: boolean;
  /** `sessionAffinity: ClientIP`. */
  readonly sticky: boolean;
}

export interface KubeEndpoint {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly node?: string;
  readonly podUid?: string;
}

export interface KubeEndpointSlice extends KubeMeta {
  readonly kind: "EndpointSlice";
  /** Name of the Service in the same namespace; empty: of none. */
  readonly service: string;
  readonly family: string;
  readonly endpoints: readonly KubeEndpoint[];
  /** A port without a number stands for all ports and is not among them. */
  readonly ports: readonly { readonly name: string; readonly number: number; readonly transport: string }[];
}

/** Objects by `NAMESPACE/NAME`, or by `NAME` for what belongs to no namespace. */
export type Objects<T> = ReadonlyMap<string, T>;

/** A cluster at one moment; immutable. What did not change is the identical value of the view before. */
export interface ClusterView {
  readonly namespaces: Objects<KubeNamespace>;
  readonly nodes: Objects<KubeNode>;
  readonly pods: Objects<KubePod>;
  readonly services: Objects<KubeService>;
  readonly endpointSlices: Objects<KubeEndpointSlice>;
  /** Gateway API's kinds: empty where a cluster does not have them. */
  readonly httpRoutes: Objects<KubeRoute>;
  readonly grpcRoutes: Objects<KubeRoute>;
  readonly tlsRoutes: Objects<KubeRoute>;
  readonly tcpRoutes: Objects<KubeRoute>;
  readonly gatewayClasses: Objects<KubeGatewayClass>;
  readonly gateways: Objects<KubeGateway>;
  /** Of the type `kubernetes.io/tls`; empty where we may not read them. */
  readonly tlsSecrets: Objects<KubeTlsSecret>;
  readonly referenceGrants: Objects<KubeReferenceGrant>;
  /** False: what is here was true when the API server was last heard of. */
  readonly connected: boolean;
  /** One line why not, when it is not connected. */
  readonly reason?: string;
}
