/** The two route configurations of the node Envoy: one for all workloads, one for the gateway. */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RouteConfigurationSchema } from "../../../gen/envoy/config/route/v3/route_pb.js";
import { type VirtualHost, VirtualHostSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import type { EnvoyResource } from "./resource.ts";
import { routes } from "./route.ts";

export const meshRoutes = "mesh";
export const gatewayRoutes = "gateway";

/** Carries the original destination of a captured connection from the connection manager to the choice of the virtual host; it never leaves Envoy. */
export const destinationHeader = "x-weir-destination";

type HttpPort = HostPort & { kind: "http" };

/** What workloads call: the virtual host is the original destination, `ADDRESS:PORT`. */
export function meshRouteConfiguration(hosts: readonly Host[]): EnvoyResource {
  return configuration(meshRoutes, hosts.map(meshHostsOf), {
    body: "weir: no service has this address; see which there are: weir ps\n",
    base: { vhostHeader: destinationHeader, requestHeadersToRemove: [destinationHeader] },
  });
}

/** What outsiders call: the virtual host is the Host header. */
export function gatewayRouteConfiguration(hosts: readonly Host[]): EnvoyResource {
  return configuration(gatewayRoutes, hosts.map(gatewayHostsOf), { body: "weir: nothing public has this name; see the URLs there are: weir ps\n", base: {} });
}

interface Rest {
  /** The answer where no virtual host fits. */
  readonly body: string;
  readonly base: { readonly vhostHeader?: string; readonly requestHeadersToRemove?: string[] };
}

/** Field 2 of RouteConfiguration is its virtual hosts: encoded ones are appended as they are, so that an unchanged host costs nothing. */
function configuration(name: string, encoded: readonly (readonly Uint8Array[])[], rest: Rest): EnvoyResource {
  const unknown = create(VirtualHostSchema, {
    name: "unknown",
    domains: ["*"],
    routes: [{ match: { pathSpecifier: { case: "prefix", value: "/" } }, action: { case: "directResponse", value: { status: 404, body: { specifier: { case: "inlineString", value: rest.body } } } } }],
  });
  const writer = new BinaryWriter();
  writer.raw(toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name, ...rest.base })));
  for (const host of [...encoded.flat(), toBinary(VirtualHostSchema, unknown)]) writer.tag(2, WireType.LengthDelimited).bytes(host);
  return { typeUrl: `type.googleapis.com/${RouteConfigurationSchema.typeName}`, name, body: writer.finish() };
}

const meshHostsOf = remember((host: Host) => {
  const { address } = host;
  if (address === undefined) return [];
  return httpPorts(host).map((port) => virtualHost(`${host.name}.${host.namespace}:${port.ports[0]}`, port.ports.map((number) => `${address}:${number}`), port));
});

const gatewayHostsOf = remember((host: Host) => {
  const [port] = httpPorts(host);
  return host.public && port !== undefined && host.domains.length > 0 ? [virtualHost(`${host.name}.${host.namespace}`, host.domains, port)] : [];
});

function httpPorts(host: Host): readonly HttpPort[] {
  return host.ports.filter((port): port is HttpPort => port.kind === "http");
}

function virtualHost(name: string, domains: readonly string[], port: HttpPort): VirtualHost {
  return create(VirtualHostSchema, { name, domains: [...domains], routes: port.routes.flatMap(routes) });
}

/** Encodes a host's virtual hosts once; hosts that did not change are the same objects. */
function remember(compute: (host: Host) => readonly VirtualHost[]): (host: Host) => readonly Uint8Array[] {
  const known = new WeakMap<Host, readonly Uint8Array[]>();
  return (host) => {
    const before = known.get(host);
    if (before !== undefined) return before;
    const encoded = compute(host).map((virtualHost) => toBinary(VirtualHostSchema, virtualHost));
    known.set(host, encoded);
    return encoded;
  };
}
