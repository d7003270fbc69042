/**
 * Mutual TLS between nodes. Certificates come from the node agent (SDS), never from the control plane: keys do not leave their node.
 * Which certificate a call shows depends on who calls: the caller stands in the connection's filter state (`identity.ts`), from where Envoy takes the name of the
 * certificate.
 */
import { create } from "@bufbuild/protobuf";
import type { ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { ApiConfigSource_ApiType, ApiVersion, type ConfigSourceSchema } from "../../../gen/envoy/config/core/v3/config_source_pb.js";
import {
  EndpointMetadataInputSchema,
  TransportSocketNameActionSchema,
} from "../../../gen/envoy/extensions/matching/common_inputs/transport_socket/v3/transport_socket_inputs_pb.js";
import { RawBufferSchema } from "../../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js";
import { ConfigSchema as FilterStateOverrideSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/cert_mappers/filter_state_override/v3/config_pb.js";
import { ConfigSchema as OnDemandSecretSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/cert_selectors/on_demand_secret/v3/config_pb.js";
import { SubjectAltNameMatcher_SanType, TlsParameters_TlsProtocol } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { type Matcher, type Matcher_OnMatch, Matcher_OnMatchSchema, MatcherSchema } from "../../../gen/xds/type/matcher/v3/matcher_pb.js";
import { memoizeLast } from "../../lib/memoize.ts";
import { type SpiffeId, type TrustDomain, trustDomainId } from "../../model/spiffe.ts";
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

function common(trustDomain: TrustDomain, peers: readonly SpiffeId[]): CommonTls {
  return { tlsParams: onlyTls13, alpnProtocols: [meshAlpn], validationContextType: validation(trustDomain, peers) };
}

/** The server's side: it is `own`, and whoever calls must show a certificate of the trust domain. */
export function serverSocket(trustDomain: TrustDomain, own: SpiffeId) {
  const tlsCertificateSdsSecretConfigs = [{ name: own, sdsConfig: fromAgent }];
  const context = any(DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    commonTlsContext: { ...common(trustDomain, []), tlsCertificateSdsSecretConfigs },
  });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}

/** The secret that a connection without a caller asks for: there is none of this name, and it fails. */
const nobody = "nobody";

/**
 * The certificate of whoever calls, fetched with its first call. One TLS context for each caller would cost about 25 KB, in each cluster:
 * docs/measurements.md.
 */
const certificateOfCaller = {
  name: "envoy.tls.certificate_selectors.on_demand_secret",
  typedConfig: any(OnDemandSecretSchema, {
    configSource: fromAgent,
    certificateMapper: {
      name: "envoy.tls.upstream_certificate_mappers.filter_state_override",
      typedConfig: any(FilterStateOverrideSchema, { defaultValue: nobody }),
    },
  }),
};

/** `own`: whose certificate is shown; absent: the caller's. Sessions are not resumed: they would be the sessions of whoever called first. */
function clientSocket(trustDomain: TrustDomain, peers: readonly SpiffeId[], own?: SpiffeId) {
  const shown =
    own === undefined ? { customTlsCertificateSelector: certificateOfCaller } : { tlsCertificateSdsSecretConfigs: [{ name: own, sdsConfig: fromAgent }] };
  const commonTlsContext = { ...common(trustDomain, peers), ...shown };
  const context = any(UpstreamTlsContextSchema, { commonTlsContext, maxSessionKeys: 0 });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}

const plain = { name: "plain", configType: { case: "typedConfig" as const, value: any(RawBufferSchema, {}) } };

/** What an endpoint that is reached by mutual TLS carries, for `peerSockets`. */
export const tunnelMetadata = { filterMetadata: { [metadataNamespace]: { [tunnelKey]: "mtls" } } };

type Sockets = Pick<ClusterInit, "transportSocket" | "transportSocketMatches" | "transportSocketMatcher">;

const mutual = "mutual";

/**
 * How a backend's endpoints are reached: as they say. By mutual TLS each caller shows its own certificate, and one of `peers` must answer. Nothing of it
 * depends on who the callers are: a pod that comes or goes changes no cluster, and so no connection.
 */
export const peerSockets: (peers: readonly SpiffeId[], trustDomain: TrustDomain) => Sockets = memoizeLast(
  (peers: readonly SpiffeId[], trustDomain: TrustDomain): Sockets => (peers.length === 0 ? {} : chosenSockets(clientSocket(trustDomain, peers))),
);

/** The same for a proxy that calls as itself, whoever asked it. */
export const ownPeerSockets: (peers: readonly SpiffeId[], own: SpiffeId, trustDomain: TrustDomain) => Sockets = memoizeLast(
  (peers: readonly SpiffeId[], own: SpiffeId, trustDomain: TrustDomain): Sockets =>
    peers.length === 0 ? {} : chosenSockets(clientSocket(trustDomain, peers, own)),
);

function chosenSockets(socket: ReturnType<typeof clientSocket>): Sockets {
  const transportSocketMatches = [
    { name: plain.name, transportSocket: plain },
    { name: mutual, transportSocket: socket },
  ];
  return { transportSocket: socket, transportSocketMatches, transportSocketMatcher: byTunnel };
}

/** The same where every endpoint is reached by mutual TLS and is `peer`. */
export function directPeerSockets(peer: SpiffeId, trustDomain: TrustDomain): Sockets {
  return { transportSocket: clientSocket(trustDomain, [peer]) };
}

function useSocket(name: string): Matcher_OnMatch {
  const value = { name, typedConfig: any(TransportSocketNameActionSchema, { name }) };
  return create(Matcher_OnMatchSchema, { onMatch: { case: "action", value } });
}

const tunnelInput = {
  name: "tunnel",
  typedConfig: any(EndpointMetadataInputSchema, { filter: metadataNamespace, path: [{ segment: { case: "key", value: tunnelKey } }] }),
};

const byTunnel: Matcher = create(MatcherSchema, {
  matcherType: {
    case: "matcherTree",
    value: { input: tunnelInput, treeType: { case: "exactMatchMap", value: { map: { mtls: useSocket(mutual) } } } },
  },
  onNoMatch: useSocket(plain.name),
});
