/** Kubernetes objects as an API server sends them, with only what a test cares about said. */
import type { ClusterView, Objects } from "../../src/providers/kubernetes/objects.ts";
import { readBackendTlsPolicy, readRoots } from "../../src/providers/kubernetes/read-backend-tls.ts";
import { contentReader, declarationReader, readAutoscaler, runnerReader, writtenReader } from "../../src/providers/kubernetes/read-declarations.ts";
import { readGateway, readGatewayClass, readListenerSet, readTlsSecret } from "../../src/providers/kubernetes/read-gateways.ts";
import { readJob } from "../../src/providers/kubernetes/read-jobs.ts";
import { readEndpointSlice, readNamespace, readNode, readPod, readService } from "../../src/providers/kubernetes/read-objects.ts";
import { readGrpcRoute, readHttpRoute, readReferenceGrant, readTcpRoute, readTlsRoute } from "../../src/providers/kubernetes/read-routes.ts";
import { managedLabel } from "../../src/providers/kubernetes/workload-objects.ts";
import type { FakeObject } from "./fake-kube-api.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Meta {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** `shop/web` → its metadata; without a `/` the object is of no namespace. */
function meta(place: string, said: Meta): FakeObject["metadata"] {
  const [first = "", second] = place.split("/");
  return { uid: `uid-${place}`, ...(second === undefined ? { name: first } : { namespace: first, name: second }), ...said };
}

export function namespaceObject(name: string, said: Meta = {}): FakeObject {
  return { metadata: meta(name, said), status: { phase: "Active" } };
}

export function nodeObject(name: string, address = "10.0.0.1"): FakeObject {
  return {
    metadata: meta(name, {}),
    spec: { podCIDR: "10.1.0.0/24", podCIDRs: ["10.1.0.0/24"] },
    status: {
      addresses: [
        { type: "Hostname", address: name },
        { type: "InternalIP", address },
      ],
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

/** A pod that runs and is ready, on node `n1`. */
export function podObject(place: string, said: { readonly meta?: Meta; readonly spec?: Fields; readonly status?: Fields } = {}): FakeObject {
  return {
    metadata: meta(place, said.meta ?? {}),
    spec: { nodeName: "n1", serviceAccountName: "default", containers: [], ...said.spec },
    status: { phase: "Running", podIP: "10.1.0.9", podIPs: [{ ip: "10.1.0.9" }], conditions: [{ type: "Ready", status: "True" }], ...said.status },
  };
}

/** A Service with a selector; ports are as in YAML. */
export function serviceObject(place: string, ports: readonly Fields[], spec: Fields = {}): FakeObject {
  return { metadata: meta(place, {}), spec: { type: "ClusterIP", clusterIP: "10.96.0.7", clusterIPs: ["10.96.0.7"], selector: { app: "x" }, ports, ...spec } };
}

/** A slice of the Service in its place's name before the last `-`: `shop/web-1` is of `web`. */
export function sliceObject(place: string, endpoints: readonly Fields[], ports: readonly Fields[] = [{ name: "", port: 8080 }], said: Fields = {}): FakeObject {
  const service = (place.split("/")[1] ?? "").replace(/-[^-]*$/, "");
  return { metadata: meta(place, { labels: { "kubernetes.io/service-name": service } }), addressType: "IPv4", endpoints, ports, ...said };
}

/** An endpoint that is a pod of this number. */
export function podEndpoint(number: number, conditions: Fields = { ready: true, serving: true, terminating: false }): Fields {
  return { addresses: [`10.1.0.${number}`], conditions, nodeName: "n1", targetRef: { kind: "Pod", uid: `pod-${number}` } };
}

export interface Raw {
  readonly namespaces?: readonly FakeObject[];
  readonly nodes?: readonly FakeObject[];
  readonly pods?: readonly FakeObject[];
  readonly services?: readonly FakeObject[];
  readonly slices?: readonly FakeObject[];
  readonly httpRoutes?: readonly FakeObject[];
  readonly grpcRoutes?: readonly FakeObject[];
  readonly tlsRoutes?: readonly FakeObject[];
  readonly tcpRoutes?: readonly FakeObject[];
  readonly gatewayClasses?: readonly FakeObject[];
  readonly gateways?: readonly FakeObject[];
  readonly listenerSets?: readonly FakeObject[];
  readonly tlsSecrets?: readonly FakeObject[];
  readonly grants?: readonly FakeObject[];
  readonly backendTlsPolicies?: readonly FakeObject[];
  /** ConfigMaps with root certificates. */
  readonly roots?: readonly FakeObject[];
  readonly apps?: readonly FakeObject[];
  readonly versions?: readonly FakeObject[];
  readonly declaredJobs?: readonly FakeObject[];
  readonly jobs?: readonly FakeObject[];
  readonly cronJobs?: readonly FakeObject[];
  readonly routers?: readonly FakeObject[];
  readonly externals?: readonly FakeObject[];
  readonly configs?: readonly FakeObject[];
  readonly secrets?: readonly FakeObject[];
  readonly deployments?: readonly FakeObject[];
  readonly statefulSets?: readonly FakeObject[];
  readonly daemonSets?: readonly FakeObject[];
  readonly autoscalers?: readonly FakeObject[];
  readonly accounts?: readonly FakeObject[];
  readonly budgets?: readonly FakeObject[];
  /** Those that Weir wrote. */
  readonly configMaps?: readonly FakeObject[];
}

/** A view of these objects, as it is after they were listed in this order. */
export function clusterView(raw: Raw): ClusterView {
  return {
    namespaces: read(raw.namespaces, readNamespace),
    nodes: read(raw.nodes, readNode),
    pods: read(raw.pods, readPod),
    services: read(raw.services, readService),
    endpointSlices: read(raw.slices, readEndpointSlice),
    httpRoutes: read(raw.httpRoutes, readHttpRoute),
    grpcRoutes: read(raw.grpcRoutes, readGrpcRoute),
    tlsRoutes: read(raw.tlsRoutes, readTlsRoute),
    tcpRoutes: read(raw.tcpRoutes, readTcpRoute),
    gatewayClasses: read(raw.gatewayClasses, readGatewayClass),
    gateways: read(raw.gateways, readGateway),
    listenerSets: read(raw.listenerSets, readListenerSet),
    tlsSecrets: read(raw.tlsSecrets, readTlsSecret),
    referenceGrants: read(raw.grants, readReferenceGrant),
    backendTlsPolicies: read(raw.backendTlsPolicies, readBackendTlsPolicy),
    roots: read(raw.roots, readRoots),
    apps: read(raw.apps, declarationReader("app")),
    versions: read(raw.versions, declarationReader("service")),
    declaredJobs: read(raw.declaredJobs, declarationReader("job")),
    jobs: read(raw.jobs, readJob),
    cronJobs: read(raw.cronJobs, writtenReader("CronJob")),
    routers: read(raw.routers, declarationReader("router")),
    externals: read(raw.externals, declarationReader("external")),
    configs: read(raw.configs, contentReader("ConfigMap")),
    secrets: read(raw.secrets, contentReader("Secret")),
    deployments: read(raw.deployments, runnerReader("Deployment")),
    statefulSets: read(raw.statefulSets, runnerReader("StatefulSet")),
    daemonSets: read(raw.daemonSets, runnerReader("DaemonSet")),
    autoscalers: read(raw.autoscalers, readAutoscaler),
    ownServices: read(raw.services?.filter(isManaged), writtenReader("Service")),
    ownAccounts: read(raw.accounts, writtenReader("ServiceAccount")),
    ownBudgets: read(raw.budgets, writtenReader("PodDisruptionBudget")),
    ownConfigMaps: read(raw.configMaps, writtenReader("ConfigMap")),
    connected: true,
  };
}

function isManaged({ metadata }: FakeObject): boolean {
  const labels = metadata["labels"] as Readonly<Record<string, string>> | undefined;
  return labels?.[managedLabel.key] === managedLabel.value;
}

function read<T>(objects: readonly FakeObject[] = [], one: (raw: unknown) => T): Objects<T> {
  return new Map(objects.map((object) => [[object.metadata.namespace, object.metadata.name].filter((part) => part !== undefined).join("/"), one(object)]));
}
