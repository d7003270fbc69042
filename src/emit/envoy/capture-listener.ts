/**
 * The listener inside a workload's network namespace: everything the workload sends arrives here.
 * The original destination alone chooses the chain, so nobody waits for bytes (docs/decisions/0003).
 */
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { FilterChainSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { OriginalDstSchema } from "../../../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { DestinationIPInputSchema, DestinationPortInputSchema } from "../../../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js";
import { CidrRangeSchema } from "../../../gen/xds/core/v3/cidr_pb.js";
import { IPMatcherSchema } from "../../../gen/xds/type/matcher/v3/ip_pb.js";
import { type Matcher_OnMatch, Matcher_OnMatchSchema, type Matcher, MatcherSchema } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import type { CapturePoint } from "../../model/world.ts";
import { httpConnectionManager } from "./connection-manager.ts";
import { any, type EnvoyResource, type Init, resource } from "./resource.ts";
import { tcpProxy, tcpTunnelTo } from "./tcp-proxy.ts";

type FilterChainInit = Init<typeof FilterChainSchema>;

/** Where virtual addresses come from. */
const virtualAddresses = create(CidrRangeSchema, { addressPrefix: "100.100.0.0", prefixLen: 16 });

const httpChain = "http";
const anywhereChain = "anywhere";
/** The cluster that leads out, for workloads that may call anything. */
export const anywhereCluster = "anywhere";

/** What all capture listeners share: computed once for a plan. */
export interface CaptureChains {
  readonly chains: readonly FilterChainInit[];
  /** address → port → chain, for the TCP ports of hosts. */
  readonly tcp: ReadonlyMap<string, ReadonlyMap<number, string>>;
}

/** One chain for all HTTP, one for each TCP port of a host. */
export function captureChains(hosts: readonly Host[]): CaptureChains {
  const chains: FilterChainInit[] = [{ name: httpChain, filters: [httpConnectionManager("mesh")] }];
  const tcp = new Map<string, Map<number, string>>();
  for (const host of hosts) {
    for (const port of host.ports) {
      if (host.address === undefined || port.kind !== "tcp" || port.destinations.length === 0) continue;
      const name = `${host.name}.${host.namespace}:${port.ports[0]}`;
      chains.push({ name, filters: [tcpProxy(name, port.destinations)] });
      tcp.set(host.address, new Map([...(tcp.get(host.address) ?? []), ...chainByPort(port, name)]));
    }
  }
  return { chains, tcp };
}

function chainByPort(port: HostPort, name: string): readonly (readonly [number, string])[] {
  return port.ports.map((number) => [number, name] as const);
}

/** The capture listener of one workload. */
export function captureListener(capture: CapturePoint, shared: CaptureChains): EnvoyResource {
  const name = `capture/${capture.workload}`;
  const anywhere: FilterChainInit[] = capture.egress ? [{ name: anywhereChain, filters: [tcpTunnelTo(anywhereCluster)] }] : [];
  return resource(ListenerSchema, name, {
    name,
    address: {
      address: { case: "socketAddress", value: { address: capture.address, portSpecifier: { case: "portValue", value: capture.port }, networkNamespaceFilepath: capture.networkNamespace } },
    },
    listenerFilters: [{ name: "envoy.filters.listener.original_dst", configType: { case: "typedConfig", value: any(OriginalDstSchema, {}) } }],
    filterChains: [...shared.chains, ...anywhere],
    filterChainMatcher: chooseChain(shared.tcp, capture.egress),
  });
}

/** A TCP host's address and port: its chain. Any other virtual address: HTTP. Anything else: the way out, or no chain, which closes the connection. */
function chooseChain(tcp: CaptureChains["tcp"], egress: boolean): Matcher {
  const virtual = any(IPMatcherSchema, { rangeMatchers: [{ ranges: [virtualAddresses], onMatch: chain(httpChain) }] });
  const rest = create(MatcherSchema, {
    matcherType: {
      case: "matcherTree",
      value: { input: destinationIp, treeType: { case: "customMatch", value: { name: "envoy.matching.custom_matchers.trie_matcher", typedConfig: virtual } } },
    },
    ...(egress ? { onNoMatch: chain(anywhereChain) } : {}),
  });
  if (tcp.size === 0) return rest;
  const byAddress = Object.fromEntries([...tcp].map(([address, ports]) => [address, nested(byPort(ports))]));
  return create(MatcherSchema, {
    matcherType: { case: "matcherTree", value: { input: destinationIp, treeType: { case: "exactMatchMap", value: { map: byAddress } } } },
    onNoMatch: nested(rest),
  });
}

function byPort(ports: ReadonlyMap<number, string>): Matcher {
  const map = Object.fromEntries([...ports].map(([port, name]) => [String(port), chain(name)]));
  return create(MatcherSchema, { matcherType: { case: "matcherTree", value: { input: destinationPort, treeType: { case: "exactMatchMap", value: { map } } } }, onNoMatch: chain(httpChain) });
}

function nested(matcher: Matcher): Matcher_OnMatch {
  return create(Matcher_OnMatchSchema, { onMatch: { case: "matcher", value: matcher } });
}

/** The action of a filter chain matcher is the chain's name, as a StringValue. */
function chain(name: string): Matcher_OnMatch {
  return create(Matcher_OnMatchSchema, { onMatch: { case: "action", value: { name, typedConfig: any(StringValueSchema, { value: name }) } } });
}

const destinationIp = { name: "destination_ip", typedConfig: any(DestinationIPInputSchema, {}) };
const destinationPort = { name: "destination_port", typedConfig: any(DestinationPortInputSchema, {}) };
