/** GatewayPlan → what the Envoys of one of a cluster's gateways should hold. Decides nothing: everything is in the plan. */
import type { FilterChainSchema } from "../../../gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../../gen/envoy/config/listener/v3/listener_pb.js";
import { SecretSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import { DownstreamTlsContextSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import type { GatewayPlan, PlannedPort, PlannedServer } from "../../compile/gateway-plan.ts";
import type { NodeBackend } from "../../compile/node-plan.ts";
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import type { ClientValidation, ServerCertificate } from "../../model/gateway.ts";
import type { SpiffeId, TrustDomain } from "../../model/spiffe.ts";
import { clientValidation, rootsSecret, securedBackend } from "./backend-tls.ts";
import { ads, type External, externalCluster, httpOptions, keepalive, socketAddress, versionCluster } from "./cluster.ts";
import { httpConnectionManager } from "./connection-manager.ts";
import { corsFilter } from "./cors.ts";
import { ownPeerSockets } from "./mutual-tls.ts";
import { nodeAssignment, remoteConnectMs } from "./node-proxy.ts";
import { any, duration, type EnvoyResource, type Init, resource } from "./resource.ts";
import { plannedRouteConfiguration } from "./route-configuration.ts";
import { matchDomain, refused, targetFilter, tlsInspector } from "./target.ts";

type ChainInit = Init<typeof FilterChainSchema>;

/** Translates a plan for a gateway's Envoys. Equal plans give equal bytes in the same order; unchanged parts give the same objects. */
export function emitClusterGateway(plan: GatewayPlan): readonly EnvoyResource[] {
  const { identity, trustDomain, clientCertificate } = plan;
  return [
    ...plan.certificates.map(certificateSecret),
    ...plan.roots.map(rootsSecret),
    ...plan.backends.map((backend) => gatewayCluster(backend, identity, trustDomain)),
    ...plan.externals.map(outsideCluster),
    ...plan.secured.flatMap((secured) => securedBackend(secured, clientCertificate)),
    refused,
    ...assigned(plan).map(nodeAssignment),
    ...plan.ports.flatMap((port) => listener(port)),
    ...plan.ports.flatMap((port) => routeConfigurations(port)),
  ];
}

/** Backends whose places come by discovery, each once. */
function assigned({ backends, secured }: GatewayPlan): readonly NodeBackend[] {
  return [...new Set([...backends, ...secured.map(({ node }) => node)])];
}

/** A port that does not say what it speaks is called by HTTP/1.1 where routes lead to it; for whole connections that changes nothing. */
const gatewayCluster = memoizeLast((node: NodeBackend, own: SpiffeId, trustDomain: TrustDomain) =>
  versionCluster(node.backend, {
    ...keepalive.betweenNodes,
    connectTimeout: duration(remoteConnectMs),
    ...(node.backend.protocol === "tcp" ? { typedExtensionProtocolOptions: httpOptions("http") } : {}),
    ...ownPeerSockets(node.peers, own, trustDomain),
  }),
);

/** The pod's own resolver is the cluster's. */
const outsideCluster = memoize((external: External) => externalCluster(external, {}));

const certificateSecret = memoize(({ name, chain, key }: ServerCertificate) => {
  const inline = (text: string) => ({ specifier: { case: "inlineString" as const, value: text } });
  return resource(SecretSchema, name, { name, type: { case: "tlsCertificate", value: { certificateChain: inline(chain), privateKey: inline(key) } } });
});

function httpRoutes(port: number): string {
  return `http/${port}`;
}

function serverRoutes(server: PlannedServer): string {
  return `https/${server.name}`;
}

/** One listener for each port. A change of what is behind a server name changes its chain alone: connections of all others stay. */
const listener = memoize((port: PlannedPort): readonly EnvoyResource[] => {
  const chains = chainsOf(port);
  // Envoy wants at least one chain; where no name leads anywhere, nobody listens.
  if (chains.length === 0) return [];
  const name = `port/${port.port}`;
  const common = { name, statPrefix: "gateway", address: socketAddress("0.0.0.0", port.port), filterChains: [...chains] };
  return [
    resource(ListenerSchema, name, {
      ...common,
      ...(port.kind === "tls" ? { listenerFilters: [tlsInspector], listenerFiltersTimeout: duration(10_000) } : {}),
    }),
  ];
});

function chainsOf(port: PlannedPort): readonly ChainInit[] {
  switch (port.kind) {
    case "http":
      return [{ name: "http", filters: [httpConnectionManager("gateway", httpRoutes(port.port), [corsFilter])] }];
    case "tcp":
      return [{ name: "tcp", filters: [targetFilter("gateway", port.target)] }];
    case "tls":
      return port.servers.map(serverChain);
    default:
      return port satisfies never;
  }
}

function serverChain(server: PlannedServer): ChainInit {
  const common = {
    name: server.name,
    filterChainMatch: matchDomain(server.domain),
  };
  switch (server.kind) {
    case "https":
      return {
        ...common,
        filters: [httpConnectionManager("gateway", serverRoutes(server), [corsFilter])],
        transportSocket: ownSocket(server.certificates, ["h2", "http/1.1"], server.clients),
        transportSocketConnectTimeout: duration(10_000),
      };
    case "terminate":
      return {
        ...common,
        filters: [targetFilter("gateway", server.target)],
        transportSocket: ownSocket(server.certificates, []),
        transportSocketConnectTimeout: duration(10_000),
      };
    case "passthrough":
      return { ...common, filters: [targetFilter("gateway", server.target)] };
    default:
      return server satisfies never;
  }
}

/** Certificates come as secrets of their own: a renewed one is taken over without closing anything. */
function ownSocket(certificates: readonly ServerCertificate[], alpnProtocols: string[], clients?: ClientValidation) {
  const tlsCertificateSdsSecretConfigs = certificates.map(({ name }) => ({ name, sdsConfig: ads }));
  const asked = clients === undefined ? {} : { validationContextType: clientValidation(clients) };
  const context = any(DownstreamTlsContextSchema, {
    commonTlsContext: { alpnProtocols, tlsCertificateSdsSecretConfigs, ...asked },
    ...(clients === undefined ? {} : { requireClientCertificate: clients.isRequired }),
  });
  return { name: "tls", configType: { case: "typedConfig" as const, value: context } };
}

const routeConfigurations = memoize((port: PlannedPort): readonly EnvoyResource[] => {
  if (port.kind === "http") return [plannedRouteConfiguration(httpRoutes(port.port), port.hosts, [])];
  if (port.kind === "tcp") return [];
  return port.servers.flatMap((server) => (server.kind === "https" ? [plannedRouteConfiguration(serverRoutes(server), server.hosts, server.misdirected)] : []));
});
