/** Listeners on Unix sockets: the node Envoy's ends of the gateway, and the gateway Envoy's ways out. */
import type { FilterSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { ProxyProtocolSchema } from "../../../gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import type { GatewayTcp } from "../../compile/mesh-plan.ts";
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { GatewaySettings } from "../../model/world.ts";
import { httpConnectionManager } from "./connection-manager.ts";
import { gatewaySocket, gatewayTcpSocket } from "./paths.ts";
import { any, type EnvoyResource, type Init, resource } from "./resource.ts";
import { tcpProxy } from "./tcp-proxy.ts";

type FilterInit = Init<typeof FilterSchema>;

const proxyProtocol = { name: "envoy.filters.listener.proxy_protocol", configType: { case: "typedConfig" as const, value: any(ProxyProtocolSchema, {}) } };

/** A listener on a Unix socket that only this user can open. */
export function pipeListener(name: string, path: string, filter: FilterInit, options: { readonly proxyProtocol: boolean }): EnvoyResource {
  return resource(ListenerSchema, name, {
    name,
    address: { address: { case: "pipe", value: { path, mode: 0o600 } } },
    listenerFilters: options.proxyProtocol ? [proxyProtocol] : [],
    filterChains: [{ name, filters: [filter] }],
  });
}

/** Where the gateway Envoy delivers HTTP from outside. */
export const gatewayListener: (gateway: GatewaySettings) => EnvoyResource = memoize(({ socketDir }) =>
  pipeListener("gateway", gatewaySocket(socketDir), httpConnectionManager("gateway"), { proxyProtocol: true }),
);

/** Where the gateway Envoy delivers the connections of one public TCP port. */
export const gatewayTcpListener: (tcp: GatewayTcp, socketDir: string) => EnvoyResource = memoizeLast((tcp: GatewayTcp, socketDir: string) => {
  const name = `gateway-tcp-${tcp.port}`;
  return pipeListener(name, gatewayTcpSocket(socketDir, tcp.port), tcpProxy(name, tcp.destinations), { proxyProtocol: true });
});
