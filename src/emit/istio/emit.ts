/**
 * MeshPlan → Istio objects. Versions are told apart by Services of their own, not by subsets: a version has a name to
 * call anyway, a VirtualService can never be there before its DestinationRule's subset, and the Services are the same
 * for every mesh.
 */

import type { Host, MeshPlan, Route } from "../../compile/mesh-plan.ts";
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import type { Objection } from "../gateway-api/dialect.ts";
import { gatewayHttpPort, gatewayName, gatewayNamespace, publicHosts, tcpNamespace } from "../gateway-api/gateway.ts";
import { cookieObjections } from "../gateway-api/match.ts";
import { redirectsPrefix } from "../gateway-api/rule.ts";
import { type Backends, backendsOf, callableHosts, isPlainHost } from "../kubernetes/backends.ts";
import { hasNames, localAddressProblems } from "../kubernetes/external.ts";
import { nameProblems, serviceDomain } from "../kubernetes/names.ts";
import { type Emission, type KubeFields, type KubeObject, type Membership, metadata } from "../kubernetes/object.ts";
import { distinctProblems, unsupported } from "../kubernetes/refusal.ts";
import { type AppProtocols, emitService } from "../kubernetes/service.ts";
import { emitExternal } from "./external.ts";
import { emitHttp, emitTcp, type IstioSetting } from "./route.ts";

const apiVersion = "networking.istio.io/v1";
const membership: Membership = { labels: { "istio-injection": "enabled" }, annotations: {} };
const appProtocols: AppProtocols = { http: "http", http2: "http2", grpc: "grpc", tcp: "tcp" };

/** Emits all objects of a plan for Istio, or every reason why it cannot be said. */
export function emitIstio(plan: MeshPlan): Result<Emission> {
  const backends = backendsOf(plan);
  const callable = { ...plan, hosts: callableHosts(plan) };
  const problems = distinctProblems(problemsOf(callable, backends));
  if (problems.length > 0) return failed(...problems);
  return ok({ objects: emitObjects(callable, backends), membership, notices: noticesOf(callable) });
}

function problemsOf(plan: MeshPlan, backends: Backends): readonly Problem[] {
  return [
    ...nameProblems(plan.hosts),
    ...plan.hosts.filter(({ kind }) => kind === "external").flatMap((host) => localAddressProblems(host, backends, "istio")),
    ...plan.hosts.flatMap((host) => host.ports.flatMap((port) => (port.kind === "tcp" ? [] : port.routes.flatMap((route) => routeProblems(route, host))))),
  ];
}

function routeProblems(route: Route, host: Host): readonly Problem[] {
  const repeated = [
    ...route.match.map(({ headers }) => headers),
    route.requestHeaders.set,
    route.requestHeaders.add,
    route.responseHeaders.set,
    route.responseHeaders.add,
  ].flatMap((named) => {
    const names = named.map(({ name }) => name.toLowerCase());
    return names.filter((name, index) => names.indexOf(name) !== index);
  });
  const objections = [
    ...route.match.flatMap(cookieObjections),
    ...redirectObjections(route),
    ...repeated.map((name) => ({ because: `names a header once in a rule, and \`${name}\` stands here twice`, hint: "Name it once." })),
  ];
  return objections.map((objection) => unsupported({ mesh: "istio", where: route.where ?? host.where, ...objection }));
}

function redirectObjections({ action, match }: Route): readonly Objection[] {
  if (action.kind !== "redirect" || !match.some(({ path }) => redirectsPrefix(action.redirect, path))) return [];
  return [
    {
      because: "redirects to one whole path and keeps nothing of what follows a prefix",
      hint: "Match the exact path or a pattern, or export for gateway-api.",
    },
  ];
}

function emitObjects(plan: MeshPlan, backends: Backends): readonly KubeObject[] {
  const externals = plan.hosts.filter(({ kind }) => kind === "external");
  const named = externals.filter((host) => hasNames(host, backends));
  const setting = { backends, namedExternals: new Set(named.map(({ namespace, name }) => `${namespace}/${name}`)) };
  const gateway = `${gatewayNamespace(plan, setting)}/${gatewayName}`;
  return [
    ...plan.hosts.flatMap((host) => (host.kind === "external" ? emitExternal(host, backends, appProtocols) : [emitService(host, backends, appProtocols)])),
    ...emitGateway(plan, setting),
    ...plan.hosts.filter((host) => !isPlainHost(host) || named.includes(host)).map((host) => emitInMesh(host, plan, setting)),
    ...publicHosts(plan).map((host) => emitAtGateway(host, gateway, setting)),
    ...emitTcpAtGateway(plan, gateway, setting),
  ];
}

/** How a host answers inside the mesh. A router also answers its declared host names there, wherever they resolve to. */
function emitInMesh(host: Host, plan: MeshPlan, setting: IstioSetting): KubeObject {
  const httpPorts = host.ports.filter((port) => port.kind === "http");
  const http = httpPorts.flatMap(({ routes, ports }) => emitHttp(routes, httpPorts.length > 1 ? ports : [], setting));
  const tcp = host.ports.flatMap((port) => (port.kind === "tcp" ? [emitTcp(port, setting)] : []));
  const declared = host.kind === "router" ? host.domains.filter((domain) => !isGatewayDomain(domain, plan)) : [];
  return virtualService(host.name, host, { hosts: [serviceDomain(host.name, host.namespace), ...declared], ...entries(http, tcp) });
}

/** How a public host answers at the gateway: its first HTTP port, under its full names. */
function emitAtGateway(host: Host, gateway: string, setting: IstioSetting): KubeObject {
  const port = host.ports.find((one) => one.kind === "http");
  const http = port === undefined ? [] : emitHttp(port.routes, [], setting);
  return virtualService(`${host.name}.gateway`, host, { hosts: host.domains, gateways: [gateway], ...entries(http, []) });
}

function emitTcpAtGateway(plan: MeshPlan, gateway: string, setting: IstioSetting): readonly KubeObject[] {
  return plan.gatewayTcp.map((port) =>
    virtualService(
      `weir.tcp-${port.port}`,
      { namespace: tcpNamespace(port, setting) },
      {
        hosts: ["*"],
        gateways: [gateway],
        tcp: [emitTcp({ ports: [port.port], destinations: port.destinations }, setting)],
      },
    ),
  );
}

function emitGateway(plan: MeshPlan, setting: IstioSetting): readonly KubeObject[] {
  const domains = publicHosts(plan).flatMap((host) => host.domains);
  const http = { port: { number: gatewayHttpPort, name: "http", protocol: "HTTP" }, hosts: [...new Set(domains)].sort() };
  const tcp = plan.gatewayTcp.map(({ port }) => ({ port: { number: port, name: `tcp-${port}`, protocol: "TCP" }, hosts: ["*"] }));
  const servers = [...(domains.length > 0 ? [http] : []), ...tcp];
  if (servers.length === 0) return [];
  return [
    {
      apiVersion,
      kind: "Gateway",
      metadata: metadata({ name: gatewayName, namespace: gatewayNamespace(plan, setting) }),
      spec: { selector: { istio: "ingressgateway" }, servers },
    },
  ];
}

function virtualService(name: string, { namespace }: Pick<Host, "namespace">, spec: KubeFields): KubeObject {
  return { apiVersion, kind: "VirtualService", metadata: metadata({ name, namespace }), spec };
}

function entries(http: readonly KubeFields[], tcp: readonly KubeFields[]): KubeFields {
  return { http: http.length === 0 ? undefined : http, tcp: tcp.length === 0 ? undefined : tcp };
}

function isGatewayDomain(domain: string, plan: MeshPlan): boolean {
  return domain.endsWith(`.${plan.gateway.domain}`);
}

function noticesOf(plan: MeshPlan): readonly string[] {
  const isPublic = publicHosts(plan).length + plan.gatewayTcp.length > 0;
  return isPublic ? ["Gateway `weir` uses Istio's own ingress gateway (`istio: ingressgateway`): install it, or change the selector."] : [];
}
