/**
 * A port whose connections are told apart by the server name that their TLS asks for. The name is in the first bytes, and no listener of a pod waits for
 * bytes (docs/decisions/0003); so the port's chain leads to a listener inside this Envoy that does, for this port alone.
 */
import { ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { InternalUpstreamTransportSchema } from "../../../gen/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream_pb.js";
import { RawBufferSchema } from "../../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import type { PlannedName, RoutedConnections } from "../../compile/mesh-plan.ts";
import { memoize } from "../../lib/memoize.ts";
import { insideAddress, staticEndpoint } from "./cluster.ts";
import { any, duration, type EnvoyResource, resource } from "./resource.ts";
import { matchDomain, targetFilter, tlsInspector } from "./target.ts";

type RoutedByName = RoutedConnections & { readonly kind: "tls" };

export interface InsideListener {
  /** Leads to the listener, and has its name. */
  readonly cluster: EnvoyResource;
  readonly listener: EnvoyResource;
}

/** How long the first bytes may take. */
const inspectionMs = 10_000;

/**
 * The listener that reads the name, and the cluster that leads to it. What asks for no name of `servers`, and what is not TLS, is closed. A change behind one
 * name leaves the connections of all others as they are.
 */
export const insideListener: (routed: RoutedByName) => InsideListener = memoize((routed: RoutedByName) => {
  const name = `names/${routed.name}`;
  const chain = ({ domain, target }: PlannedName) => ({ name: domain, filterChainMatch: matchDomain(domain), filters: [targetFilter("names", target)] });
  return {
    cluster: namesCluster(name),
    listener: resource(ListenerSchema, name, {
      name,
      statPrefix: "names",
      listenerSpecifier: { case: "internalListener", value: {} },
      listenerFilters: [tlsInspector],
      listenerFiltersTimeout: duration(inspectionMs),
      filterChains: routed.servers.map(chain),
    }),
  };
});

const plain = { name: "plain", configType: { case: "typedConfig" as const, value: any(RawBufferSchema, {}) } };

/** Hands on what stands in the caller's connection for those behind it: who calls. */
const handingOn = { name: "inside", configType: { case: "typedConfig" as const, value: any(InternalUpstreamTransportSchema, { transportSocket: plain }) } };

function namesCluster(name: string): EnvoyResource {
  return resource(ClusterSchema, name, {
    name,
    connectTimeout: duration(1_000),
    ...staticEndpoint(name, insideAddress(name)),
    transportSocket: handingOn,
    // One cluster for all callers of the node.
    circuitBreakers: { thresholds: [{ maxConnections: 65_536, maxPendingRequests: 65_536, maxRequests: 65_536 }] },
  });
}
