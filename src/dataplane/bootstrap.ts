/** The first configuration of an Envoy: who it is, where ADS is, how much it may take. Everything else comes by ADS. */
import { isIP } from "node:net";

/** Where the control plane is. */
export type XdsAddress =
  | { readonly kind: "socket"; readonly path: string }
  /**
   * Over the network: we show the certificate of `ownIdentity` and take only one of `serverIdentity` (SPIFFE IDs). `host` may be a name. `sdsSocket` serves
   * certificates by their IDs, and whom to trust under `trustDomain` (`spiffe://example.com`).
   */
  | {
      readonly kind: "mtls";
      readonly host: string;
      readonly port: number;
      readonly ownIdentity: string;
      readonly serverIdentity: string;
      readonly trustDomain: string;
      readonly sdsSocket: string;
    };

export interface BootstrapOptions {
  /** `node`, `gateway` or `node/NAME`: how the control plane tells them apart. */
  readonly nodeId: string;
  readonly xds: XdsAddress;
  readonly adminSocket: string;
  readonly maxHeapBytes: number;
  readonly maxDownstreamConnections: number;
}

type Json = Readonly<Record<string, unknown>>;

const type = (name: string): { readonly "@type": string } => ({ "@type": `type.googleapis.com/${name}` });

/**
 * Builds the bootstrap (Envoy's JSON form). Listeners and clusters are waited for without limit, so that a new process takes over only when it has them.
 * Lost control planes are dialled again within 250 ms.
 */
export function envoyBootstrap(options: BootstrapOptions): Json {
  const ads = { resource_api_version: "V3", ads: {}, initial_fetch_timeout: "0s" };
  return {
    node: { id: options.nodeId, cluster: "weir" },
    admin: { address: { pipe: { path: options.adminSocket, mode: 0o600 } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "xds", retry_policy: { retry_back_off: { base_interval: "0.050s", max_interval: "0.250s" } } } }],
      },
      lds_config: ads,
      cds_config: ads,
    },
    // A node calls itself where the name that TLS asks for decides; a gateway where TLS of a backend goes through the mesh's own.
    bootstrap_extensions: [
      { name: "envoy.bootstrap.internal_listener", typed_config: type("envoy.extensions.bootstrap.internal_listener.v3.InternalListener") },
    ],
    static_resources: { clusters: xdsClusters(options.xds) },
    overload_manager: overloadManager(options),
    stats_config: {
      stats_matcher: {
        inclusion_list: {
          patterns: [
            ...["server.", "control_plane.", "cluster_manager.", "listener_manager.", "overload."].map((prefix) => ({ prefix })),
            ...[
              "downstream_cx_active",
              "downstream_rq_active",
              "upstream_cx_active",
              "upstream_rq_active",
              "upstream_cx_connect_fail",
              "upstream_rq_total",
            ].map((suffix) => ({ suffix })),
          ],
        },
      },
    },
    layered_runtime: { layers: [{ name: "static", static_layer: { "re2.max_program_size.error_level": 1000 } }] },
  };
}

function xdsClusters(xds: XdsAddress): readonly Json[] {
  if (xds.kind === "socket") return [grpcCluster("xds", "STATIC", { pipe: { path: xds.path } })];
  const address = { socket_address: { address: xds.host, port_value: xds.port } };
  const type = isIP(xds.host) === 0 ? "STRICT_DNS" : "STATIC";
  return [{ ...grpcCluster("xds", type, address), transport_socket: mutualTls(xds) }, grpcCluster("sds", "STATIC", { pipe: { path: xds.sdsSocket } })];
}

function grpcCluster(name: string, clusterType: "STATIC" | "STRICT_DNS", address: Json): Json {
  return {
    name,
    type: clusterType,
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        ...type("envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "10s" } } },
      },
    },
    // Every secret is a request of its own, for as long as it is used.
    circuit_breakers: { thresholds: [{ max_connections: 100, max_pending_requests: 10_000, max_requests: 10_000 }] },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  };
}

function mutualTls({ ownIdentity, serverIdentity, trustDomain }: XdsAddress & { readonly kind: "mtls" }): Json {
  const sds_config = {
    resource_api_version: "V3",
    api_config_source: { api_type: "DELTA_GRPC", transport_api_version: "V3", grpc_services: [{ envoy_grpc: { cluster_name: "sds" } }] },
  };
  return {
    name: "tls",
    typed_config: {
      ...type("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
      common_tls_context: {
        alpn_protocols: ["h2"],
        // A client of Envoy's stops at 1.2 unless it is told otherwise.
        tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
        tls_certificate_sds_secret_configs: [{ name: ownIdentity, sds_config }],
        combined_validation_context: {
          default_validation_context: { match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: serverIdentity } }] },
          validation_context_sds_secret_config: { name: trustDomain, sds_config },
        },
      },
    },
  };
}

/** Near its memory limit Envoy first gives memory back, then stops to take new work; over its connection limit it refuses new ones. */
function overloadManager(options: BootstrapOptions): Json {
  const at = (value: number): Json => ({ name: "envoy.resource_monitors.fixed_heap", threshold: { value } });
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      {
        name: "envoy.resource_monitors.fixed_heap",
        typed_config: { ...type("envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig"), max_heap_size_bytes: options.maxHeapBytes },
      },
      {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: {
          ...type("envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"),
          max_active_downstream_connections: options.maxDownstreamConnections,
        },
      },
    ],
    actions: [
      { name: "envoy.overload_actions.shrink_heap", triggers: [at(0.9)] },
      { name: "envoy.overload_actions.stop_accepting_requests", triggers: [at(0.98)] },
    ],
  };
}
