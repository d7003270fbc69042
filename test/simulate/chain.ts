/** Which filter chain of a listener takes a connection, as Envoy's generic matcher decides. */
import { type Any, StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { FilterChain } from "../../gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { DestinationIPInputSchema, DestinationPortInputSchema } from "../../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js";
import type { Matcher, Matcher_MatcherTree, Matcher_OnMatch } from "../../gen/xds/type/matcher/v3/matcher_pb.js";
import { must, unpack } from "./proxy.ts";

/** An original destination. */
export interface Destination {
  readonly ip: string;
  readonly port: number;
}

/** The chain for a connection to `destination`; undefined when Envoy closes it. */
export function chooseChain(listener: Listener, destination: Destination): FilterChain | undefined {
  if (listener.filterChainMatcher === undefined) return must(listener.filterChains[0], `listener ${listener.name} has no chain`);
  const name = matchChain(listener.filterChainMatcher, destination);
  return name === undefined ? undefined : listener.filterChains.find((chain) => chain.name === name);
}

function matchChain(matcher: Matcher, destination: Destination): string | undefined {
  if (matcher.matcherType.case !== "matcherTree") throw new Error("the simulator knows matcher trees only");
  const found = lookUp(matcher.matcherType.value, destination);
  return found === undefined ? follow(matcher.onNoMatch, destination) : follow(found, destination);
}

function follow(step: Matcher_OnMatch | undefined, destination: Destination): string | undefined {
  const next = step?.onMatch;
  if (next?.case === "matcher") return matchChain(next.value, destination);
  return next?.case === "action" ? must(unpack(StringValueSchema, next.value.typedConfig), "a chain's name is a StringValue").value : undefined;
}

function lookUp({ input, treeType }: Matcher_MatcherTree, destination: Destination): Matcher_OnMatch | undefined {
  const text = inputText(input?.typedConfig, destination);
  if (treeType.case === "exactMatchMap") return treeType.value.map[text];
  if (treeType.case !== "prefixMatchMap") throw new Error("the simulator knows exact and prefix maps only");
  const longest = Object.keys(treeType.value.map)
    .filter((prefix) => text.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : treeType.value.map[longest];
}

function inputText(input: Any | undefined, destination: Destination): string {
  if (unpack(DestinationIPInputSchema, input) !== undefined) return destination.ip;
  if (unpack(DestinationPortInputSchema, input) !== undefined) return String(destination.port);
  throw new Error(`the simulator does not know the input ${input?.typeUrl}`);
}
