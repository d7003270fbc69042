/** Declared apps, versions, routers and external services → the Kubernetes objects that make them run and be called. */
import { stackLabel } from "../../model/declared-kinds.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import type { ExternalService, Port, Protocol, Router, Service } from "../../model/types.ts";
import { portNames, versionSelector } from "./translate-pod-template.ts";
import { type Belongs, versionName } from "./translate-runners.ts";
import { appLabel, type Labels, type WrittenObject, writtenObject } from "./workload-objects.ts";

/** Why a version cannot run on a cluster; undefined: it can. */
export function whyNotHere({ image, stopSignal, adopted }: Pick<Service, "image" | "stopSignal" | "adopted">): string | undefined {
  if (adopted !== undefined) return Object.keys(adopted.selector).length === 0 ? "it adopts all pods of the namespace: its selector is empty" : undefined;
  if (image === undefined) return "it has no image: on a cluster `image` says what its containers are made from";
  if (stopSignal !== "SIGTERM") return `stopSignal ${stopSignal} is not possible on a cluster: containers are stopped by SIGTERM, or by what the image says`;
  return undefined;
}

/** The Service of one version alone; undefined: it has no ports. */
export function versionService(service: Service, belongs: Belongs): WrittenObject | undefined {
  const labels = versionSelector(service);
  const selector = service.adopted?.selector ?? labels;
  return serviceObject(versionName(service.app, service.version), service.namespace, belongs, { labels, selector, ports: meant(service) });
}

export interface AppSource {
  readonly namespace: Namespace;
  readonly app: AppName;
  /** The one whose ports count first. */
  readonly versions: readonly Service[];
  /** Callers have a Service of this name already, that of what the app adopted: it is left as it is. */
  readonly hasService: boolean;
}

/** What callers see of an app: its identity, its address, and what drains may do with it. */
export function appObjects({ namespace, app, versions, hasService }: AppSource, belongs: Belongs): readonly WrittenObject[] {
  const selector = { [appLabel]: app };
  const own = versions.filter(({ adopted }) => adopted === undefined);
  const ports = [...new Map(versions.toReversed().flatMap((service) => meant(service).map((port) => [port.port, port] as const))).values()];
  // Who calls from outside the mesh goes on reaching what was there before.
  const plain = versions.find(({ adopted }) => adopted !== undefined)?.adopted?.selector ?? selector;
  const service = hasService ? undefined : serviceObject(app, namespace, belongs, { labels: selector, selector: plain, ports });
  const replicas = own.reduce((sum, { scale, autoscale }) => sum + (autoscale?.max ?? scale), 0);
  // A budget cannot count pods that are one for each node, and would let none go.
  const isCountable = own.every(({ perNode }) => perNode !== true);
  // Pods that do not come up are no reason to keep a node from being drained.
  const budget = { maxUnavailable: 1, selector: { matchLabels: selector }, unhealthyPodEvictionPolicy: "AlwaysAllow" };
  return [
    ...(own.length === 0 ? [] : [object("ServiceAccount", app, namespace, belongs, selector, { automountServiceAccountToken: false })]),
    ...(service === undefined ? [] : [service]),
    // Of one replica, a budget would make every drain of its node wait for ever.
    ...(replicas > 1 && isCountable ? [object("PodDisruptionBudget", app, namespace, belongs, selector, { spec: budget })] : []),
  ];
}

/** Routers answer HTTP, on the port that needs no saying. */
const routerPort: MeantPort = { port: 80, protocol: "http", target: 80 };

/** A router's address: a Service without pods, which the mesh answers for. */
export function routerService({ namespace, name }: Router, belongs: Belongs): WrittenObject {
  return addressOnly(name, namespace, belongs, [routerPort]);
}

/** The same for an external service; undefined: it has no ports. */
export function externalService({ namespace, name, ports }: ExternalService, belongs: Belongs): WrittenObject | undefined {
  const meantPorts = ports.map(({ port, containerPort, protocol }) => ({ port, protocol, target: containerPort }));
  return meantPorts.length === 0 ? undefined : addressOnly(name, namespace, belongs, meantPorts);
}

interface MeantPort {
  readonly port: number;
  readonly protocol: Protocol;
  /** A number, or the name of a pod's port. */
  readonly target: number | string;
}

function meant({ ports, adopted }: Service): readonly MeantPort[] {
  // What ports are called in pods of others we do not know.
  const names = adopted === undefined ? portNames(ports) : new Map<number, string>();
  return ports.map(({ port, containerPort, protocol }: Port) => ({ port, protocol, target: names.get(containerPort) ?? containerPort }));
}

function object(
  kind: WrittenObject["kind"],
  name: string,
  namespace: Namespace,
  belongs: Belongs,
  labels: Labels,
  fields: Record<string, unknown>,
): WrittenObject {
  const all = belongs.stack === undefined ? labels : { ...labels, [stackLabel]: belongs.stack };
  return writtenObject(kind, { namespace, name, owners: belongs.owners, labels: all, fields });
}

interface ServiceOptions {
  readonly labels: Labels;
  readonly selector: Labels;
  readonly ports: readonly MeantPort[];
}

function serviceObject(name: string, namespace: Namespace, belongs: Belongs, { labels, selector, ports }: ServiceOptions): WrittenObject | undefined {
  if (ports.length === 0) return undefined;
  return object("Service", name, namespace, belongs, labels, { spec: { type: "ClusterIP", selector, ports: servicePorts(ports) } });
}

function addressOnly(name: string, namespace: Namespace, belongs: Belongs, ports: readonly MeantPort[]): WrittenObject {
  return object("Service", name, namespace, belongs, {}, { spec: { type: "ClusterIP", ports: servicePorts(ports) } });
}

/** As Kubernetes says what a port speaks (KEP-3726, and plain words where it has none). */
const appProtocols: Readonly<Record<Protocol, string>> = { http: "http", http2: "kubernetes.io/h2c", grpc: "grpc", tcp: "tcp" };

function servicePorts(ports: readonly MeantPort[]): readonly object[] {
  return ports
    .toSorted((a, b) => a.port - b.port)
    .map(({ port, protocol, target }) => ({
      name: `${protocol}-${port}`,
      port,
      targetPort: target,
      protocol: "TCP",
      appProtocol: appProtocols[protocol],
    }));
}
