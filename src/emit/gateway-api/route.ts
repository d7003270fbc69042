/** Hosts as HTTPRoutes, GRPCRoutes and TCPRoutes, inside the mesh and at the gateway. */
import type { Host, HostPort, Route } from "../../compile/mesh-plan.ts";
import type { Namespace } from "../../model/names.ts";
import { type Backends, isPlainHost } from "../kubernetes/backends.ts";
import { type KubeFields, type KubeObject, metadata } from "../kubernetes/object.ts";
import type { HttpPort, RouteGroup } from "./check.ts";
import type { Dialect } from "./dialect.ts";
import { emitBackendRefs, emitRules } from "./rule.ts";

export const gatewayApiVersion = "gateway.networking.k8s.io/v1";

export interface RouteSetting {
  readonly dialect: Dialect;
  readonly backends: Backends;
}

/** Routes of one HTTP port, in the objects that will hold them. Annotations count for a whole object: routes that need different ones part. */
export function groupRoutes(port: HttpPort, dialect: Dialect): readonly RouteGroup[] {
  const kind = kindOf(port, dialect);
  const groups = Map.groupBy(port.routes, (route) => JSON.stringify(annotationsOf(route, kind, dialect)));
  return [...groups.values()].map((routes) => ({ kind, routes }));
}

/**
 * Emits the routes by which a host answers inside the mesh; none if its Service is enough. A host with one port hangs on
 * the whole Service. With several, each number that callers use takes a route of its own: the standard channel tells
 * two references to one Service apart by `sectionName` only, which not every mesh reads.
 */
export function emitMeshRoutes(host: Host, setting: RouteSetting): readonly KubeObject[] {
  if (isPlainHost(host)) return [];
  const parent = { group: "", kind: "Service", name: host.name };
  const emit = (name: string, port: HostPort, parentRefs: readonly KubeFields[]): readonly KubeObject[] =>
    port.kind === "tcp" ? [emitTcpRoute(name, { host, port, parentRefs, setting })] : emitHttpPort(name, { host, port, spec: { parentRefs }, setting });
  const [only, ...others] = host.ports;
  if (only !== undefined && others.length === 0) return emit(host.name, only, [parent]);
  return host.ports.flatMap((port) => port.ports.flatMap((number) => emit(`${host.name}.port-${number}`, port, [{ ...parent, port: number }])));
}

/** Emits the routes by which a public host answers at the gateway: its first HTTP port, under its full names. */
export function emitGatewayRoutes(
  host: Host,
  setting: RouteSetting & { readonly gateway: { readonly name: string; readonly namespace: Namespace } },
): readonly KubeObject[] {
  const port = host.ports.find((one) => one.kind === "http");
  if (!host.public || port === undefined || host.domains.length === 0) return [];
  const { name, namespace } = setting.gateway;
  const parentRefs = [{ name, namespace: namespace === host.namespace ? undefined : namespace, sectionName: "http" }];
  return emitHttpPort(`${host.name}.gateway`, { host, port, spec: { parentRefs, hostnames: host.domains }, setting });
}

/** What a TCPRoute is made of. */
interface TcpRouteParts {
  readonly host: { readonly namespace: Namespace };
  readonly port: Pick<Extract<HostPort, { kind: "tcp" }>, "destinations">;
  readonly parentRefs: readonly KubeFields[];
  readonly setting: RouteSetting;
}

/** Emits a TCPRoute that leads from its parents to weighted backends. */
export function emitTcpRoute(name: string, { host, port, parentRefs, setting }: TcpRouteParts): KubeObject {
  const { backends, dialect } = setting;
  const { namespace } = host;
  return {
    apiVersion: `gateway.networking.k8s.io/${dialect.tcpRouteVersion}`,
    kind: "TCPRoute",
    metadata: metadata({ name, namespace }),
    spec: { parentRefs, rules: [{ backendRefs: emitBackendRefs(port.destinations, { backends, namespace }) }] },
  };
}

interface HttpRouteParts {
  readonly host: Host;
  readonly port: HttpPort;
  /** Parents and hostnames. */
  readonly spec: KubeFields;
  readonly setting: RouteSetting;
}

function emitHttpPort(name: string, { host, port, spec, setting }: HttpRouteParts): readonly KubeObject[] {
  const { dialect, backends } = setting;
  const { namespace } = host;
  const groups = groupRoutes(port, dialect);
  return groups.map(({ kind, routes }, index) => ({
    apiVersion: gatewayApiVersion,
    kind,
    metadata: metadata({
      name: groups.length === 1 ? name : `${name}.part-${index + 1}`,
      namespace,
      annotations: annotationsOf(routes[0], kind, dialect),
    }),
    spec: { ...spec, rules: routes.flatMap((route) => emitRules(route, { kind, dialect, backends, namespace })) },
  }));
}

function kindOf(port: HttpPort, dialect: Dialect): RouteGroup["kind"] {
  const [only] = port.routes;
  const simple = port.protocol === "grpc" && port.routes.length === 1 && only !== undefined && only.match.length === 0;
  if (!simple || only.action.kind === "redirect" || only.action.rewrite !== undefined) return "HTTPRoute";
  return dialect.grpcKind(only);
}

function annotationsOf(route: Route | undefined, kind: RouteGroup["kind"], dialect: Dialect): Readonly<Record<string, string>> {
  return route === undefined || dialect.limitObjections(route, kind).length > 0 ? {} : dialect.limits(route, kind).annotations;
}
