/** The gateway Envoy: moves bytes in, and out to what is declared (docs/decisions/0001). */
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ProxyProtocolConfig_Version } from "../../../gen/envoy/config/core/v3/proxy_protocol_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { RouterSchema } from "../../../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { ProxyProtocolUpstreamTransportSchema } from "../../../gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js";
import { RawBufferSchema } from "../../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import type { MeshPlan } from "../../compile/mesh-plan.ts";
import { memoizeLast } from "../../lib/memoize.ts";
import { type External, externalPlaces, pipe, socketAddress, staticEndpoint } from "./cluster.ts";
import { pipeListener } from "./gateway-listener.ts";
import { anywhereSocket, egressSocket, gatewaySocket, gatewayTcpSocket } from "./paths.ts";
import { any, duration, type EnvoyResource, resource } from "./resource.ts";
import { tcpProxyTo } from "./tcp-proxy.ts";

/** Everything the gateway Envoy should hold. */
export function gatewayProxy(plan: MeshPlan): readonly EnvoyResource[] {
  return resources(
    plan.gateway,
    plan.gatewayTcp,
    plan.backends,
    plan.captures.some((capture) => capture.egress),
  );
}

const resources = memoizeLast(
  (gateway: MeshPlan["gateway"], gatewayTcp: MeshPlan["gatewayTcp"], backends: MeshPlan["backends"], open: boolean): readonly EnvoyResource[] => {
    const ways = [
      { name: "gateway", port: gateway.port, socket: gatewaySocket(gateway.socketDir) },
      ...gatewayTcp.map(({ port }) => ({ name: `gateway-tcp-${port}`, port, socket: gatewayTcpSocket(gateway.socketDir, port) })),
    ];
    const externals = backends.filter((backend): backend is External => backend.kind === "external");
    return [
      ...ways.map((way) => toNode(way.name, way.socket)),
      ...externals.map(outside),
      ...(open ? [anywhere()] : []),
      ...ways.map((way) => publicListener(way.name, gateway.address, way.port)),
      ...externals.map((external) =>
        pipeListener(external.id, egressSocket(gateway.socketDir, external.id), tcpProxyTo(external.id), { proxyProtocol: false }),
      ),
      ...(open ? [pipeListener("anywhere", anywhereSocket(gateway.socketDir), connectTerminator(), { proxyProtocol: false })] : []),
    ];
  },
);

function publicListener(name: string, address: string, port: number): EnvoyResource {
  return resource(ListenerSchema, name, { name, address: socketAddress(address, port), filterChains: [{ name, filters: [tcpProxyTo(name)] }] });
}

/** Towards the node Envoy, with the client's address in front (PROXY protocol, version 2). */
function toNode(name: string, socket: string): EnvoyResource {
  const transport = any(ProxyProtocolUpstreamTransportSchema, {
    config: { version: ProxyProtocolConfig_Version.V2 },
    transportSocket: { name: "raw", configType: { case: "typedConfig", value: any(RawBufferSchema, {}) } },
  });
  return resource(ClusterSchema, name, {
    name,
    connectTimeout: duration(1_000),
    circuitBreakers: many,
    ...staticEndpoint(name, pipe(socket)),
    transportSocket: { name: "envoy.transport_sockets.upstream_proxy_protocol", configType: { case: "typedConfig", value: transport } },
  });
}

/** Envoy's own default of 1 024 connections is for one service; here are all of them. */
const many = { thresholds: [{ maxConnections: 65_536, maxPendingRequests: 65_536, maxRequests: 65_536 }] };

/** One external service: its addresses, resolved by the host's resolver where they are names. */
function outside(external: External): EnvoyResource {
  return resource(ClusterSchema, external.id, {
    name: external.id,
    connectTimeout: duration(external.connectTimeoutMs),
    circuitBreakers: many,
    ...externalPlaces(external),
  });
}

/** Goes wherever the CONNECT request says: its authority is the address that the workload meant. */
function anywhere(): EnvoyResource {
  return resource(ClusterSchema, "anywhere", {
    name: "anywhere",
    connectTimeout: duration(5_000),
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    lbConfig: { case: "originalDstLbConfig", value: { useHttpHeader: true, httpHeaderName: ":authority" } },
    circuitBreakers: many,
  });
}

function connectTerminator() {
  const value = any(HttpConnectionManagerSchema, {
    statPrefix: "anywhere",
    upgradeConfigs: [{ upgradeType: "CONNECT" }],
    http2ProtocolOptions: { allowConnect: true },
    streamIdleTimeout: duration(0),
    routeSpecifier: {
      case: "routeConfig",
      value: {
        virtualHosts: [
          {
            name: "anywhere",
            domains: ["*"],
            routes: [
              {
                match: { pathSpecifier: { case: "connectMatcher", value: {} } },
                action: {
                  case: "route",
                  value: {
                    clusterSpecifier: { case: "cluster", value: "anywhere" },
                    timeout: duration(0),
                    upgradeConfigs: [{ upgradeType: "CONNECT", connectConfig: {} }],
                  },
                },
              },
            ],
          },
        ],
      },
    },
    httpFilters: [{ name: "envoy.filters.http.router", configType: { case: "typedConfig", value: any(RouterSchema, {}) } }],
  });
  return { name: "envoy.filters.network.http_connection_manager", configType: { case: "typedConfig" as const, value } };
}
