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
  const action = matchAction(listener.filterChainMatcher, (input) => addressText(input, destination));
  if (action === undefined) return undefined;
  const name = must(unpack(StringValueSchema, action), "a chain's name is a StringValue").value;
  return listener.filterChains.find((chain) => chain.name === name);
}

/** What a matcher says an input is. */
type ReadInput = (input: Any | undefined) => string | undefined;

/** The action that a matcher leads to; undefined when none. */
export function matchAction(matcher: Matcher, read: ReadInput): Any | undefined {
  if (matcher.matcherType.case !== "matcherTree") throw new Error("the simulator knows matcher trees only");
  const step = (lookUp(matcher.matcherType.value, read) ?? matcher.onNoMatch)?.onMatch;
  if (step?.case === "matcher") return matchAction(step.value, read);
  return step?.case === "action" ? step.value.typedConfig : undefined;
}

function lookUp({ input, treeType }: Matcher_MatcherTree, read: ReadInput): Matcher_OnMatch | undefined {
  const text = read(input?.typedConfig);
  if (text === undefined) return undefined;
  if (treeType.case === "exactMatchMap") return treeType.value.map[text];
  if (treeType.case !== "prefixMatchMap") throw new Error("the simulator knows exact and prefix maps only");
  const longest = Object.keys(treeType.value.map)
    .filter((prefix) => text.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : treeType.value.map[longest];
}

function addressText(input: Any | undefined, destination: Destination): string {
  if (unpack(DestinationIPInputSchema, input) !== undefined) return destination.ip;
  if (unpack(DestinationPortInputSchema, input) !== undefined) return String(destination.port);
  throw new Error(`the simulator does not know the input ${input?.typeUrl}`);
}
