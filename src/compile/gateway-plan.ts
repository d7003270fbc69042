/** What the proxies of one of a cluster's gateways do: its ports with everything resolved, and the backends that they lead to. */
import { memoizeLast, shareList } from "../lib/memoize.ts";
import type { Gateway, GatewayHost, GatewayPort, GatewayRule, GatewayTarget, ServerCertificate, TlsServer } from "../model/gateway.ts";
import type { MeshPods } from "../model/mesh-pod.ts";
import type { SpiffeId, TrustDomain } from "../model/spiffe.ts";
import type { DestinationRef } from "../model/types.ts";
import type { World } from "../model/world.ts";
import type { BackendId, MeshPlan, PlannedTarget, Route } from "./mesh-plan.ts";
import { type ExternalBackend, isExternal, isVersion, type NodeBackend, placedBackends } from "./node-plan.ts";
import { splitBySafety } from "./safe-methods.ts";
import { byKey, compileRule, compileTarget, type Destination, destinationsNamed, type Known } from "./service-routes.ts";

/** What answers for one domain of a port; what no route matches is answered with 404. */
export interface PlannedHost {
  readonly domain: string;
  readonly routes: readonly Route[];
}

export type PlannedServer = { readonly name: string; readonly domain: string } & (
  | {
      readonly kind: "https";
      readonly certificates: readonly ServerCertificate[];
      readonly hosts: readonly PlannedHost[];
      readonly misdirected: readonly string[];
    }
  | { readonly kind: "terminate"; readonly certificates: readonly ServerCertificate[]; readonly target: PlannedTarget }
  | { readonly kind: "passthrough"; readonly target: PlannedTarget }
);

export type PlannedPort = { readonly port: number } & (
  | { readonly kind: "http"; readonly hosts: readonly PlannedHost[] }
  | { readonly kind: "tls"; readonly servers: readonly PlannedServer[] }
  | { readonly kind: "tcp"; readonly target: PlannedTarget }
);

export interface GatewayPlan {
  readonly identity: SpiffeId;
  readonly trustDomain: TrustDomain;
  readonly ports: readonly PlannedPort[];
  /** Only those that the ports lead to. */
  readonly backends: readonly NodeBackend[];
  readonly externals: readonly ExternalBackend[];
  /** Each once, by name. */
  readonly certificates: readonly ServerCertificate[];
  /** Addresses of all pods that are called by mutual TLS from here, if they are called. */
  readonly tunnels: ReadonlySet<string>;
}

/**
 * Decides for one gateway. Equal arguments give equal plans; parts that say the same as in `before`, the plan of this gateway before this one, are the same
 * objects.
 */
export function compileGateway(gateway: Gateway, world: World, plan: MeshPlan, mesh: MeshPods, before?: GatewayPlan): GatewayPlan {
  const ports = gateway.ports.map((port) => compilePort(port, ...destinationsNamed(refsOf(port), world)));
  const certificates = new Map(gateway.ports.flatMap(certificatesOf).map((certificate) => [certificate.name, certificate]));
  return {
    ...gatewayPlan(gateway.identity, ports, plan, mesh, before),
    certificates: [...certificates.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** The plan of a gateway that does what its ports say. */
export function gatewayPlan(identity: SpiffeId, ports: readonly PlannedPort[], plan: MeshPlan, mesh: MeshPods, before?: GatewayPlan): GatewayPlan {
  const used = new Set(ports.flatMap(backendsOf));
  const meant = plan.backends.filter(({ id }) => used.has(id));
  const backends = placedBackends(plan, meant.filter(isVersion), mesh, undefined, before?.backends);
  return {
    identity,
    trustDomain: mesh.trustDomain,
    ports: shareList(before?.ports, ports),
    backends: shareList(before?.backends, backends),
    externals: shareList(before?.externals, meant.filter(isExternal)),
    certificates: [],
    tunnels: new Set(mesh.joined.keys()),
  };
}

/** What a port's rules and targets name. */
function refsOf(port: GatewayPort): readonly DestinationRef[] {
  return [...hostsOf(port).flatMap(refsOfHost), ...targetsOf(port).flatMap(({ destinations }) => destinations.map(({ to }) => to))];
}

function hostsOf(port: GatewayPort): readonly GatewayHost[] {
  if (port.kind === "http") return port.hosts;
  return port.kind === "tcp" ? [] : port.servers.flatMap((server) => (server.kind === "https" ? server.hosts : []));
}

function targetsOf(port: GatewayPort): readonly GatewayTarget[] {
  if (port.kind === "tcp") return [port.target];
  return port.kind === "http" ? [] : port.servers.flatMap((server) => (server.kind === "https" ? [] : [server.target]));
}

function refsOfHost({ rules }: GatewayHost): readonly DestinationRef[] {
  return rules.flatMap(({ action }) => (action.kind === "forward" ? [...action.destinations, ...(action.mirrors ?? [])].map(({ to }) => to) : []));
}

function certificatesOf(port: GatewayPort): readonly ServerCertificate[] {
  return port.kind === "tls" ? port.servers.flatMap((server) => (server.kind === "passthrough" ? [] : server.certificates)) : [];
}

const compilePort = memoizeLast((port: GatewayPort, ...list: readonly Destination[]): PlannedPort => {
  const apps = byKey(list);
  switch (port.kind) {
    case "http":
      return { kind: "http", port: port.port, hosts: port.hosts.map((host) => compileHost(host, apps)) };
    case "tcp":
      return { kind: "tcp", port: port.port, target: compileTarget(port.target, apps) };
    case "tls":
      return { kind: "tls", port: port.port, servers: port.servers.map((server) => compileServer(server, apps)) };
    default:
      return port satisfies never;
  }
});

function compileServer(server: TlsServer, apps: Known): PlannedServer {
  if (server.kind === "https") return { ...server, hosts: server.hosts.map((host) => compileHost(host, apps)) };
  return { ...server, target: compileTarget(server.target, apps) };
}

function compileHost({ domain, rules }: GatewayHost, apps: Known): PlannedHost {
  const compile = (rule: GatewayRule, index: number): Route => {
    const route = compileRule(rule, `${domain}#${index}`, apps);
    return rule.cors === undefined ? route : { ...route, cors: rule.cors };
  };
  return { domain, routes: rules.map(compile).flatMap(splitBySafety) };
}

function backendsOf(port: PlannedPort): readonly BackendId[] {
  const hosts = port.kind === "http" ? port.hosts : port.kind === "tcp" ? [] : port.servers.flatMap((server) => (server.kind === "https" ? server.hosts : []));
  const targets =
    port.kind === "tcp" ? [port.target] : port.kind === "http" ? [] : port.servers.flatMap((server) => (server.kind === "https" ? [] : [server.target]));
  const routed = hosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) => (action.kind === "forward" ? [...action.destinations, ...(action.mirrors ?? [])].map(({ backend }) => backend) : [])),
  );
  return [...routed, ...targets.flatMap(({ destinations }) => destinations.map(({ backend }) => backend))];
}
