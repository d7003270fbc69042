/**
 * The two listeners of a mesh pod, inside its network namespace: what it sends, and what reaches it from other nodes.
 * The pod's own address is theirs, so that each listener of a node has an address of its own and is handed over when Envoy is replaced.
 */

import { TrafficDirection } from "../../../gen/envoy/config/core/v3/base_pb.js";
import { type FilterChainSchema, type FilterSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import type { Matcher } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import type { NodePlan } from "../../compile/node-plan.ts";
import { memoizeLast } from "../../lib/memoize.ts";
import type { PinnedPod } from "../../model/mesh-pod.ts";
import type { SpiffeId, TrustDomain } from "../../model/spiffe.ts";
import { byAddress, byApplicationProtocol, byPort, type Choice, originalDst, type TcpPort, tcpChainName, thenBy, useChain } from "./chain-matcher.ts";
import { httpConnectionManager } from "./connection-manager.ts";
import { callerFilter } from "./identity.ts";
import { meshAlpn, serverSocket } from "./mutual-tls.ts";
import { duration, type EnvoyResource, type Init, resource } from "./resource.ts";
import { type InsideListener, insideListener } from "./server-names.ts";
import { targetFilter, tlsInspector } from "./target.ts";
import { tcpProxy, tcpProxyTo } from "./tcp-proxy.ts";

type FilterInit = Init<typeof FilterSchema>;
type ChainInit = Init<typeof FilterChainSchema>;

/** Where a pod's rules send what it sends, and what is sent to it. */
export const outboundPort = 15_001;
export const inboundPort = 15_006;

/** The cluster that goes where the connection was going, in plaintext. */
export const directCluster = "direct";
/** The cluster that goes where the connection was going, by mutual TLS; whoever answers must be `identity`. */
export function peerCluster(identity: SpiffeId): string {
  return `peer/${identity}`;
}

const httpChain = "http";
const mutualChain = "mutual";
/** Of a permissive pod; and of one that takes plaintext while it joins or leaves. */
const plainChains = { permissive: "plain", meanwhile: "plain-meanwhile" } as const;

interface Chain {
  readonly name: string;
  readonly filter: FilterInit;
  /** Where it leads to, if that is a listener inside this Envoy. */
  readonly inside?: InsideListener;
}

/** What all outbound listeners of a node share. */
export interface OutboundChains {
  readonly chains: readonly Chain[];
  readonly choose: Matcher;
}

/** A chain for all HTTP (with the route configuration `routes`), one for each TCP port of a host, one for each identity that is called by its pods' own addresses; the rest goes where it was going. */
export const outboundChains: (hosts: readonly Host[], remote: NodePlan["remote"], routes: string) => OutboundChains = memoizeLast(
  (hosts: readonly Host[], remote: NodePlan["remote"], routes: string): OutboundChains => {
    const addressed = hosts.filter((host): host is Host & { readonly address: string } => host.address !== undefined && host.ports.length > 0);
    const tcp = addressed.flatMap((host) => host.ports.filter(isChained).map((port) => tcpChain(tcpChainName(host, port), port)));
    const peers = identitiesOf(remote).map((identity) => ({ name: peerCluster(identity), filter: tcpProxyTo(peerCluster(identity)) }));
    const choices: Record<string, Choice> = Object.fromEntries([
      ...remote.map(({ address, identity }) => [address, useChain(peerCluster(identity))] as const),
      ...addressed.map((host) => [host.address, thenBy(choosePort(host))] as const),
    ]);
    const http = { name: httpChain, filter: httpConnectionManager("node", routes) };
    const direct = { name: directCluster, filter: tcpProxyTo(directCluster) };
    return { chains: [http, direct, ...tcp, ...peers], choose: byAddress(choices, useChain(directCluster)) };
  },
);

/** A TCP port that leads somewhere, or has routes, which may lead nowhere. */
function isChained(port: HostPort): port is TcpPort {
  return port.kind === "tcp" && (port.routed !== undefined || port.destinations.length > 0);
}

function tcpChain(name: string, { destinations, routed }: TcpPort): Chain {
  if (routed === undefined) return { name, filter: tcpProxy("tcp", destinations) };
  if (routed.kind === "tcp") return { name, filter: targetFilter("tcp", routed.target) };
  const inside = insideListener(routed);
  return { name, filter: tcpProxyTo(inside.cluster.name), inside };
}

/** Who answers on other nodes, each once, sorted. */
export function identitiesOf(remote: NodePlan["remote"]): readonly SpiffeId[] {
  return [...new Set(remote.map(({ identity }) => identity))].sort();
}

/** A port that the host does not have goes where it was going: whoever gave out the address answers for it. */
function choosePort(host: Host): Matcher {
  const choices = host.ports.flatMap((port) => {
    const chain = port.kind === "http" ? httpChain : isChained(port) ? tcpChainName(host, port) : directCluster;
    return port.ports.map((number) => [String(number), useChain(chain)] as const);
  });
  return byPort(Object.fromEntries(choices), useChain(directCluster));
}

function addressIn(pod: PinnedPod, port: number) {
  const value = { address: pod.address, portSpecifier: { case: "portValue" as const, value: port }, networkNamespaceFilepath: pod.networkNamespace };
  return { address: { case: "socketAddress" as const, value } };
}

/** What a pod sends. A change of hosts changes chains only, so Envoy keeps the connections of all others. */
export const outboundListener: (pod: PinnedPod, shared: OutboundChains) => EnvoyResource = memoizeLast((pod: PinnedPod, { chains, choose }: OutboundChains) => {
  const name = `out/${pod.uid}`;
  return resource(ListenerSchema, name, {
    name,
    statPrefix: "out",
    trafficDirection: TrafficDirection.OUTBOUND,
    address: addressIn(pod, outboundPort),
    listenerFilters: [originalDst],
    filterChains: chains.map((chain) => ({ name: chain.name, filters: [callerFilter(pod.identity, chain.inside !== undefined), chain.filter] })),
    filterChainMatcher: choose,
  });
});

/**
 * What reaches a pod from other nodes: mutual TLS, in which it answers with its own certificate; in a permissive pod also plaintext, and whatever TLS is the
 * service's own. It is handed to the port that was called. The modes differ in chains and their choice alone, so a change between them leaves mutual TLS as it
 * is. Envoy ends connections whose chain is no longer there: so a strict pod keeps the chain by which it took plaintext while it joined, and chooses it for
 * nobody. When somebody makes a permissive pod strict, its plaintext ends.
 */
export const inboundListener: (pod: PinnedPod, trustDomain: TrustDomain) => EnvoyResource = memoizeLast((pod: PinnedPod, trustDomain: TrustDomain) => {
  const name = `in/${pod.uid}`;
  const filters = [tcpProxyTo(directCluster)];
  const plain = pod.mode === "strict" || pod.meanwhile === true ? plainChains.meanwhile : plainChains.permissive;
  const mutual: ChainInit = {
    name: mutualChain,
    filters,
    transportSocket: serverSocket(trustDomain, pod.identity),
    transportSocketConnectTimeout: duration(10_000),
  };
  return resource(ListenerSchema, name, {
    name,
    statPrefix: "in",
    trafficDirection: TrafficDirection.INBOUND,
    address: addressIn(pod, inboundPort),
    listenerFilters: [originalDst, tlsInspector],
    // Who speaks first on the service's side says nothing to inspect: plaintext then.
    listenerFiltersTimeout: duration(inspectionMs),
    continueOnListenerFiltersTimeout: true,
    filterChains: [mutual, { name: plain, filters }],
    filterChainMatcher: byApplicationProtocol({ [meshAlpn]: useChain(mutualChain) }, pod.mode === "strict" ? undefined : useChain(plain)),
  });
});

/** How long a permissive pod waits for a client's first bytes before it takes the server for the one that speaks first. */
const inspectionMs = 100;
