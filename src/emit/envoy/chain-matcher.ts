/** What listeners of captured traffic share: where a connection was going, and the choice of its filter chain by that. */
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { OriginalDstSchema } from "../../../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
} from "../../../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js";
import { type Matcher, type Matcher_OnMatch, Matcher_OnMatchSchema, MatcherSchema } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import type { Host, HostPort } from "../../compile/mesh-plan.ts";
import { any } from "./resource.ts";

export type Choice = Matcher_OnMatch;

/** The listener filter that brings back where a captured connection was going. */
export const originalDst = { name: "envoy.filters.listener.original_dst", configType: { case: "typedConfig" as const, value: any(OriginalDstSchema, {}) } };

export type TcpPort = HostPort & { readonly kind: "tcp" };

/** A TCP port without destinations has no chain. */
export function isOpenTcp(port: HostPort): port is TcpPort {
  return port.kind === "tcp" && port.destinations.length > 0;
}

/** The chain of one TCP port of a host. */
export function tcpChainName(host: Host, port: TcpPort): string {
  return `${host.name}.${host.namespace}:${port.ports[0]}`;
}

/** Ends the choice: this chain. (Envoy wants its name as the action, a StringValue.) */
export function useChain(name: string): Choice {
  return create(Matcher_OnMatchSchema, { onMatch: { case: "action", value: { name, typedConfig: any(StringValueSchema, { value: name }) } } });
}

/** Goes on choosing. */
export function thenBy(matcher: Matcher): Choice {
  return create(Matcher_OnMatchSchema, { onMatch: { case: "matcher", value: matcher } });
}

/** By the whole destination address. */
export function byAddress(choices: Readonly<Record<string, Choice>>, otherwise: Choice | undefined): Matcher {
  return tree(destinationIp, { case: "exactMatchMap", value: { map: choices } }, otherwise);
}

/** By what the destination address begins with. */
export function byAddressPrefix(choices: Readonly<Record<string, Choice>>, otherwise: Choice | undefined): Matcher {
  return tree(destinationIp, { case: "prefixMatchMap", value: { map: choices } }, otherwise);
}

/** By the destination port. */
export function byPort(choices: Readonly<Record<string, Choice>>, otherwise: Choice | undefined): Matcher {
  return tree(destinationPort, { case: "exactMatchMap", value: { map: choices } }, otherwise);
}

/** By the one application protocol that a TLS client offers (ALPN, RFC 7301); who offers none, or several, or is no TLS client, is not matched. */
export function byApplicationProtocol(choices: Readonly<Record<string, Choice>>, otherwise: Choice | undefined): Matcher {
  // Envoy makes a list of them, in quotes.
  const quoted = Object.fromEntries(Object.entries(choices).map(([protocol, choice]) => [`'${protocol}'`, choice]));
  return tree(applicationProtocol, { case: "exactMatchMap", value: { map: quoted } }, otherwise);
}

type Tree = { readonly case: "exactMatchMap" | "prefixMatchMap"; readonly value: { readonly map: Record<string, Choice> } };

function tree(input: typeof destinationIp, treeType: Tree, otherwise: Choice | undefined): Matcher {
  return create(MatcherSchema, {
    matcherType: { case: "matcherTree", value: { input, treeType } },
    ...(otherwise === undefined ? {} : { onNoMatch: otherwise }),
  });
}

const destinationIp = { name: "destination_ip", typedConfig: any(DestinationIPInputSchema, {}) };
const applicationProtocol = { name: "application_protocol", typedConfig: any(ApplicationProtocolInputSchema, {}) };
const destinationPort = { name: "destination_port", typedConfig: any(DestinationPortInputSchema, {}) };
