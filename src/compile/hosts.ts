/** Hosts: every name that can be called, and what answers on each of its ports. */
import { memoizeLast } from "../lib/memoize.ts";
import type { SourcePlace } from "../lib/problem.ts";
import { defaultNamespace, type Namespace, type VersionName } from "../model/names.ts";
import type { ExternalService, HeaderChanges, Port, Protocol, Service } from "../model/types.ts";
import type { App, GatewaySettings } from "../model/world.ts";
import { appPorts, callablePorts, externalBackendId, idleLimit, versionBackendId } from "./backends.ts";
import { requestTimeoutMs, safeRetries } from "./defaults.ts";
import type { Host, HostPort, Route, RoutedConnections, WeightedBackend } from "./mesh-plan.ts";
import { rescale } from "./weights.ts";

export const noHeaderChanges: HeaderChanges = { add: [], set: [], remove: [] };

/** `web.localhost`, or `web.team-a.localhost` outside the default namespace. */
export function gatewayDomain(name: string, namespace: Namespace, domain: string): string {
  return namespace === defaultNamespace ? `${name}.${domain}` : `${name}.${namespace}.${domain}`;
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
    action: { kind: "forward", destinations, timeoutMs: requestTimeoutMs, ...idleLimit(destinations), retries: safeRetries },
  };
}

function hostPort(name: string, protocol: Protocol, ports: readonly number[], destinations: readonly WeightedBackend[]): HostPort {
  return protocol === "tcp" ? { kind: "tcp", ports, destinations } : { kind: "http", ports, protocol, routes: [plainRoute(name, destinations)] };
}

function addressed(address: string | undefined): { readonly address?: string } {
  return address === undefined ? {} : { address };
}

/**
 * What the app's own name and its versions' names answer. What did not change is the same object as before.
 * @param routed the ports of a name that have routes of their own
 */
export function appHosts(
  app: App,
  addresses: ReadonlyMap<string, string>,
  gateway: GatewaySettings,
  routed: (name: string) => readonly RoutedPort[],
): readonly Host[] {
  const addressOf = (name: string): string | undefined => addresses.get(`${app.namespace}/${name}`);
  const versions = [...app.versions.values()].sort((a, b) => (a.version < b.version ? -1 : 1));
  return [
    appHost(app, addressOf(app.name), gateway.domain, ...routed(app.name)),
    ...versions.map((service) => {
      const name = versionHostName(service.app, service.version);
      return versionHost(service, addressOf(name), gateway.domain, ...routed(name));
    }),
  ];
}

/** A port of a name that has routes of its own: they answer in place of weights. */
export type RoutedPort = { readonly port: number } & (
  | { readonly kind: "http"; readonly routes: readonly Route[] }
  | { readonly kind: "connections"; readonly routed: RoutedConnections }
);

/** What a port answers with `routed` for it, if there is one. Routes say what it speaks from then on: a TCP port that has HTTP routes speaks HTTP. */
export function withRoutes(answer: HostPort, routed: readonly RoutedPort[]): HostPort {
  const found = routed.find(({ port }) => port === answer.ports[0]);
  if (found === undefined) return answer;
  const { ports } = answer;
  if (found.kind === "connections") return { kind: "tcp", ports, destinations: [], routed: found.routed };
  return { kind: "http", ports, protocol: answer.kind === "http" ? answer.protocol : "http", routes: found.routes };
}

const appHost = memoizeLast((app: App, address: string | undefined, domain: string, ...routed: readonly RoutedPort[]): Host => {
  const ports = appPorts(app);
  return {
    kind: "app",
    namespace: app.namespace,
    name: app.name,
    app: app.name,
    ports: ports.map((port) => withRoutes(hostPort(app.name, port.protocol, callablePorts(port, ports), appDestinations(app, port.port)), routed)),
    public: [...app.versions.values()].some((service) => service.public),
    domains: [gatewayDomain(app.name, app.namespace, domain)],
    ...addressed(address),
  };
});

/** `web-v2`: one version, whatever its weight. */
const versionHost = memoizeLast((service: Service, address: string | undefined, domain: string, ...routed: readonly RoutedPort[]): Host => {
  const name = versionHostName(service.app, service.version);
  const answer = (port: Port): HostPort =>
    withRoutes(hostPort(name, port.protocol, callablePorts(port, service.ports), versionDestination(service, port.port)), routed);
  return {
    kind: "version",
    namespace: service.namespace,
    name,
    app: service.app,
    version: service.version,
    ports: service.ports.map(answer),
    public: service.public,
    domains: [gatewayDomain(name, service.namespace, domain)],
    ...addressed(address),
  };
});

/** All traffic to one port of a version; nothing where it does not have it. */
export function versionDestination({ namespace, app, version, ports }: Service, port: number): readonly WeightedBackend[] {
  return ports.some((own) => own.port === port) ? [{ backend: versionBackendId(namespace, app, version, port), weight: 10_000 }] : [];
}

/** The name of a version as a host: `web-v2`. */
export function versionHostName(app: string, version: VersionName): string {
  return `${app}-${version}`;
}

/** What an external service's name answers inside the mesh; it is never public. */
export function externalHost(external: ExternalService, addresses: ReadonlyMap<string, string>): Host {
  return hostOfExternal(external, addresses.get(`${external.namespace}/${external.name}`));
}

const hostOfExternal = memoizeLast((external: ExternalService, address: string | undefined): Host => {
  const where: { readonly where?: SourcePlace } = external.where === undefined ? {} : { where: external.where };
  return {
    kind: "external",
    namespace: external.namespace,
    name: external.name,
    ports: external.ports.map((port) => hostPort(external.name, port.protocol, callablePorts(port, external.ports), [externalDestination(external, port)])),
    public: false,
    domains: [],
    ...addressed(address),
    ...where,
  };
});

/** All traffic to one port of an external service. It expects the Host header that a caller without a mesh would send: its own name, not ours. */
export function externalDestination(external: ExternalService, port: Port): WeightedBackend {
  const destination = { backend: externalBackendId(external.namespace, external.name, port.port), weight: 10_000 };
  const [first] = external.endpoints;
  if (port.protocol === "tcp" || first === undefined) return destination;
  const name = external.tls?.serverName ?? (first.host.includes(":") ? `[${first.host}]` : first.host);
  const usual = external.tls === undefined ? 80 : 443;
  return { ...destination, authority: first.port === usual ? name : `${name}:${first.port}` };
}
