/** The called side: a stock Envoy that takes nothing but mutual TLS as we do it (TLS 1.3, ALPN `weir`), and answers with whom it saw. Nothing of it is emitted. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { adminGet } from "../../../src/dataplane/admin.ts";
import { eventually } from "../../support/real.ts";
import type { Lab, PodName } from "../pod-capture/lab.ts";
import { envoy } from "../support/node-envoy.ts";

export interface ServedPort {
  readonly port: number;
  readonly codec: "HTTP1" | "HTTP2";
  readonly chain: string;
  readonly key: string;
}

const type = (name: string): { "@type": string } => ({ "@type": `type.googleapis.com/envoy.extensions.${name}` });

function listener(address: string, roots: string, { port, codec, chain, key }: ServedPort) {
  const tls = {
    ...type("transport_sockets.tls.v3.DownstreamTlsContext"),
    requireClientCertificate: true,
    commonTlsContext: {
      alpnProtocols: ["weir"],
      tlsParams: { tlsMinimumProtocolVersion: "TLSv1_3", tlsMaximumProtocolVersion: "TLSv1_3" },
      tlsCertificates: [{ certificateChain: { inlineString: chain }, privateKey: { inlineString: key } }],
      validationContext: { trustedCa: { inlineString: roots } },
    },
  };
  const all = {
    name: "all",
    domains: ["*"],
    responseHeadersToAdd: [{ header: { key: "peer", value: "%DOWNSTREAM_PEER_URI_SAN%" } }, { header: { key: "serial", value: "%DOWNSTREAM_PEER_SERIAL%" } }],
    routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } }],
  };
  const manager = {
    ...type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: String(port),
    codecType: codec,
    routeConfig: { virtualHosts: [all] },
    httpFilters: [{ name: "router", typedConfig: type("filters.http.router.v3.Router") }],
  };
  return {
    name: String(port),
    address: { socketAddress: { address, portValue: port } },
    listenerFilters: [{ name: "inspector", typedConfig: type("filters.listener.tls_inspector.v3.TlsInspector") }],
    filterChains: [
      {
        filterChainMatch: { transportProtocol: "tls", applicationProtocols: ["weir"] },
        transportSocket: { name: "tls", typedConfig: tls },
        filters: [{ name: "http", typedConfig: manager }],
      },
    ],
  };
}

export interface Served {
  readonly requests: number;
  readonly connections: number;
}

export interface Server {
  /** What came in at a port so far: requests, and connections that got through the handshake on our side. */
  count(port: number): Promise<Served>;
  stop(): void;
}

/** Starts it in a pod's namespace. `roots` are the PEM of those it trusts. */
export async function startServer(lab: Lab, pod: PodName, address: string, roots: string, ports: readonly ServedPort[]): Promise<Server> {
  const admin = path.join(lab.folder, `${pod}-admin.sock`);
  const file = path.join(lab.folder, `${pod}.json`);
  const listeners = ports.map((one) => listener(address, roots, one));
  writeFileSync(file, JSON.stringify({ admin: { address: { pipe: { path: admin } } }, staticResources: { listeners } }));
  const { child } = lab.spawn(pod, [envoy, "-c", file, "--use-dynamic-base-id", "--concurrency", "2", "--log-level", "error"]);
  let ready = false;
  void (async () => {
    while (!ready) ready = (await adminGet(admin, "/ready")) !== undefined;
  })();
  await eventually(() => ready, `the server in ${pod}`, 15_000);
  return {
    async count(port) {
      const { stats } = JSON.parse((await adminGet(admin, `/stats?format=json&filter=^http.${port}.downstream_`, 5_000)) ?? "") as {
        stats: readonly { readonly name: string; readonly value: number }[];
      };
      const value = (name: string): number => stats.find((one) => one.name === `http.${port}.downstream_${name}`)?.value ?? Number.NaN;
      return { requests: value("rq_total"), connections: value("cx_total") };
    },
    stop: () => child.kill("SIGKILL"),
  };
}
