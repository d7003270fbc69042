/** NodePlan → what the Envoy of one node of a cluster should hold. Decides nothing: everything is in the plan. */
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { SocketOption_SocketState } from "../../../gen/envoy/config/core/v3/socket_option_pb.js";
import { ClusterLoadAssignmentSchema } from "../../../gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { NodeBackend, NodePlan } from "../../compile/node-plan.ts";
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { TrustDomain } from "../../model/spiffe.ts";
import { type External, externalCluster, keepalive, socketAddress, versionCluster } from "./cluster.ts";
import { directPeerSockets, peerSockets, tunnelMetadata } from "./mutual-tls.ts";
import { directCluster, identitiesOf, inboundListener, outboundChains, outboundListener, peerCluster } from "./pod-listeners.ts";
import { duration, type EnvoyResource, type Init, resource } from "./resource.ts";
import { callersRoutes, meshRouteConfiguration, meshRoutes } from "./route-configuration.ts";
import { refused } from "./target.ts";

type ClusterInit = Init<typeof ClusterSchema>;

/**
 * The mark of the sockets that a node's Envoy connects with (SO_MARK): by it the node's rules tell its connections to pods of the node from everybody
 * else's, and pods let only those pass uncaptured; and the agent, whose connections it may end when the other machine is lost.
 */
export const proxyMark = 0x57;

/** Translates a plan for one node's Envoy. Equal plans give equal bytes in the same order; unchanged parts give the same objects. */
export function emitNodeProxy(plan: NodePlan): readonly EnvoyResource[] {
  const { trustDomain } = plan;
  const shared = outboundChains(plan.hosts, plan.remote, meshRoutes);
  const own = [...plan.hostsFor].filter(([callers]) => plan.pods.some((pod) => pod.namespace === callers));
  const ownChains = new Map(own.map(([callers, hosts]) => [callers, outboundChains(hosts, plan.remote, callersRoutes(callers))]));
  const inside = [...new Set([shared, ...ownChains.values()].flatMap(({ chains }) => chains.flatMap((chain) => chain.inside ?? [])))];
  return [
    ...plan.backends.map((backend) => nodeCluster(backend, trustDomain)),
    ...plan.externals.map(outsideCluster),
    direct,
    refused,
    ...inside.map(({ cluster }) => cluster),
    ...peers(plan.remote, trustDomain),
    ...plan.backends.map(nodeAssignment),
    ...inside.map(({ listener }) => listener),
    ...plan.pods.flatMap((pod) => [outboundListener(pod, ownChains.get(pod.namespace) ?? shared), inboundListener(pod, trustDomain)]),
    meshRouteConfiguration(plan.hosts),
    ...own.map(([callers, hosts]) => meshRouteConfiguration(hosts, callersRoutes(callers))),
  ];
}

/** Another node's handshake is part of the time to connect. */
export const remoteConnectMs = 5_000;

/** Linux: SOL_SOCKET, SO_MARK (socket(7)). */
const mark = { level: 1n, name: 36n, value: { case: "intValue" as const, value: BigInt(proxyMark) }, state: SocketOption_SocketState.STATE_PREBIND };
const marked: Pick<ClusterInit, "upstreamBindConfig"> = { upstreamBindConfig: { socketOptions: [mark] } };

const nodeCluster = memoizeLast((node: NodeBackend, trustDomain: TrustDomain) =>
  versionCluster(node.backend, { ...marked, ...keepalive.betweenNodes, connectTimeout: duration(remoteConnectMs), ...peerSockets(node.peers, trustDomain) }),
);

/** The node itself reaches what is outside; its resolver is the cluster's. */
const outsideCluster = memoize((external: External) => externalCluster(external, marked));

/** The places of a backend, each with how it is reached. */
export const nodeAssignment: (node: NodeBackend) => EnvoyResource = memoize(({ backend, endpoints }) => {
  const lbEndpoints = endpoints.map(({ address, port, peer }) => ({
    hostIdentifier: { case: "endpoint" as const, value: { address: socketAddress(address, port) } },
    ...(peer === undefined ? {} : { metadata: tunnelMetadata }),
  }));
  return resource(ClusterLoadAssignmentSchema, backend.id, { clusterName: backend.id, endpoints: [{ lbEndpoints }] });
});

/** Where the connection was going. Whoever is there may be slow to answer: outside, over there, anywhere. */
const originalDestination: ClusterInit = {
  connectTimeout: duration(remoteConnectMs),
  clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
  lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  // One cluster for all there is.
  circuitBreakers: { thresholds: [{ maxConnections: 65_536, maxPendingRequests: 65_536, maxRequests: 65_536 }] },
  ...marked,
};

const direct = resource(ClusterSchema, directCluster, { ...originalDestination, ...keepalive.usual, name: directCluster });

const peers = memoizeLast((remote: NodePlan["remote"], trustDomain: TrustDomain) =>
  identitiesOf(remote).map((identity) => {
    const name = peerCluster(identity);
    return resource(ClusterSchema, name, { ...originalDestination, ...keepalive.betweenNodes, name, ...directPeerSockets(identity, trustDomain) });
  }),
);
