/** MeshPlan → Gateway API objects (v1, standard channel), for any mesh and gateway that conform to it. */

import type { Host, MeshPlan, Route } from "../../compile/mesh-plan.ts";
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import { askedRetries, type Backends, backendsOf, callableHosts, isPlainHost } from "../kubernetes/backends.ts";
import { emitAddresses, emitAlias, localAddressProblems, portDestination } from "../kubernetes/external.ts";
import { nameProblems } from "../kubernetes/names.ts";
import type { Emission, KubeObject } from "../kubernetes/object.ts";
import { distinctProblems } from "../kubernetes/refusal.ts";
import { emitService } from "../kubernetes/service.ts";
import { type CheckSetting, externalProblems, httpPortProblems } from "./check.ts";
import { type Dialect, gatewayDuration, type Objection } from "./dialect.ts";
import { emitGateway, emitGatewayTcpRoutes, gatewayName, gatewayNamespace, publicHosts } from "./gateway.ts";
import { emitGrants } from "./grants.ts";
import { emitGatewayRoutes, emitMeshRoutes, groupRoutes } from "./route.ts";

/** Gateway API as its standard channel has it. */
export const standardDialect: Dialect = {
  mesh: "gateway-api",
  appProtocols: { http: "http", http2: "kubernetes.io/h2c", grpc: "kubernetes.io/h2c", tcp: "tcp" },
  urlRewrite: true,
  redirectPath: true,
  redirectCodes: [301, 302, 303, 307, 308],
  tcpRouteVersion: "v1",
  referenceGrants: true,
  membership: { labels: {}, annotations: {} },
  // A GRPCRoute has no timeouts.
  grpcKind: ({ action }) => (action.kind === "forward" && action.timeoutMs === 0 ? "GRPCRoute" : "HTTPRoute"),
  limitObjections: retryObjections,
  limits: ({ action }) => ({
    rule: action.kind === "forward" && action.timeoutMs > 0 ? { timeouts: { request: gatewayDuration(action.timeoutMs) } } : {},
    annotations: {},
  }),
};

/** Emits all objects of a plan for any conforming mesh, or every reason why it cannot be said. */
export function emitGatewayApi(plan: MeshPlan): Result<Emission> {
  return emitWith(plan, { mesh: standardDialect, gateway: standardDialect });
}

/** How routes are written inside the mesh, and how at the gateway in front of it. */
export interface Dialects {
  readonly mesh: Dialect;
  readonly gateway: Dialect;
}

/** Emits all objects of a plan in the given dialects, or every reason why it cannot be said. */
export function emitWith(plan: MeshPlan, dialects: Dialects): Result<Emission> {
  const backends = backendsOf(plan);
  const callable = { ...plan, hosts: callableHosts(plan).map(keepingHostHeader) };
  const problems = distinctProblems(problemsOf(callable, backends, dialects));
  if (problems.length > 0) return failed(...problems);
  return ok({ objects: emitObjects(callable, backends, dialects), membership: dialects.mesh.membership, notices: noticesOf(callable, dialects.mesh) });
}

function problemsOf(plan: MeshPlan, backends: Backends, dialects: Dialects): readonly Problem[] {
  const externals = new Map(plan.hosts.filter(({ kind }) => kind === "external").map((host) => [`${host.namespace}/${host.name}`, host]));
  const inMesh: CheckSetting = { dialect: dialects.mesh, backends, externals };
  const atGateway: CheckSetting = { dialect: dialects.gateway, backends, externals };
  return [
    ...nameProblems(plan.hosts),
    ...[...externals.values()].flatMap((host) => [...localAddressProblems(host, backends, dialects.mesh.mesh), ...externalProblems(host, inMesh)]),
    ...plan.hosts.flatMap((host) => {
      const inside = isPlainHost(host) || host.kind === "external" ? [] : host.ports.flatMap((port) => portProblems(host, port, inMesh));
      const outside = publicHosts(plan).includes(host) ? host.ports.slice(0, firstHttp(host) + 1).flatMap((port) => portProblems(host, port, atGateway)) : [];
      // One reason for a rule is enough: what the mesh already refuses need not be refused again at the gateway.
      return [...inside, ...outside.filter(({ where }) => !inside.some((problem) => problem.where === where))];
    }),
  ];
}

function firstHttp(host: Host): number {
  return host.ports.findIndex(({ kind }) => kind === "http");
}

function portProblems(host: Host, port: Host["ports"][number], setting: CheckSetting): readonly Problem[] {
  return port.kind === "tcp" ? [] : httpPortProblems(host, groupRoutes(port, setting.dialect), setting);
}

function emitObjects(plan: MeshPlan, backends: Backends, dialects: Dialects): readonly KubeObject[] {
  const inMesh = { dialect: dialects.mesh, backends };
  const gateway = { name: gatewayName, namespace: gatewayNamespace(plan, inMesh) };
  const atGateway = { dialect: dialects.gateway, backends, gateway };
  const routes = plan.hosts.flatMap((host) => [...emitMeshRoutes(host, inMesh), ...emitGatewayRoutes(host, atGateway)]);
  const all = [...routes, ...emitGatewayTcpRoutes(plan, inMesh)];
  return [
    ...plan.hosts.flatMap((host) => emitServices(host, backends, dialects.mesh)),
    ...emitGateway(plan, inMesh),
    ...all,
    ...(dialects.mesh.referenceGrants ? emitGrants(all) : []),
  ];
}

function emitServices(host: Host, backends: Backends, { appProtocols }: Dialect): readonly KubeObject[] {
  if (host.kind !== "external") return [emitService(host, backends, appProtocols)];
  const [name] = host.ports.map((port) => portDestination(port, backends)).filter(({ kind }) => kind === "names");
  return name?.targets[0] === undefined ? emitAddresses(host, backends, appProtocols) : [emitAlias(host, name.targets[0].host)];
}

function retryObjections(route: Route): readonly Objection[] {
  if ((askedRetries(route)?.attempts ?? 0) === 0) return [];
  return [
    {
      because: "has no retries in its standard channel",
      hint: "Take `retries` away, or export for istio.",
    },
  ];
}

function noticesOf(plan: MeshPlan, dialect: Dialect): readonly string[] {
  const notices: string[] = [];
  if (publicHosts(plan).length + plan.gatewayTcp.length > 0) {
    notices.push(`Gateway \`${gatewayName}\` asks for GatewayClass \`${gatewayName}\`: set gatewayClassName to a class of your cluster.`);
  }
  if (plan.hosts.some(({ kind, domains }) => kind === "router" && domains.length > 1)) {
    notices.push("A router's host names count at the gateway; inside the mesh callers use its own name.");
  }
  if (dialect.mesh === "gateway-api" && usesPatterns(plan)) {
    notices.push("Patterns (regex, cookies, prefixes of headers) are up to each implementation of Gateway API: RE2 is assumed.");
  }
  const byAddress = plan.hosts.filter(({ kind, ports }) => kind === "external" && ports.some((port) => port.kind === "http"));
  for (const { name } of byAddress) notices.push(`External service \`${name}\` gets the Host header that the caller sent, not its own address.`);
  return notices;
}

/**
 * An address is no name that Gateway API could put in the Host header, and hardly a server behind a bare address looks
 * at it: the caller's stays, and a notice says so. (Names are another matter; what expects one is refused.)
 */
function keepingHostHeader(host: Host): Host {
  const kept = (route: Route): Route => {
    if (route.action.kind === "redirect") return route;
    const destinations = route.action.destinations.map(({ authority, ...rest }) =>
      authority === undefined || /^(?:\d+\.\d+\.\d+\.\d+|\[.*\])(?::\d+)?$/.test(authority) ? rest : { ...rest, authority },
    );
    return { ...route, action: { ...route.action, destinations } };
  };
  return { ...host, ports: host.ports.map((port) => (port.kind === "tcp" ? port : { ...port, routes: port.routes.map(kept) })) };
}

function usesPatterns(plan: MeshPlan): boolean {
  return plan.hosts.some(({ ports }) =>
    ports.some(
      (port) =>
        port.kind === "http" &&
        port.routes.some(({ match }) =>
          match.some(
            ({ path, headers, query, cookies }) =>
              path?.kind === "regex" || cookies.length > 0 || [...headers, ...query].some(({ value }) => value.kind !== "exact"),
          ),
        ),
    ),
  );
}
