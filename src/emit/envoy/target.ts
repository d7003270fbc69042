/** Where connections go by share, and by the server name that their TLS asks for. */
import { ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import type { FilterChainSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { TlsInspectorSchema } from "../../../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import type { PlannedTarget } from "../../compile/mesh-plan.ts";
import { any, duration, type EnvoyResource, type Init, resource } from "./resource.ts";
import { tcpProxyByShare } from "./tcp-proxy.ts";

type ChainInit = Init<typeof FilterChainSchema>;

/** The cluster of connections that lead where they may not: nobody is in it, so they are closed. */
const refusedCluster = "refused";

/** That cluster, for whoever has targets. */
export const refused: EnvoyResource = resource(ClusterSchema, refusedCluster, {
  name: refusedCluster,
  connectTimeout: duration(1_000),
  loadAssignment: { clusterName: refusedCluster },
});

/** The listener filter that reads the server name of TLS; whoever speaks first on the other side is never heard where it is. */
export const tlsInspector = {
  name: "envoy.filters.listener.tls_inspector",
  configType: { case: "typedConfig" as const, value: any(TlsInspectorSchema, {}) },
};

/** Connections to a target's destinations by their shares; what is refused, or leads nowhere, is closed. */
export function targetFilter(statPrefix: string, { destinations, refused: share }: PlannedTarget): ReturnType<typeof tcpProxyByShare> {
  const nobody = { name: refusedCluster, weight: destinations.length === 0 ? 10_000 : share };
  const left = 10_000 - nobody.weight;
  const shares = destinations.map(({ backend, weight }) => ({ name: backend as string, weight: Math.round((weight * left) / 10_000) }));
  return tcpProxyByShare(
    statPrefix,
    [...shares, nobody].filter(({ weight }) => weight > 0),
  );
}

/** What of TLS is for a domain. */
export function matchDomain(domain: string): NonNullable<ChainInit["filterChainMatch"]> {
  return { transportProtocol: "tls", ...(domain === "*" ? {} : { serverNames: [domain] }) };
}
