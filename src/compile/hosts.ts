/** Hosts: every name that can be called, and what answers on each of its ports. */
import type { SourcePlace } from "../lib/problem.ts";
import { defaultNamespace, type Namespace, type VersionName } from "../model/names.ts";
import type { ExternalService, HeaderChanges, Port, Protocol, Service } from "../model/types.ts";
import type { App, GatewaySettings } from "../model/world.ts";
import { appPorts, callablePorts, externalBackendId, versionBackendId } from "./backends.ts";
import { idleTimeoutMs, requestTimeoutMs, safeRetries } from "./defaults.ts";
import type { Host, HostPort, Route, WeightedBackend } from "./mesh-plan.ts";
import { rescale } from "./weights.ts";

export const noHeaderChanges: HeaderChanges = { add: [], set: [], remove: [] };

/** `web.localhost`, or `web.team-a.localhost` outside the default namespace. */
export function gatewayDomain(name: string, namespace: Namespace, gateway: GatewaySettings): string {
  return namespace === defaultNamespace ? `${name}.${gateway.domain}` : `${name}.${namespace}.${gateway.domain}`;
}

/** The versions of an app that have `port`, by the app's weights; those at 0 get nothing. Sums to 10 000, or is empty. */
export function appDestinations(app: App, port: number): readonly WeightedBackend[] {
  const weighted = [...app.versions.values()]
    .filter((service) => service.ports.some((other) => other.port === port) && (app.weights.get(service.version) ?? 0) > 0)
    .map((service) => ({ backend: versionBackendId(app.namespace, app.name, service.version, port), weight: app.weights.get(service.version) ?? 0 }));
  return rescale(weighted);
}

function plainRoute(name: string, destinations: readonly WeightedBackend[]): Route {
  return {
    name,
    match: [],
    requestHeaders: noHeaderChanges,
    responseHeaders: noHeaderChanges,
    action: { kind: "forward", destinations, timeoutMs: requestTimeoutMs, idleTimeoutMs, retries: safeRetries },
  };
}

function hostPort(name: string, protocol: Protocol, ports: readonly number[], destinations: readonly WeightedBackend[]): HostPort {
  return protocol === "tcp" ? { kind: "tcp", ports, destinations } : { kind: "http", ports, protocol, routes: [plainRoute(name, destinations)] };
}

interface HostAddress {
  readonly address?: string;
}

function addressOf(addresses: ReadonlyMap<string, string>, namespace: Namespace, name: string): HostAddress {
  const address = addresses.get(`${namespace}/${name}`);
  return address === undefined ? {} : { address };
}

/** What the app's own name and its versions' names answer. */
export function appHosts(app: App, addresses: ReadonlyMap<string, string>, gateway: GatewaySettings): readonly Host[] {
  const services = [...app.versions.values()];
  const isPublic = services.some((service) => service.public);
  const ports = appPorts(app);
  const host: Host = {
    kind: "app",
    namespace: app.namespace,
    name: app.name,
    app: app.name,
    ports: ports.map((port) => hostPort(app.name, port.protocol, callablePorts(port, ports), appDestinations(app, port.port))),
    public: isPublic,
    domains: [gatewayDomain(app.name, app.namespace, gateway)],
    ...addressOf(addresses, app.namespace, app.name),
  };
  return [host, ...services.map((service) => versionHost(service, addresses, gateway))];
}

/** `web-v2`: one version, whatever its weight. */
function versionHost(service: Service, addresses: ReadonlyMap<string, string>, gateway: GatewaySettings): Host {
  const name = versionHostName(service.app, service.version);
  const answer = (port: Port): HostPort =>
    hostPort(name, port.protocol, callablePorts(port, service.ports), [{ backend: versionBackendId(service.namespace, service.app, service.version, port.port), weight: 10_000 }]);
  return {
    kind: "version",
    namespace: service.namespace,
    name,
    app: service.app,
    version: service.version,
    ports: service.ports.map(answer),
    public: service.public,
    domains: [gatewayDomain(name, service.namespace, gateway)],
    ...addressOf(addresses, service.namespace, name),
  };
}

/** The name of a version as a host: `web-v2`. */
export function versionHostName(app: string, version: VersionName): string {
  return `${app}-${version}`;
}

/** What an external service's name answers inside the mesh; it is never public. */
export function externalHost(external: ExternalService, addresses: ReadonlyMap<string, string>): Host {
  const where: { readonly where?: SourcePlace } = external.where === undefined ? {} : { where: external.where };
  return {
    kind: "external",
    namespace: external.namespace,
    name: external.name,
    ports: external.ports.map((port) =>
      hostPort(external.name, port.protocol, callablePorts(port, external.ports), [{ backend: externalBackendId(external.namespace, external.name, port.port), weight: 10_000 }]),
    ),
    public: false,
    domains: [],
    ...addressOf(addresses, external.namespace, external.name),
    ...where,
  };
}
