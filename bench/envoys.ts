/** Static configurations of the stock Envoys that the benchmark compares with. */
import { execFileSync } from "node:child_process";
import path from "node:path";

const type = "type.googleapis.com/envoy.extensions";

interface Listener {
  readonly port: number;
  readonly to: number | "answer";
  readonly tls?: object;
}

function httpFilters() {
  return [{ name: "router", typed_config: { "@type": `${type}.filters.http.router.v3.Router`, suppress_envoy_headers: true } }];
}

function listener({ port, to, tls }: Listener) {
  const action = to === "answer" ? { direct_response: { status: 200, body: { inline_string: "hello\n" } } } : { route: { cluster: "next", timeout: "15s" } };
  const manager = {
    "@type": `${type}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "bench",
    generate_request_id: false,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, ...action }] }] },
    http_filters: httpFilters(),
  };
  const chain = { filters: [{ name: "http", typed_config: manager }], ...(tls === undefined ? {} : { transport_socket: { name: "tls", typed_config: tls } }) };
  return { name: `l${port}`, address: { socket_address: { address: "127.0.0.1", port_value: port } }, filter_chains: [chain] };
}

/** One Envoy: listens on `port`, answers itself or forwards to the port `to`, with mutual TLS on either side when certificates are given. */
export function envoyConfig(options: {
  readonly port: number;
  readonly to: number | "answer";
  readonly listenTls?: string;
  readonly dialTls?: string;
}): object {
  const common = (dir: string) => ({
    tls_certificates: [{ certificate_chain: { filename: path.join(dir, "cert.pem") }, private_key: { filename: path.join(dir, "key.pem") } }],
    validation_context: { trusted_ca: { filename: path.join(dir, "ca.pem") } },
  });
  const tls =
    options.listenTls === undefined
      ? {}
      : {
          tls: {
            "@type": `${type}.transport_sockets.tls.v3.DownstreamTlsContext`,
            require_client_certificate: true,
            common_tls_context: common(options.listenTls),
          },
        };
  const next = {
    name: "next",
    type: "STATIC",
    circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }] },
    load_assignment: {
      cluster_name: "next",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: options.to } } } }] }],
    },
    ...(options.dialTls === undefined
      ? {}
      : {
          transport_socket: {
            name: "tls",
            typed_config: { "@type": `${type}.transport_sockets.tls.v3.UpstreamTlsContext`, common_tls_context: common(options.dialTls) },
          },
        }),
  };
  return { static_resources: { listeners: [listener({ port: options.port, to: options.to, ...tls })], clusters: options.to === "answer" ? [] : [next] } };
}

/** Makes a CA and one P-256 certificate below `dir`, as a sidecar mesh would give its workloads. */
export function makeCertificates(dir: string): void {
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  openssl(
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=bench ca",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bench", "-keyout", "key.pem", "-out", "request.pem");
  openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", "cert.pem");
}
