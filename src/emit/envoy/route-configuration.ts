/** Route configurations: what workloads call, and what outsiders call through the gateway. */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { VirtualHostSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../../gen/envoy/config/route/v3/route_pb.js";
import type { PlannedHost } from "../../compile/gateway-plan.ts";
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { Namespace } from "../../model/names.ts";
import { type EncodedRoutes, routesAt, virtualHostByDestination } from "./destination.ts";
import type { EnvoyResource, Init } from "./resource.ts";
import { answer, matchesEverything, type RouteInit, routes } from "./route.ts";

export const meshRoutes = "services";
export const gatewayRoutes = "gateway";

/** Envoy's notes about the caller's address; X-Forwarded-For says the same to everybody. */
const envoysOwn = ["x-envoy-external-address", "x-envoy-internal"];

type HttpPort = HostPort & { kind: "http" };

/** What workloads call: routes are chosen by the original destination. */
export const meshRouteConfiguration: (hosts: readonly Host[], name?: string) => EnvoyResource = memoizeLast((hosts: readonly Host[], name = meshRoutes) => {
  const rest = "weir: no service has this address; see which there are: weir ps\n";
  return configuration({ name, requestHeadersToRemove: [...envoysOwn] }, [virtualHostByDestination("services", hosts.flatMap(meshRoutesOf), rest)]);
});

/** The route configuration of callers whose namespace has routes of its own. */
export function callersRoutes(callers: Namespace): string {
  return `${meshRoutes}/${callers}`;
}

/** What outsiders call: the virtual host is the Host header, which services see as it came, with its port. */
export const gatewayRouteConfiguration: (hosts: readonly Host[]) => EnvoyResource = memoize((hosts) => {
  const rest = answer("unknown", 404, "weir: nothing public has this name; see the URLs there are: weir ps\n");
  const base = { name: gatewayRoutes, ignorePortInHostMatching: true, requestHeadersToRemove: [...envoysOwn] };
  return configuration(base, [...hosts.flatMap(gatewayHostsOf), virtualHost("unknown", ["*"], [rest])]);
});

/** What one port or server name of a cluster's gateway answers, by Host header. `misdirected` are domains that came on the wrong connection. */
export function plannedRouteConfiguration(name: string, hosts: readonly PlannedHost[], misdirected: readonly string[]): EnvoyResource {
  const wrong = answer("misdirected", 421, "weir: this host is served on connections of its own; connect to it by its name\n");
  const isComplete = [...hosts.map(({ domain }) => domain), ...misdirected].includes("*");
  const rest = isComplete ? [] : [virtualHost("unknown", ["*"], [answer("unknown", 404, "weir: no route of this gateway has this host\n")])];
  const base = { name, ignorePortInHostMatching: true, requestHeadersToRemove: [...envoysOwn] };
  return configuration(base, [...hosts.map(plannedHost), ...misdirected.map((domain) => virtualHost(`misdirected/${domain}`, [domain], [wrong])), ...rest]);
}

const plannedHost = memoize(({ domain, routes: planned }: PlannedHost): Uint8Array => {
  const all = planned.flatMap(routes);
  const none = answer(`${domain}#none`, 404, "weir: no route of this gateway matches this request\n");
  return virtualHost(domain, [domain], planned.some(matchesEverything) ? all : [...all, none]);
});

/** Field 2 of RouteConfiguration is its virtual hosts: encoded ones are appended as they are, so that an unchanged host costs nothing. */
function configuration(base: Init<typeof RouteConfigurationSchema> & { readonly name: string }, hosts: readonly Uint8Array[]): EnvoyResource {
  const writer = new BinaryWriter();
  writer.raw(toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, base)));
  for (const host of hosts) writer.tag(2, WireType.LengthDelimited).bytes(host);
  return { typeUrl: `type.googleapis.com/${RouteConfigurationSchema.typeName}`, name: base.name, body: writer.finish() };
}

/** Unchanged hosts are the same objects, so each is encoded once. */
const meshRoutesOf = memoize((host: Host): readonly EncodedRoutes[] => {
  const { address } = host;
  const answering = httpPorts(host);
  if (address === undefined || answering.length === 0) return [];
  const name = `${host.name}.${host.namespace}`;
  const numbers = answering.flatMap((port) => port.ports).join(", ");
  const otherPort = answer(name, 404, `weir: ${name} does not speak HTTP on this port, but on ${numbers}\n`);
  const ports = answering.map((port) => ({ numbers: port.ports, routes: routesOf(host, port) }));
  return [routesAt(address, ports, [otherPort])];
});

const gatewayHostsOf = memoize((host: Host): readonly Uint8Array[] => {
  const [port] = httpPorts(host);
  return host.public && port !== undefined && host.domains.length > 0
    ? [virtualHost(`${host.name}.${host.namespace}`, host.domains, routesOf(host, port))]
    : [];
});

/** A port's routes; where a request may fit none of them, a last one says so. */
function routesOf(host: Host, port: HttpPort): readonly RouteInit[] {
  const all = port.routes.flatMap(routes);
  return port.routes.some(matchesEverything)
    ? all
    : [...all, answer(`${host.name}#none`, 404, `weir: no rule of ${host.kind} ${host.name} matches this request\n`)];
}

function httpPorts(host: Host): readonly HttpPort[] {
  return host.ports.filter((port): port is HttpPort => port.kind === "http");
}

function virtualHost(name: string, domains: readonly string[], routes: readonly RouteInit[]): Uint8Array {
  return toBinary(VirtualHostSchema, create(VirtualHostSchema, { name, domains: [...domains], routes: [...routes] }));
}
