/** What the proxies of one of a cluster's gateways do: its ports with everything resolved, and the backends that they lead to. */
import { memoizeLast, sameFields, shareList } from "../lib/memoize.ts";
import type {
  BackendTls,
  Gateway,
  GatewayHost,
  GatewayPort,
  GatewayRule,
  GatewayTarget,
  RootCertificates,
  SecuredPort,
  ServerCertificate,
  TlsServer,
} from "../model/gateway.ts";
import type { MeshPods } from "../model/mesh-pod.ts";
import type { SpiffeId, TrustDomain } from "../model/spiffe.ts";
import type { DestinationRef } from "../model/types.ts";
import type { World } from "../model/world.ts";
import type { BackendId, MeshPlan, PlannedTarget, Route } from "./mesh-plan.ts";
import { type ExternalBackend, isExternal, isVersion, type NodeBackend, placedBackends } from "./node-plan.ts";
import { splitBySafety } from "./safe-methods.ts";
import { type SecuredUse, securePort, securityOf } from "./secured.ts";
import { byKey, compileRule, compileTarget, type Destination, destinationsNamed, type Known } from "./service-routes.ts";

/** What answers for one domain of a port; what no route matches is answered with 404. */
export interface PlannedHost {
  readonly domain: string;
  readonly routes: readonly Route[];
}

export type PlannedServer = TlsServer<PlannedHost, PlannedTarget>;
export type PlannedPort = GatewayPort<PlannedHost, PlannedTarget>;

export interface GatewayPlan {
  readonly identity: SpiffeId;
  readonly trustDomain: TrustDomain;
  readonly ports: readonly PlannedPort[];
  /** Only those that the ports lead to. */
  readonly backends: readonly NodeBackend[];
  /** What is called by TLS. What is in the mesh is so inside of the mesh's own, and then among `backends` too. */
  readonly secured: readonly SecuredBackend[];
  readonly externals: readonly ExternalBackend[];
  /** Each once, by name. */
  readonly certificates: readonly ServerCertificate[];
  /** Each once, by name. */
  readonly roots: readonly RootCertificates[];
  /** Among `certificates`: the name of the one that is shown to those who are called by TLS. */
  readonly clientCertificate?: string;
  /** Addresses of all pods that are called by mutual TLS from here, if they are called. */
  readonly tunnels: ReadonlySet<string>;
}

/** A backend as it is called by TLS, under a name of its own. */
export interface SecuredBackend {
  readonly id: BackendId;
  readonly node: NodeBackend;
  readonly carries: "http" | "tcp";
  readonly tls: BackendTls;
}

/**
 * Decides for one gateway. Equal arguments give equal plans; parts that say the same as in `before`, the plan of this gateway before this one, are the same
 * objects.
 */
export function compileGateway(gateway: Gateway, world: World, plan: MeshPlan, mesh: MeshPods, before?: GatewayPlan): GatewayPlan {
  const { identity, secured, clientCertificate } = gateway;
  const security = securityOf(secured, ...destinationsNamed(secured.map(refOf), world));
  const ports = gateway.ports.map((port) => securePort(compilePort(port, ...destinationsNamed(refsOf(port), world)), security));
  const uses = new Map(ports.flatMap((port) => port.uses.map((use) => [use.id, use] as const)));
  const shown = uses.size === 0 ? undefined : clientCertificate;
  const named = {
    certificates: byName([...gateway.ports.flatMap(certificatesOf), ...(shown === undefined ? [] : [shown])]),
    roots: byName([...gateway.ports.flatMap(clientRootsOf), ...rootsOf(uses)]),
  };
  return {
    ...gatewayPlan(
      identity,
      ports.map(({ port }) => port),
      plan,
      mesh,
      before,
      [...uses.values()],
    ),
    ...named,
    ...(shown === undefined ? {} : { clientCertificate: shown.name }),
  };
}

function refOf({ namespace, name, port }: SecuredPort): DestinationRef {
  return { kind: "app", namespace, name, port };
}

function rootsOf(uses: ReadonlyMap<BackendId, SecuredUse>): readonly RootCertificates[] {
  return [...uses.values()].flatMap(({ tls: { roots } }) => (roots === "system" ? [] : [roots]));
}

function byName<Named extends { readonly name: string }>(list: readonly Named[]): readonly Named[] {
  return [...new Map(list.map((one) => [one.name, one])).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The plan of a gateway that does what its ports say. `uses` are names in them that mean backends by TLS. */
export function gatewayPlan(
  identity: SpiffeId,
  ports: readonly PlannedPort[],
  plan: MeshPlan,
  mesh: MeshPods,
  before?: GatewayPlan,
  uses: readonly SecuredUse[] = [],
): GatewayPlan {
  const plain = new Set(ports.flatMap(backendsOf));
  const used = new Set([...plain, ...uses.map(({ backend }) => backend)]);
  const meant = plan.backends.filter(({ id }) => used.has(id));
  const known = before === undefined ? [] : [...before.backends, ...before.secured.map(({ node }) => node)];
  const placed = placedBackends(plan, meant.filter(isVersion), mesh, undefined, known);
  const knownSecured = new Map(before?.secured.map((one) => [one.id, one]));
  const secured = uses.flatMap((use) => placed.filter(({ backend }) => backend.id === use.backend).map((node) => securedBackend(node, use, knownSecured)));
  const carriers = new Set(secured.filter(({ node }) => node.peers.length > 0).map(({ node }) => node));
  return {
    identity,
    trustDomain: mesh.trustDomain,
    ports: shareList(before?.ports, ports),
    backends: shareList(
      before?.backends,
      placed.filter((node) => plain.has(node.backend.id) || carriers.has(node)),
    ),
    secured: shareList(before?.secured, secured),
    externals: shareList(before?.externals, meant.filter(isExternal)),
    certificates: [],
    roots: [],
    tunnels: new Set(mesh.joined.keys()),
  };
}

function securedBackend(node: NodeBackend, { id, carries, tls }: SecuredUse, before: ReadonlyMap<BackendId, SecuredBackend>): SecuredBackend {
  const [known, next] = [before.get(id), { id, node, carries, tls }];
  return known !== undefined && sameFields(known, next) ? known : next;
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

function clientRootsOf(port: GatewayPort): readonly RootCertificates[] {
  return port.kind === "tls" ? port.servers.flatMap((server) => (server.kind === "https" && server.clients !== undefined ? [server.clients.roots] : [])) : [];
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
