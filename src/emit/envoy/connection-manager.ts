/** The HTTP connection manager, once for captured traffic and once for the gateway. */
import type { Any } from "@bufbuild/protobuf/wkt";
import { HeaderValueOption_HeaderAppendAction } from "../../../gen/envoy/config/core/v3/base_pb.js";
import { RouterSchema } from "../../../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
  type LocalReplyConfigSchema,
} from "../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { HeaderMutationSchema } from "../../../gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js";
import { ads, http2Windows } from "./cluster.ts";
import { any, duration, type Init } from "./resource.ts";
import { gatewayRoutes, meshRoutes } from "./route-configuration.ts";

/**
 * A filter of a filter chain: for what workloads of one machine send, for what pods of a node send, or for what comes in through the gateway. `routes` is the
 * route configuration, where it is not the usual one of the use; `filters` are worked before the router.
 */
export function httpConnectionManager(
  use: "machine" | "node" | "gateway",
  routes: string = use === "gateway" ? gatewayRoutes : meshRoutes,
  filters: readonly HttpFilter[] = [],
): {
  readonly name: string;
  readonly configType: { readonly case: "typedConfig"; readonly value: Any };
} {
  const value = any(HttpConnectionManagerSchema, {
    statPrefix: use === "gateway" ? use : "mesh",
    codecType: HttpConnectionManager_CodecType.AUTO,
    routeSpecifier: { case: "rds", value: { configSource: ads, routeConfigName: routes } },
    httpFilters: [...filters, router],
    upgradeConfigs: [{ upgradeType: "websocket" }],
    // HTTP/1.0 need not name a host, and inside the mesh its address says enough.
    httpProtocolOptions: { acceptHttp10: true, defaultHostForHttp10: use === "gateway" ? "" : "mesh" },
    commonHttpProtocolOptions: { maxHeadersCount: 200 },
    // HTTP/2 callers are told twice to go elsewhere, this far apart, before an old Envoy goes: shorter than the time it has for it.
    drainTimeout: duration(1_000),
    http2ProtocolOptions: http2Windows,
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    normalizePath: true,
    localReplyConfig,
    // How long a request may stand still. On one machine nobody can vanish without a word, and a timer that every part of a request sets anew costs 4 % of the hop.
    streamIdleTimeout: duration(use === "machine" ? 0 : 300_000),
    ...(use === "gateway" ? gateway : mesh),
  });
  return { name: "envoy.filters.network.http_connection_manager", configType: { case: "typedConfig", value } };
}

interface HttpFilter {
  readonly name: string;
  readonly configType: { readonly case: "typedConfig"; readonly value: Any };
}

/** Statistics by status code cost every request (docs/decisions/0014), and nobody reads Envoy's own: ours have our labels. */
const router = {
  name: "envoy.filters.http.router",
  configType: { case: "typedConfig" as const, value: any(RouterSchema, { suppressEnvoyHeaders: true, dynamicStats: false }) },
};

/** Adds the caller's address before the request is routed. */
function forwardedFor() {
  const header = { key: "x-forwarded-for", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" };
  const appendAction = HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD;
  const mutations = [{ action: { case: "append" as const, value: { header, appendAction } } }];
  return { name: "envoy.http.early_header_mutation.header_mutation", typedConfig: any(HeaderMutationSchema, { mutations }) };
}

/** The caller is inside: nothing is added to X-Forwarded-For. */
const mesh: Init<typeof HttpConnectionManagerSchema> = { skipXffAppend: true };

/**
 * Callers are outside, whatever their address (the PROXY protocol brings it), so headers that steer Envoy are taken off: no address is internal (an empty
 * list would be Envoy's own). X-Forwarded-For is added to by hand: Envoy itself would write its own address in place of a loopback caller's.
 */
const gateway: Init<typeof HttpConnectionManagerSchema> = {
  // Who sends half a header and stops does not hold a connection for ever. Inside nobody is kept from hurting only himself.
  requestHeadersTimeout: duration(30_000),
  useRemoteAddress: true,
  internalAddressConfig: { cidrRanges: [{ addressPrefix: "0.0.0.0", prefixLen: 32 }] },
  skipXffAppend: true,
  earlyHeaderMutationExtensions: [forwardedFor()],
  appendXForwardedPort: true,
};

function textReply(flags: readonly string[], text: string) {
  return {
    filter: { filterSpecifier: { case: "responseFlagFilter" as const, value: { flags: [...flags] } } },
    bodyFormatOverride: { format: { case: "textFormatSource" as const, value: { specifier: { case: "inlineString" as const, value: text } } } },
  };
}

/** Envoy's own answers, in words that help. Flags as in its access log: UH is `no healthy upstream`. */
const localReplyConfig: Init<typeof LocalReplyConfigSchema> = {
  mappers: [
    textReply(["UH"], "weir: no replica of %UPSTREAM_CLUSTER% is ready; see why: weir ps\n"),
    textReply(["UT"], "weir: %UPSTREAM_CLUSTER% did not answer within the time that the route allows\n"),
    textReply(["SI"], "weir: %UPSTREAM_CLUSTER%: nothing was sent in either direction for too long\n"),
    textReply(["UO"], "weir: %UPSTREAM_CLUSTER% has as many requests or connections as it may have at a time\n"),
    textReply(["UF", "UC", "UR", "URX"], "weir: %UPSTREAM_CLUSTER%: %LOCAL_REPLY_BODY% (%RESPONSE_FLAGS%)\n"),
  ],
};
