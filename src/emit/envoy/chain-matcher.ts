/** Parts of a listener's choice of its filter chain, by where the connection was going. */
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { DestinationIPInputSchema, DestinationPortInputSchema } from "../../../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js";
import { type Matcher, type Matcher_OnMatch, Matcher_OnMatchSchema, MatcherSchema } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import { any } from "./resource.ts";

export type Choice = Matcher_OnMatch;

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

type Tree = { readonly case: "exactMatchMap" | "prefixMatchMap"; readonly value: { readonly map: Record<string, Choice> } };

function tree(input: typeof destinationIp, treeType: Tree, otherwise: Choice | undefined): Matcher {
  return create(MatcherSchema, {
    matcherType: { case: "matcherTree", value: { input, treeType } },
    ...(otherwise === undefined ? {} : { onNoMatch: otherwise }),
  });
}

const destinationIp = { name: "destination_ip", typedConfig: any(DestinationIPInputSchema, {}) };
const destinationPort = { name: "destination_port", typedConfig: any(DestinationPortInputSchema, {}) };
