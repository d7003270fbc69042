/**
 * The listener inside a workload's network namespace: everything the workload sends arrives here.
 * The original destination alone chooses the chain, so nobody waits for bytes (docs/decisions/0003).
 */
import { TrafficDirection } from "../../../gen/envoy/config/core/v3/base_pb.js";
import type { FilterSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import type { Matcher } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import type { Host, MeshPlan } from "../../compile/mesh-plan.ts";
import { memoizeLast } from "../../lib/memoize.ts";
import type { CapturePoint } from "../../model/world.ts";
import { byAddress, byAddressPrefix, byPort, isOpenTcp, originalDst, tcpChainName, thenBy, useChain } from "./chain-matcher.ts";
import { httpConnectionManager } from "./connection-manager.ts";
import { identityFilter } from "./identity.ts";
import { type EnvoyResource, type Init, resource } from "./resource.ts";
import { tcpProxy, tcpTunnelTo } from "./tcp-proxy.ts";

type FilterInit = Init<typeof FilterSchema>;

interface Chain {
  readonly name: string;
  readonly filters: readonly FilterInit[];
}

/** What virtual addresses begin with: they are all of 100.100.0.0/16. (Envoy's matcher for address ranges is marked as unfinished.) */
const virtualAddresses = "100.100.";

const httpChain = "http";
/** A chain that does not exist: Envoy closes the connection. */
const noChain = "none";
const anywhereChain = "anywhere";
/** The cluster that leads out, for workloads that may call anything. */
export const anywhereCluster = "anywhere";

/** What all capture listeners share: computed once for a plan. */
export interface CaptureChains {
  readonly chains: readonly Chain[];
  /** Of hosts with TCP ports: address → port → chain; `rest` is for their other ports. */
  readonly tcp: ReadonlyMap<string, { readonly byPort: ReadonlyMap<number, string>; readonly rest: "http" | "close" }>;
}

/** One chain for all HTTP, one for each TCP port of a host. Only hosts with TCP ports matter, so what happens to HTTP leaves every listener as it was. */
export function captureChains({ gateway, hosts }: MeshPlan): CaptureChains {
  return chainsOf(gateway, ...hosts.filter(hasTcp));
}

/** Remembered by the gateway's settings, of which there are as many as meshes. */
const chainsOf = memoizeLast((_gateway: MeshPlan["gateway"], ...hosts: readonly TcpHost[]): CaptureChains => {
  const tcpHosts = hosts.map((host) => ({ host, answers: host.ports.filter(isOpenTcp).map((port) => ({ port, chain: tcpChainName(host, port) })) }));
  const tcpChains = tcpHosts.flatMap(({ answers }) => answers.map(({ port, chain }) => ({ name: chain, filters: [tcpProxy(chain, port.destinations)] })));
  const tcp = tcpHosts.map(({ host, answers }) => {
    const byPort = new Map(answers.flatMap(({ port, chain }) => port.ports.map((number) => [number, chain] as const)));
    return [host.address, { byPort, rest: host.ports.some((port) => port.kind === "http") ? ("http" as const) : ("close" as const) }] as const;
  });
  return { chains: [{ name: httpChain, filters: [httpConnectionManager("machine")] }, ...tcpChains], tcp: new Map(tcp) };
});

type TcpHost = Host & { readonly address: string };

function hasTcp(host: Host): host is TcpHost {
  return host.address !== undefined && host.ports.some((port) => port.kind === "tcp");
}

/** The capture listener of one workload. A change of hosts changes its chains only, so Envoy keeps the connections of all others. */
export const captureListener: (capture: CapturePoint, shared: CaptureChains) => EnvoyResource = memoizeLast((capture: CapturePoint, shared: CaptureChains) => {
  const name = `capture/${capture.workload}`;
  const anywhere: readonly Chain[] = capture.egress ? [{ name: anywhereChain, filters: [tcpTunnelTo(anywhereCluster)] }] : [];
  const identity = identityFilter(capture);
  return resource(ListenerSchema, name, {
    name,
    statPrefix: "capture",
    trafficDirection: TrafficDirection.OUTBOUND,
    address: {
      address: {
        case: "socketAddress",
        value: { address: capture.address, portSpecifier: { case: "portValue", value: capture.port }, networkNamespaceFilepath: capture.networkNamespace },
      },
    },
    listenerFilters: [originalDst],
    filterChains: [...shared.chains, ...anywhere].map((chain) => ({ name: chain.name, filters: [identity, ...chain.filters] })),
    filterChainMatcher: chooseChain(shared.tcp, capture.egress),
  });
});

/**
 * A TCP host's address and port: its chain; its other ports are HTTP if it has any of those, else closed. Any other virtual address: HTTP.
 * Anything else: the way out. Where there is no chain the connection is closed.
 */
function chooseChain(tcp: CaptureChains["tcp"], egress: boolean): Matcher {
  const rest = byAddressPrefix({ [virtualAddresses]: useChain(httpChain) }, egress ? useChain(anywhereChain) : undefined);
  if (tcp.size === 0) return rest;
  const hosts = [...tcp].map(([address, { byPort: ports, rest: others }]) => [address, thenBy(matchPort(ports, others))]);
  return byAddress(Object.fromEntries(hosts), thenBy(rest));
}

function matchPort(ports: ReadonlyMap<number, string>, rest: "http" | "close"): Matcher {
  const choices = [...ports].map(([port, name]) => [String(port), useChain(name)]);
  return byPort(Object.fromEntries(choices), useChain(rest === "http" ? httpChain : noChain));
}
