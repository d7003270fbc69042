/** Backends: one for each port of each version and each external service. */
import { memoize } from "../lib/memoize.ts";
import type { Namespace, VersionName } from "../model/names.ts";
import type { ExternalService, Port, Service } from "../model/types.ts";
import type { App, Endpoint } from "../model/world.ts";
import { connectTimeoutMs, externalConnectTimeoutMs, limits, outsideIdleTimeoutMs } from "./defaults.ts";
import type { Backend, BackendId, WeightedBackend } from "./mesh-plan.ts";

/** The stable name of a version's port: `web@v1.default:80`. */
export function versionBackendId(namespace: Namespace, app: string, version: VersionName, port: number): BackendId {
  return `${app}@${version}.${namespace}:${port}` as BackendId;
}

/** The stable name of an external service's port: `external/db.default:5432`. */
export function externalBackendId(namespace: Namespace, name: string, port: number): BackendId {
  return `external/${name}.${namespace}:${port}` as BackendId;
}

/** How long a request may stand still that may leave the mesh. */
export function idleLimit(destinations: readonly WeightedBackend[]): { readonly idleTimeoutMs?: number } {
  return destinations.some(({ backend }) => backend.startsWith("external/")) ? { idleTimeoutMs: outsideIdleTimeoutMs } : {};
}

/** A version's backends, in the order of its ports; the same objects as long as the service is the same. */
export const versionBackends: (service: Service) => readonly Backend[] = memoize((service) =>
  service.ports.map((port) => ({
    kind: "version",
    id: versionBackendId(service.namespace, service.app, service.version, port.port),
    namespace: service.namespace,
    app: service.app,
    version: service.version,
    protocol: port.protocol,
    port: port.port,
    containerPort: port.containerPort,
    drainMs: service.drainMs,
    connectTimeoutMs,
    limits,
  })),
);

/** An external service's backends, in the order of its ports; the same objects as long as it is the same. */
export const externalBackends: (external: ExternalService) => readonly Backend[] = memoize((external) =>
  external.ports.map((port) => ({
    kind: "external",
    id: externalBackendId(external.namespace, external.name, port.port),
    namespace: external.namespace,
    name: external.name,
    protocol: port.protocol,
    port: port.port,
    targets: external.endpoints,
    connectTimeoutMs: externalConnectTimeoutMs,
    limits,
    ...(external.tls === undefined ? {} : { tls: external.tls }),
  })),
);

/** The ports that an app has: those of the version with the most weight decide where versions differ; ports only others have follow. */
export function appPorts(app: App): readonly Port[] {
  const byWeight = [...app.versions.values()].sort(
    (a, b) => (app.weights.get(b.version) ?? 0) - (app.weights.get(a.version) ?? 0) || (a.version < b.version ? -1 : 1),
  );
  const ports = new Map<number, Port>();
  for (const port of byWeight.flatMap((service) => service.ports)) if (!ports.has(port.port)) ports.set(port.port, port);
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

/** Numbers callers may use for `port`: its own, and the container port where no other port has that number. */
export function callablePorts(port: Port, all: readonly Port[]): readonly number[] {
  if (port.containerPort === port.port) return [port.port];
  const first = all.find((other) => other.containerPort === port.containerPort);
  const free = first === port && all.every((other) => other.port !== port.containerPort);
  return free ? [port.port, port.containerPort] : [port.port];
}

/** Where an endpoint listens for a version's backend; undefined: it does not have this port. */
export function listeningPort({ ports }: Endpoint, { port, containerPort }: { readonly port: number; readonly containerPort: number }): number | undefined {
  return ports === undefined ? containerPort : ports.get(port);
}

/** Endpoints that may receive traffic; the same list for the same list. */
export const readyEndpoints: (endpoints: readonly Endpoint[]) => readonly Endpoint[] = memoize((endpoints) => endpoints.filter((endpoint) => endpoint.ready));
