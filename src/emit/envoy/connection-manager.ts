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
import { destinationHeader, gatewayRoutes, meshRoutes } from "./route-configuration.ts";

/** A filter of a filter chain. */
export function httpConnectionManager(use: "mesh" | "gateway"): { readonly name: string; readonly configType: { readonly case: "typedConfig"; readonly value: Any } } {
  const value = any(HttpConnectionManagerSchema, {
    statPrefix: use,
    codecType: HttpConnectionManager_CodecType.AUTO,
    routeSpecifier: { case: "rds", value: { configSource: ads, routeConfigName: use === "mesh" ? meshRoutes : gatewayRoutes } },
    httpFilters: [{ name: "envoy.filters.http.router", configType: { case: "typedConfig", value: any(RouterSchema, { suppressEnvoyHeaders: true }) } }],
    upgradeConfigs: [{ upgradeType: "websocket" }],
    httpProtocolOptions: { acceptHttp10: true },
    http2ProtocolOptions: http2Windows,
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    normalizePath: true,
    localReplyConfig,
    ...(use === "mesh" ? mesh : gateway),
  });
  return { name: "envoy.filters.network.http_connection_manager", configType: { case: "typedConfig", value } };
}

/**
 * The original destination is written into a header before the virtual host is chosen by it, over whatever the caller sent (`vhost_header` of the route
 * configuration; docs/decisions/0002). The caller is inside: nothing is added to X-Forwarded-For.
 */
const mesh: Init<typeof HttpConnectionManagerSchema> = {
  skipXffAppend: true,
  earlyHeaderMutationExtensions: [
    {
      name: "envoy.http.early_header_mutation.header_mutation",
      typedConfig: any(HeaderMutationSchema, {
        mutations: [
          {
            action: {
              case: "append",
              value: { header: { key: destinationHeader, value: "%DOWNSTREAM_LOCAL_ADDRESS%" }, appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD },
            },
          },
        ],
      }),
    },
  ],
};

/** Callers are outside: their address is who connected (the PROXY protocol brings it), and slow ones do not hold a connection for ever. */
const gateway: Init<typeof HttpConnectionManagerSchema> = { useRemoteAddress: true, stripPortMode: { case: "stripAnyHostPort" as const, value: true }, requestHeadersTimeout: duration(30_000) };

/** Envoy's own answers, in words that help: `no healthy upstream` means that no replica is ready. */
const localReplyConfig: Init<typeof LocalReplyConfigSchema> = {
  mappers: [
    {
      filter: { filterSpecifier: { case: "responseFlagFilter" as const, value: { flags: ["UH"] } } },
      bodyFormatOverride: { format: { case: "textFormatSource" as const, value: { specifier: { case: "inlineString" as const, value: "weir: no replica of %ROUTE_NAME% is ready; see why: weir ps\n" } } } },
    },
    {
      filter: { filterSpecifier: { case: "responseFlagFilter" as const, value: { flags: ["UF", "UC", "UT", "UO", "URX"] } } },
      bodyFormatOverride: {
        format: { case: "textFormatSource" as const, value: { specifier: { case: "inlineString" as const, value: "weir: %ROUTE_NAME%: %LOCAL_REPLY_BODY% (%RESPONSE_FLAGS%)\n" } } },
      },
    },
  ],
};
