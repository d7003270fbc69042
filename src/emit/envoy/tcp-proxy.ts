/** TCP proxy filters. */
import type { Any } from "@bufbuild/protobuf/wkt";
import { TcpProxySchema } from "../../../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { WeightedBackend } from "../../compile/mesh-plan.ts";
import { any, duration } from "./resource.ts";

interface Filter {
  readonly name: string;
  readonly configType: { readonly case: "typedConfig"; readonly value: Any };
}

function filter(value: Any): Filter {
  return { name: "envoy.filters.network.tcp_proxy", configType: { case: "typedConfig", value } };
}

/** A connection may be idle for as long as its two ends want: databases keep theirs for days. */
const noIdleTimeout = duration(0);

/** A replica that does not accept is passed over for another. */
const maxConnectAttempts = 3;

/** To one of several backends, chosen per connection. */
export function tcpProxy(statPrefix: string, destinations: readonly WeightedBackend[]): Filter {
  return tcpProxyByShare(
    statPrefix,
    destinations.map(({ backend, weight }) => ({ name: backend, weight })),
  );
}

/** To a cluster of Envoy's by name. */
export function tcpProxyTo(cluster: string): Filter {
  return filter(
    any(TcpProxySchema, { statPrefix: cluster, clusterSpecifier: { case: "cluster", value: cluster }, idleTimeout: noIdleTimeout, maxConnectAttempts }),
  );
}

/** To clusters of Envoy's by their share of the connections. There is at least one. */
export function tcpProxyByShare(statPrefix: string, clusters: readonly { readonly name: string; readonly weight: number }[]): Filter {
  const [first, second] = clusters;
  const clusterSpecifier =
    second === undefined
      ? { case: "cluster" as const, value: first?.name ?? "none" }
      : { case: "weightedClusters" as const, value: { clusters: [...clusters] } };
  return filter(any(TcpProxySchema, { statPrefix, clusterSpecifier, idleTimeout: noIdleTimeout, maxConnectAttempts }));
}

/** Through an HTTP CONNECT to `cluster`, which asks for the address that the caller meant. */
export function tcpTunnelTo(cluster: string): Filter {
  const clusterSpecifier = { case: "cluster" as const, value: cluster };
  return filter(
    any(TcpProxySchema, { statPrefix: cluster, clusterSpecifier, idleTimeout: noIdleTimeout, tunnelingConfig: { hostname: "%DOWNSTREAM_LOCAL_ADDRESS%" } }),
  );
}
