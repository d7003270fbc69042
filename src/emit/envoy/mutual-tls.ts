/**
 * Mutual TLS between nodes. Certificates come from the node agent (SDS), never from the control plane: keys do not leave their node.
 * Which certificate a call shows depends on who calls: the caller stands in the connection's filter state (`identity.ts`), the cluster's matcher reads it.
 */
import { create } from "@bufbuild/protobuf";
import type { ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema } from "../../../gen/envoy/config/core/v3/config_source_pb.js";
import {
  EndpointMetadataInputSchema,
  FilterStateInputSchema,
  TransportSocketNameActionSchema,
} from "../../../gen/envoy/extensions/matching/common_inputs/transport_socket/v3/transport_socket_inputs_pb.js";
import { RawBufferSchema } from "../../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import { SubjectAltNameMatcher_SanType, TlsParameters_TlsProtocol } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { type Matcher, type Matcher_OnMatch, Matcher_OnMatchSchema, MatcherSchema } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import { memoizeLast } from "../../lib/memoize.ts";
import { type SpiffeId, type TrustDomain, trustDomainId } from "../../model/spiffe.ts";
import { identityKey } from "./identity.ts";
import { any, type Init } from "./resource.ts";

type ClusterInit = Init<typeof ClusterSchema>;
type CommonTls = Init<typeof CommonTlsContextSchema>;

/** Name of the cluster in every node's bootstrap that leads to the agent's certificates. */
export const identitiesCluster = "sds";

/** What our own connections say they speak, so that a permissive pod tells them from a service's own TLS. Inside is what the port says. */
export const meshAlpn = "weir";

/** The key of endpoint metadata that says how an endpoint is reached; absent: plaintext. */
const tunnelKey = "tunnel";
const metadataNamespace = "weir";

const fromAgent: Init<typeof ConfigSourceSchema> = {
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: { seconds: 0n, nanos: 0 },
  configSourceSpecifier: {
    case: "apiConfigSource",
    value: {
      apiType: ApiConfigSource_ApiType.DELTA_GRPC,
      transportApiVersion: ApiVersion.V3,
      setNodeOnFirstMessageOnly: true,
      grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: identitiesCluster } } }],
    },
  },
};

/** TLS 1.3 and nothing else (RFC 8446). */
const onlyTls13 = { tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3, tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3 };

/** Certificates of `trustDomain`; with `peers`, only theirs. */
function validation(trustDomain: TrustDomain, peers: readonly SpiffeId[]): NonNullable<CommonTls["validationContextType"]> {
  const roots = { name: trustDomainId(trustDomain), sdsConfig: fromAgent };
  const matchTypedSubjectAltNames = peers.map((peer) => ({
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern: { case: "exact" as const, value: peer } },
  }));
  return { case: "combinedValidationContext", value: { defaultValidationContext: { matchTypedSubjectAltNames }, validationContextSdsSecretConfig: roots } };
}

function common(trustDomain: TrustDomain, own: SpiffeId | undefined, peers: readonly SpiffeId[]): CommonTls {
  return {
    tlsParams: onlyTls13,
    alpnProtocols: [meshAlpn],
    tlsCertificateSdsSecretConfigs: own === undefined ? [] : [{ name: own, sdsConfig: fromAgent }],
    validationContextType: validation(trustDomain, peers),
  };
}

/** The server's side: it is `own`, and whoever calls must show a certificate of the trust domain. */
export function serverSocket(trustDomain: TrustDomain, own: SpiffeId) {
  const context = any(DownstreamTlsContextSchema, { requireClientCertificate: true, commonTlsContext: common(trustDomain, own, []) });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}

function clientSocket(trustDomain: TrustDomain, own: SpiffeId | undefined, peers: readonly SpiffeId[]) {
  const context = any(UpstreamTlsContextSchema, { commonTlsContext: common(trustDomain, own, peers) });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}

const plain = { name: "plain", configType: { case: "typedConfig" as const, value: any(RawBufferSchema, {}) } };

/** What an endpoint that is reached by mutual TLS carries, for `peerSockets`. */
export const tunnelMetadata = { filterMetadata: { [metadataNamespace]: { [tunnelKey]: "mtls" } } };

type Sockets = Pick<ClusterInit, "transportSocket" | "transportSocketMatches" | "transportSocketMatcher">;

/**
 * How a backend's endpoints are reached: as they say. By mutual TLS each caller shows its own certificate, and one of `peers` must answer.
 * A caller that is not among `callers` gets a socket that shows none: the other side refuses it. (Where nobody calls there is nothing to choose; Envoy
 * refuses a choice without choices.)
 */
export const peerSockets: (peers: readonly SpiffeId[], callers: readonly SpiffeId[], trustDomain: TrustDomain) => Sockets = memoizeLast(
  (peers: readonly SpiffeId[], callers: readonly SpiffeId[], trustDomain: TrustDomain): Sockets => {
    if (peers.length === 0) return {};
    if (callers.length === 0) return { transportSocket: clientSocket(trustDomain, undefined, peers) };
    return {
      transportSocket: clientSocket(trustDomain, undefined, peers),
      transportSocketMatches: [
        { name: plain.name, transportSocket: plain },
        ...callers.map((caller) => ({ name: caller, transportSocket: clientSocket(trustDomain, caller, peers) })),
      ],
      transportSocketMatcher: byTunnel(byCaller(callers)),
    };
  },
);

/** The same where every endpoint is reached by mutual TLS and is `peer`. */
export function directPeerSockets(peer: SpiffeId, callers: readonly SpiffeId[], trustDomain: TrustDomain): Sockets {
  const transportSocket = clientSocket(trustDomain, undefined, [peer]);
  if (callers.length === 0) return { transportSocket };
  return {
    transportSocket,
    transportSocketMatches: callers.map((caller) => ({ name: caller, transportSocket: clientSocket(trustDomain, caller, [peer]) })),
    transportSocketMatcher: byCaller(callers),
  };
}

function useSocket(name: string): Matcher_OnMatch {
  const value = { name, typedConfig: any(TransportSocketNameActionSchema, { name }) };
  return create(Matcher_OnMatchSchema, { onMatch: { case: "action", value } });
}

function byCaller(callers: readonly SpiffeId[]): Matcher {
  const input = { name: "caller", typedConfig: any(FilterStateInputSchema, { key: identityKey }) };
  const map = Object.fromEntries(callers.map((caller) => [caller, useSocket(caller)]));
  return create(MatcherSchema, { matcherType: { case: "matcherTree", value: { input, treeType: { case: "exactMatchMap", value: { map } } } } });
}

function byTunnel(mutual: Matcher): Matcher {
  const path = [{ segment: { case: "key" as const, value: tunnelKey } }];
  const input = { name: "tunnel", typedConfig: any(EndpointMetadataInputSchema, { filter: metadataNamespace, path }) };
  const map = { mtls: create(Matcher_OnMatchSchema, { onMatch: { case: "matcher", value: mutual } }) };
  return create(MatcherSchema, {
    matcherType: { case: "matcherTree", value: { input, treeType: { case: "exactMatchMap", value: { map } } } },
    onNoMatch: useSocket(plain.name),
  });
}
