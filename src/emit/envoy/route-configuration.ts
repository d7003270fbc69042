/** The two route configurations of the node Envoy: one for all workloads, one for the gateway. */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { VirtualHostSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../../gen/envoy/config/route/v3/route_pb.js";
import type { PlannedHost } from "../../compile/gateway-plan.ts";
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { Namespace } from "../../model/names.ts";
import type { EnvoyResource } from "./resource.ts";
import { answer, matchesEverything, type RouteInit, routes } from "./route.ts";

export const meshRoutes = "mesh";
export const gatewayRoutes = "gateway";

/** Carries the original destination of a captured connection from the connection manager to the choice of the virtual host; it never leaves Envoy. */
export const destinationHeader = "x-weir-destination";

/** Envoy's notes about the caller's address; X-Forwarded-For says the same to everybody. */
const envoysOwn = ["x-envoy-external-address", "x-envoy-internal"];

type HttpPort = HostPort & { kind: "http" };

/** What workloads call: the virtual host is the original destination, `ADDRESS:PORT`. */
export const meshRouteConfiguration: (hosts: readonly Host[], name?: string) => EnvoyResource = memoizeLast((hosts: readonly Host[], name = meshRoutes) =>
  configuration(name, hosts.map(meshHostsOf), {
    body: "weir: no service has this address; see which there are: weir ps\n",
    base: { vhostHeader: destinationHeader, requestHeadersToRemove: [destinationHeader, ...envoysOwn] },
  }),
);

/** The route configuration of callers whose namespace has routes of its own. */
export function callersRoutes(callers: Namespace): string {
  return `${meshRoutes}/${callers}`;
}

/** What outsiders call: the virtual host is the Host header, which services see as it came, with its port. */
export const gatewayRouteConfiguration: (hosts: readonly Host[]) => EnvoyResource = memoize((hosts) =>
  configuration(gatewayRoutes, hosts.map(gatewayHostsOf), {
    body: "weir: nothing public has this name; see the URLs there are: weir ps\n",
    base: { ignorePortInHostMatching: true, requestHeadersToRemove: [...envoysOwn] },
  }),
);

/** What one port or server name of a cluster's gateway answers, by Host header. `misdirected` are domains that came on the wrong connection. */
export function plannedRouteConfiguration(name: string, hosts: readonly PlannedHost[], misdirected: readonly string[]): EnvoyResource {
  const wrong = misdirected.map((domain) =>
    virtualHost(
      `misdirected/${domain}`,
      [domain],
      [answer("misdirected", 421, "weir: this host is served on connections of its own; connect to it by its name\n")],
    ),
  );
  const rest = { base: { ignorePortInHostMatching: true, requestHeadersToRemove: [...envoysOwn] } };
  const isComplete = [...hosts.map(({ domain }) => domain), ...misdirected].includes("*");
  return configuration(name, [hosts.map(plannedHost), wrong], isComplete ? rest : { ...rest, body: "weir: no route of this gateway has this host\n" });
}

const plannedHost = memoize(({ domain, routes: planned }: PlannedHost): Uint8Array => {
  const all = planned.flatMap(routes);
  const none = answer(`${domain}#none`, 404, "weir: no route of this gateway matches this request\n");
  return virtualHost(domain, [domain], planned.some(matchesEverything) ? all : [...all, none]);
});

interface Rest {
  /** The answer where no virtual host fits; absent: there always is one. */
  readonly body?: string;
  readonly base: { readonly vhostHeader?: string; readonly requestHeadersToRemove?: string[]; readonly ignorePortInHostMatching?: boolean };
}

/** Field 2 of RouteConfiguration is its virtual hosts: encoded ones are appended as they are, so that an unchanged host costs nothing. */
function configuration(name: string, encoded: readonly (readonly Uint8Array[])[], rest: Rest): EnvoyResource {
  const { body } = rest;
  const unknown = body === undefined ? [] : [virtualHost("unknown", ["*"], [answer("unknown", 404, body)])];
  const writer = new BinaryWriter();
  writer.raw(toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name, ...rest.base })));
  for (const host of [...encoded.flat(), ...unknown]) writer.tag(2, WireType.LengthDelimited).bytes(host);
  return { typeUrl: `type.googleapis.com/${RouteConfigurationSchema.typeName}`, name, body: writer.finish() };
}

/** Unchanged hosts are the same objects, so each is encoded once. */
const meshHostsOf = memoize((host: Host): readonly Uint8Array[] => {
  const { address } = host;
  const answering = httpPorts(host);
  if (address === undefined || answering.length === 0) return [];
  const name = `${host.name}.${host.namespace}`;
  const numbers = answering.flatMap((port) => port.ports).join(", ");
  const otherPort = answer(name, 404, `weir: ${name} does not speak HTTP on this port, but on ${numbers}\n`);
  return [
    ...answering.map((port) =>
      virtualHost(
        `${name}:${port.ports[0]}`,
        port.ports.map((number) => `${address}:${number}`),
        routesOf(host, port),
      ),
    ),
    virtualHost(`${name}:*`, [`${address}:*`], [otherPort]),
  ];
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
