/** Static configurations of the stock Envoys that the benchmark compares with. */
import { execFileSync } from "node:child_process";
import path from "node:path";

const type = "type.googleapis.com/envoy.extensions";

export interface Hop {
  /** Where it listens: `ADDRESS:PORT`. */
  readonly listen: readonly string[];
  /** Where it forwards to; it answers by itself when absent. */
  readonly to?: string;
  /** Folder of certificates for mutual TLS on either side. */
  readonly listenTls?: string;
  readonly dialTls?: string;
}

/** A sidecar mesh retries what cannot have been begun, as Weir does. */
const retryPolicy = { retry_on: "connect-failure,refused-stream,reset-before-request", num_retries: 3 };

function address(text: string) {
  const cut = text.lastIndexOf(":");
  return { socket_address: { address: text.slice(0, cut), port_value: Number(text.slice(cut + 1)) } };
}

function tlsContext(dir: string) {
  return {
    tls_certificates: [{ certificate_chain: { filename: path.join(dir, "cert.pem") }, private_key: { filename: path.join(dir, "key.pem") } }],
    validation_context: { trusted_ca: { filename: path.join(dir, "ca.pem") } },
  };
}

function socket(direction: "Downstream" | "Upstream", dir: string, more: object) {
  return {
    transport_socket: {
      name: "tls",
      typed_config: { "@type": `${type}.transport_sockets.tls.v3.${direction}TlsContext`, ...more, common_tls_context: tlsContext(dir) },
    },
  };
}

/** One Envoy: listens, answers itself or forwards. Everything else is Envoy's default. */
export function envoyConfig(hop: Hop): object {
  const action =
    hop.to === undefined ? { direct_response: { status: 200, body: { inline_string: "hello\n" } } } : { route: { cluster: "next", retry_policy: retryPolicy } };
  const manager = {
    "@type": `${type}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "bench",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, ...action }] }] },
    http_filters: [{ name: "router", typed_config: { "@type": `${type}.filters.http.router.v3.Router`, suppress_envoy_headers: true } }],
  };
  const tls = hop.listenTls === undefined ? {} : socket("Downstream", hop.listenTls, { require_client_certificate: true });
  const listeners = hop.listen.map((text) => ({
    name: text,
    address: address(text),
    filter_chains: [{ filters: [{ name: "http", typed_config: manager }], ...tls }],
  }));
  if (hop.to === undefined) return { static_resources: { listeners } };
  const next = {
    name: "next",
    type: "STATIC",
    circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }] },
    load_assignment: { cluster_name: "next", endpoints: [{ lb_endpoints: [{ endpoint: { address: address(hop.to) } }] }] },
    ...(hop.dialTls === undefined ? {} : socket("Upstream", hop.dialTls, {})),
  };
  return { static_resources: { listeners, clusters: [next] } };
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
