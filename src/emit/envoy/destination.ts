/** Where a captured connection was going: noted once, when it opens, and what chooses the routes of its requests (docs/decisions/0002). */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RouteListSchema, VirtualHostSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import { FilterStateInputSchema } from "../../../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js";
import { Matcher_MatcherTreeSchema, Matcher_OnMatchSchema } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import { any } from "./resource.ts";
import { answer, type RouteInit } from "./route.ts";

/** Keys in a connection's filter state, and the formatters of what stands under them: `100.100.0.1:80` and `100.100.0.1`. */
export const destinationNotes = [
  ["weir.destination", "%DOWNSTREAM_LOCAL_ADDRESS%"],
  ["weir.destination_address", "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"],
] as const;
const [[portKey], [addressKey]] = destinationNotes;

/** Routes of destinations, encoded. */
export interface EncodedRoutes {
  readonly ports: readonly Uint8Array[];
  readonly addresses: readonly Uint8Array[];
}

/** Encodes the routes of some ports of an address, and the routes of all its other ports. */
export function routesAt(
  address: string,
  ports: readonly { readonly numbers: readonly number[]; readonly routes: readonly RouteInit[] }[],
  otherPorts: readonly RouteInit[],
): EncodedRoutes {
  const byPort = ports.flatMap(({ numbers, routes }) => {
    const choice = useRoutes(routes);
    return numbers.map((number) => entry(`${address}:${number}`, choice));
  });
  return { ports: byPort, addresses: [entry(address, useRoutes(otherPorts))] };
}

/** An encoded virtual host for all requests: the routes of the destination with its port, else of its address, else the answer `rest`. */
export function virtualHostByDestination(name: string, all: readonly EncodedRoutes[], rest: string): Uint8Array {
  const unknown = [answer("unknown", 404, rest)];
  // Envoy takes no empty map.
  if (all.length === 0) return toBinary(VirtualHostSchema, create(VirtualHostSchema, { name, domains: ["*"], routes: unknown }));
  const byAddress = tree(
    addressKey,
    all.flatMap(({ addresses }) => addresses),
    useRoutes(unknown),
  );
  const byPort = tree(
    portKey,
    all.flatMap(({ ports }) => ports),
    new BinaryWriter().tag(field.onMatch.matcher, WireType.LengthDelimited).bytes(byAddress).finish(),
  );
  const host = toBinary(VirtualHostSchema, create(VirtualHostSchema, { name, domains: ["*"] }));
  return new BinaryWriter().raw(host).tag(field.virtualHost.matcher, WireType.LengthDelimited).bytes(byPort).finish();
}

/** Numbers of the fields that are put together from parts that are encoded already: what did not change costs nothing. */
const field = {
  virtualHost: { matcher: 21 },
  matcher: { matcherTree: 2, onNoMatch: 3 },
  matcherTree: { exactMatchMap: 2 },
  matchMap: { map: 1 },
  entry: { key: 1, value: 2 },
  onMatch: { matcher: 1 },
} as const;

/** An encoded OnMatch. */
function useRoutes(routes: readonly RouteInit[]): Uint8Array {
  const action = { name: "routes", typedConfig: any(RouteListSchema, { routes: [...routes] }) };
  return toBinary(Matcher_OnMatchSchema, create(Matcher_OnMatchSchema, { onMatch: { case: "action", value: action } }));
}

function entry(key: string, choice: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(field.entry.key, WireType.LengthDelimited).string(key).tag(field.entry.value, WireType.LengthDelimited).bytes(choice).finish();
}

/** An encoded Matcher that looks the text under `key` up. */
function tree(key: string, entries: readonly Uint8Array[], otherwise: Uint8Array): Uint8Array {
  const map = new BinaryWriter();
  for (const one of entries) map.tag(field.matchMap.map, WireType.LengthDelimited).bytes(one);
  const input = { name: key, typedConfig: any(FilterStateInputSchema, { key }) };
  const inner = new BinaryWriter()
    .raw(toBinary(Matcher_MatcherTreeSchema, create(Matcher_MatcherTreeSchema, { input })))
    .tag(field.matcherTree.exactMatchMap, WireType.LengthDelimited)
    .bytes(map.finish());
  return new BinaryWriter()
    .tag(field.matcher.matcherTree, WireType.LengthDelimited)
    .bytes(inner.finish())
    .tag(field.matcher.onNoMatch, WireType.LengthDelimited)
    .bytes(otherwise)
    .finish();
}
