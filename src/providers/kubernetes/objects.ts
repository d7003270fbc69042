/** Kubernetes objects as far as we read them, and one consistent look at all of them. */
import type { Problem } from "../../lib/problem.ts";
import type { Kinds } from "../../model/declared.ts";
import type { KubeBackendTlsPolicy, KubeRoots } from "./backend-tls-objects.ts";
import type { KubeGateway, KubeGatewayClass, KubeListenerSet, KubeTlsSecret } from "./gateway-objects.ts";
import type { KubeReferenceGrant, KubeRoute } from "./route-objects.ts";
import type { Labels, RunnerKind, WrittenKind } from "./workload-objects.ts";

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
  /**
   * Its containers are ready by the last word of its kubelet, and it is not: nobody has heard of its node, and so the node controller says that its pods are
   * not ready (https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller).
   */
  readonly unheard: boolean;
  /** How often its containers were started again. */
  readonly restarts: number;
  /** Why it does not become ready; absent: nothing is known to be wrong. */
  readonly trouble?: PodTrouble;
}

export interface PodTrouble {
  /** `failing`: it will not get better by waiting; `waiting`: it may. */
  readonly kind: "failing" | "waiting";
  /** One line: `exited with code 1, 3 times`. */
  readonly reason: string;
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
  /** It is not ready because nobody has heard of its pod's node. */
  readonly unheard?: true;
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

/** Kinds of `weir.dev`, as the model calls them. */
export type DeclarationKind = "app" | "service" | "job" | "router" | "external";

/** An object of `weir.dev`, without what is said of it in its status. */
export interface KubeDeclaration<K extends DeclarationKind = DeclarationKind> extends KubeMeta {
  readonly kind: K;
  readonly generation: number;
  readonly createdAt: number;
  /** What it declares; absent: it is not understood, `problems` say why. */
  readonly value?: Kinds[K];
  readonly problems: readonly Problem[];
  /** Of a job: what its status says was begun, and how that ended; it is the memory of whoever keeps it. */
  readonly said?: { readonly begun?: string; readonly state?: string };
}

/** A config or secret that workloads may use, without its contents. */
export interface KubeContent extends KubeMeta {
  readonly kind: "ConfigMap" | "Secret";
  /** Of its contents. */
  readonly hash: string;
}

/** An object that Weir wrote, as the cluster has it now. */
export interface KubeWritten extends KubeMeta {
  readonly kind: WrittenKind;
  /** Of all that decides what it does: whoever changes that, changes this. */
  readonly digest: string;
  /** Uids of those it belongs to. */
  readonly owners: readonly string[];
}

/** What makes the pods of a version. */
export interface KubeRunner extends KubeWritten {
  readonly kind: RunnerKind;
  /** What is below was said of the newest of its changes. */
  readonly isObserved: boolean;
  /** How many pods it should have now, whoever says so. */
  readonly wanted: number;
  /** Of its pods, those made from the newest template. */
  readonly updated: number;
  readonly ready: number;
  /** It was we who last said how many. */
  readonly saysReplicas: boolean;
  /** One line why it makes no pods (a quota, a policy); absent: nothing is known to hinder it. */
  readonly failure?: string;
}

export interface KubeAutoscaler extends KubeWritten {
  readonly kind: "HorizontalPodAutoscaler";
  /** One line why it cannot do its work; absent: it does. */
  readonly failure?: string;
}

/** A Job that runs something declared. */
export interface KubeJob extends KubeWritten {
  readonly kind: "Job";
  /** What it runs for; empty: nobody says. */
  readonly cause: string;
  readonly state: "running" | "succeeded" | "failed";
  readonly startedAt: number;
  readonly endedAt?: number;
  /** So many of its pods failed. */
  readonly failures: number;
  /** Why it failed as a whole, in Kubernetes' words. */
  readonly failure?: { readonly reason: string; readonly message: string };
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
  readonly listenerSets: Objects<KubeListenerSet>;
  /** Of the type `kubernetes.io/tls`; empty where we may not read them. */
  readonly tlsSecrets: Objects<KubeTlsSecret>;
  readonly referenceGrants: Objects<KubeReferenceGrant>;
  readonly backendTlsPolicies: Objects<KubeBackendTlsPolicy>;
  /** ConfigMaps; empty where we may not read them. */
  readonly roots: Objects<KubeRoots>;
  /** What is declared: empty where a cluster does not have the kinds. */
  readonly apps: Objects<KubeDeclaration<"app">>;
  readonly versions: Objects<KubeDeclaration<"service">>;
  readonly declaredJobs: Objects<KubeDeclaration<"job">>;
  readonly routers: Objects<KubeDeclaration<"router">>;
  readonly externals: Objects<KubeDeclaration<"external">>;
  readonly configs: Objects<KubeContent>;
  readonly secrets: Objects<KubeContent>;
  /** What Weir wrote for it, and for Gateways. */
  readonly deployments: Objects<KubeRunner>;
  readonly statefulSets: Objects<KubeRunner>;
  readonly daemonSets: Objects<KubeRunner>;
  readonly autoscalers: Objects<KubeAutoscaler>;
  readonly jobs: Objects<KubeJob>;
  readonly cronJobs: Objects<KubeWritten>;
  readonly ownServices: Objects<KubeWritten>;
  readonly ownAccounts: Objects<KubeWritten>;
  readonly ownBudgets: Objects<KubeWritten>;
  /** Empty where we may not read ConfigMaps. */
  readonly ownConfigMaps: Objects<KubeWritten>;
  /** False: what is here was true when the API server was last heard of. */
  readonly connected: boolean;
  /** One line why not, when it is not connected. */
  readonly reason?: string;
}
