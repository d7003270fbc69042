/** Backends as Envoy clusters. */
import { create } from "@bufbuild/protobuf";
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { type Address, AddressSchema } from "../../../gen/envoy/config/core/v3/address_pb.js";
import { ApiVersion } from "../../../gen/envoy/config/core/v3/config_source_pb.js";
import { Http1ProtocolOptionsSchema, Http2ProtocolOptionsSchema } from "../../../gen/envoy/config/core/v3/protocol_pb.js";
import { DnsLookupFamily } from "../../../gen/envoy/extensions/clusters/common/dns/v3/dns_pb.js";
import { DnsClusterSchema } from "../../../gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb.js";
import { UpstreamTlsContextSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { Backend } from "../../compile/mesh-plan.ts";
import { memoizeLast } from "../../lib/memoize.ts";
import type { Protocol } from "../../model/types.ts";
import { egressSocket } from "./paths.ts";
import { any, duration, type EnvoyResource, type Init, resource } from "./resource.ts";

type ClusterInit = Init<typeof ClusterSchema>;

/**
 * Idle connections to a service are closed after this. It must be shorter than the services' own keep-alive (Node.js 5 s, Gunicorn 2 s), else Envoy
 * sends a request on a connection that the service is just closing.
 */
const upstreamIdleMs = 1_000;

type Version = Backend & { readonly kind: "version" };
export type External = Backend & { readonly kind: "external" };

/**
 * Who waits for a machine that went without a word sends nothing, and would never know (docs/decisions/0030): after 19 s without an answer of its kernel a
 * connection to another node of the cluster ends. What an application asks its own connections is answered by Envoy, so Envoy asks everywhere.
 */
export const keepalive = {
  usual: { upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 60 } } },
  betweenNodes: { upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 10, keepaliveInterval: 3, keepaliveProbes: 3 } } },
} as const satisfies Readonly<Record<string, ClusterInit>>;

/** The cluster of one backend in the node Envoy. */
export const backendCluster: (backend: Backend, socketDir: string) => EnvoyResource = memoizeLast((backend: Backend, socketDir: string) => {
  switch (backend.kind) {
    case "version":
      return versionCluster(backend);
    case "external":
      return resource(ClusterSchema, backend.id, {
        ...commonOptions(backend),
        ...staticEndpoint(backend.id, pipe(egressSocket(socketDir, backend.id))),
        ...externalTls(backend),
      });
    default:
      return backend satisfies never;
  }
});

/** The cluster of a version's port, whose endpoints come by discovery; `more` is what the place where it stands adds, also another name. */
export function versionCluster(backend: Version, more: ClusterInit = {}): EnvoyResource {
  return resource(ClusterSchema, more.name ?? backend.id, {
    ...commonOptions(backend),
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    outlierDetection,
    ...more,
  });
}

/** The cluster of a version's port that leads to a listener inside this Envoy, which has the same name as the cluster. */
export function insideCluster(backend: Version, name: string, more: ClusterInit): EnvoyResource {
  return resource(ClusterSchema, name, { ...commonOptions(backend), ...staticEndpoint(name, insideAddress(name)), ...more });
}

/** The cluster of an external service's port where Envoy itself can reach what is outside; `more` is what the place where it stands adds. */
export function externalCluster(backend: External, more: ClusterInit): EnvoyResource {
  return resource(ClusterSchema, backend.id, { ...commonOptions(backend), ...externalPlaces(backend), ...externalTls(backend), ...more });
}

/** The places of an external service, resolved by Envoy's host where they are names. */
export function externalPlaces({ id, targets }: External): ClusterInit {
  const lbEndpoints = targets.map(({ host, port }) => ({
    hostIdentifier: { case: "endpoint" as const, value: { address: socketAddress(host === "localhost" ? "127.0.0.1" : host, port) } },
  }));
  return { clusterDiscoveryType: discovery(targets), loadAssignment: { clusterName: id, endpoints: [{ lbEndpoints }] } };
}

/**
 * Names are resolved for as long as DNS says. All addresses of a single name are one endpoint: the families are tried one after the other (RFC 8305), and a
 * name with ever changing addresses keeps its connections. Of several names each address is an endpoint, IPv4 where there is any.
 */
function discovery(targets: External["targets"]): NonNullable<ClusterInit["clusterDiscoveryType"]> {
  if (targets.every(({ host }) => host === "localhost" || isAddress(host))) return { case: "type", value: Cluster_DiscoveryType.STATIC };
  const isSingle = targets.length === 1;
  const typedConfig = any(DnsClusterSchema, {
    respectDnsTtl: true,
    dnsLookupFamily: isSingle ? DnsLookupFamily.ALL : DnsLookupFamily.V4_PREFERRED,
    allAddressesInSingleEndpoint: isSingle,
  });
  return { case: "clusterType", value: { name: "envoy.clusters.dns", typedConfig } };
}

/** An IPv4 or IPv6 address, which needs no resolver. */
function isAddress(host: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) || host.includes(":");
}

function externalTls({ tls, protocol }: External): ClusterInit {
  return tls === undefined ? {} : { transportSocket: tlsSocket(tls.serverName, protocol) };
}

function commonOptions(backend: Backend): ClusterInit {
  return {
    name: backend.id,
    connectTimeout: duration(backend.connectTimeoutMs),
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    circuitBreakers: { thresholds: [{ ...backend.limits }] },
    typedExtensionProtocolOptions: httpOptions(backend.protocol),
    ...keepalive.usual,
    // Ejected replicas are tried only when there is no other: better some errors than none that could answer.
    commonLbConfig: { healthyPanicThreshold: { value: 1 } },
  };
}

/** Everything that comes by discovery comes on the one aggregated stream. */
export const ads = { configSourceSpecifier: { case: "ads" as const, value: {} }, resourceApiVersion: ApiVersion.V3 };

/**
 * A replica that does not answer (five gateway errors or failed connections in a row) is left out for a while; never more than half of them.
 * A service's own 500s do not count: they say something about the request, not about the replica.
 */
const outlierDetection = {
  consecutiveGatewayFailure: 5,
  enforcingConsecutiveGatewayFailure: 100,
  enforcingConsecutive5xx: 0,
  enforcingSuccessRate: 0,
  splitExternalLocalOriginErrors: true,
  // Fewer than the tries of one request: the last of them goes to another replica.
  consecutiveLocalOriginFailure: 2,
  enforcingConsecutiveLocalOriginFailure: 100,
  enforcingLocalOriginSuccessRate: 0,
  interval: duration(5_000),
  baseEjectionTime: duration(5_000),
  maxEjectionPercent: 50,
};

/** A Unix socket as an address. */
export function pipe(path: string): Address {
  return create(AddressSchema, { address: { case: "pipe", value: { path } } });
}

/** An IP address and port. */
export function socketAddress(address: string, port: number): Address {
  return create(AddressSchema, { address: { case: "socketAddress", value: { address, portSpecifier: { case: "portValue", value: port } } } });
}

/** A listener inside this Envoy, by its name. */
export function insideAddress(name: string): Address {
  const addressNameSpecifier = { case: "serverListenerName" as const, value: name };
  return create(AddressSchema, { address: { case: "envoyInternalAddress", value: { addressNameSpecifier } } });
}

/** The parts of a cluster that always has the same single endpoint. */
export function staticEndpoint(name: string, address: Address): ClusterInit {
  return {
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address } } }] }] },
  };
}

/** Enough for a fast stream on one machine; Envoy's own 256 MB let one slow reader hold that much. */
export const http2Windows = { maxConcurrentStreams: 1_024, initialStreamWindowSize: 1_048_576, initialConnectionWindowSize: 8_388_608 };

/** HTTP/1.1 or HTTP/2 towards the service, as its port says; nothing for TCP. */
export function httpOptions(protocol: Protocol): NonNullable<ClusterInit["typedExtensionProtocolOptions"]> {
  if (protocol === "tcp") return {};
  const protocolConfig =
    protocol === "http"
      ? { case: "httpProtocolOptions" as const, value: create(Http1ProtocolOptionsSchema) }
      : { case: "http2ProtocolOptions" as const, value: create(Http2ProtocolOptionsSchema, http2Windows) };
  const options = any(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: { idleTimeout: duration(protocol === "http" ? upstreamIdleMs : 60_000) },
    upstreamProtocolOptions: { case: "explicitHttpConfig", value: { protocolConfig } },
  });
  return { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options };
}

/** Debian's and most others' bundle of roots. Envoy's `system_root_certs` would find it anywhere, but refuses to check names with it (1.40: "without configuring a trusted CA"). */
export const systemRoots = "/etc/ssl/certs/ca-certificates.crt";

/** What a TLS handshake says that is inside. */
export const applicationProtocols: Readonly<Record<Protocol, readonly string[]>> = { http: ["http/1.1"], http2: ["h2"], grpc: ["h2"], tcp: [] };

/** TLS towards an external service: the machine's own roots, the name checked. */
function tlsSocket(serverName: string, protocol: Protocol) {
  const context = any(UpstreamTlsContextSchema, {
    sni: serverName,
    autoSniSanValidation: true,
    commonTlsContext: {
      alpnProtocols: [...applicationProtocols[protocol]],
      validationContextType: {
        case: "validationContext",
        value: { trustedCa: { specifier: { case: "filename", value: systemRoots } } },
      },
    },
  });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}
