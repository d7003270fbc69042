/** The called side: a stock Envoy that takes nothing but mutual TLS as we do it (TLS 1.3, ALPN `weir`), and answers with whom it saw. Nothing of it is emitted. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { adminGet } from "../../../src/dataplane/admin.ts";
import { eventually } from "../../support/real.ts";
import type { Lab, PodName } from "../pod-capture/lab.ts";
import { envoy } from "../support/node-envoy.ts";

export interface ServedPort {
  readonly port: number;
  /** `TLS`: what is inside is TLS of its own, which answers by HTTP/1.1 with the server name that was asked for in `peer`. */
  readonly codec: "HTTP1" | "HTTP2" | "TLS";
  readonly chain: string;
  readonly key: string;
}

const type = (name: string): { "@type": string } => ({ "@type": `type.googleapis.com/envoy.extensions.${name}` });

const inspector = { name: "inspector", typedConfig: type("filters.listener.tls_inspector.v3.TlsInspector") };

function certificate({ chain, key }: ServedPort) {
  return { certificateChain: { inlineString: chain }, privateKey: { inlineString: key } };
}

function manager({ port, codec }: Pick<ServedPort, "port" | "codec">, pod: string, peer: string) {
  const all = {
    name: "all",
    domains: ["*"],
    responseHeadersToAdd: Object.entries({ peer, serial: "%DOWNSTREAM_PEER_SERIAL%", pod }).map(([key, value]) => ({ header: { key, value } })),
    routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } }],
  };
  const typedConfig = {
    ...type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    statPrefix: String(port),
    codecType: codec === "TLS" ? "HTTP1" : codec,
    routeConfig: { virtualHosts: [all] },
    httpFilters: [{ name: "router", typedConfig: type("filters.http.router.v3.Router") }],
  };
  return { name: "http", typedConfig };
}

/** Where the service's own TLS is taken, in the pod. */
const ownTls = (port: number): number => port + 1_000;

function listener(pod: string, address: string, roots: string, callers: string, served: ServedPort) {
  const { port, codec } = served;
  const tls = {
    ...type("transport_sockets.tls.v3.DownstreamTlsContext"),
    requireClientCertificate: true,
    commonTlsContext: {
      alpnProtocols: ["weir"],
      tlsParams: { tlsMinimumProtocolVersion: "TLSv1_3", tlsMaximumProtocolVersion: "TLSv1_3" },
      tlsCertificates: [certificate(served)],
      validationContext: { trustedCa: { inlineString: roots } },
    },
  };
  const log = {
    ...type("access_loggers.file.v3.FileAccessLog"),
    path: callers,
    logFormat: { textFormatSource: { inlineString: "%DOWNSTREAM_PEER_URI_SAN%\n" } },
  };
  const handedOn = {
    name: "tcp",
    typedConfig: {
      ...type("filters.network.tcp_proxy.v3.TcpProxy"),
      statPrefix: String(port),
      cluster: String(port),
      accessLog: [{ name: "log", typedConfig: log }],
    },
  };
  return {
    name: String(port),
    address: { socketAddress: { address, portValue: port } },
    listenerFilters: [inspector],
    filterChains: [
      {
        filterChainMatch: { transportProtocol: "tls", applicationProtocols: ["weir"] },
        transportSocket: { name: "tls", typedConfig: tls },
        filters: [codec === "TLS" ? handedOn : manager(served, pod, "%DOWNSTREAM_PEER_URI_SAN%")],
      },
    ],
  };
}

/** The service's own TLS: a listener, and the cluster that leads to it. */
function behind(pod: string, served: ServedPort) {
  const { port } = served;
  const tls = { ...type("transport_sockets.tls.v3.DownstreamTlsContext"), commonTlsContext: { tlsCertificates: [certificate(served)] } };
  const address = { socketAddress: { address: "127.0.0.1", portValue: ownTls(port) } };
  return {
    listener: {
      name: String(ownTls(port)),
      address,
      listenerFilters: [inspector],
      filterChains: [{ transportSocket: { name: "tls", typedConfig: tls }, filters: [manager(served, pod, "%REQUESTED_SERVER_NAME%")] }],
    },
    cluster: { name: String(port), loadAssignment: { clusterName: String(port), endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] } },
  };
}

export interface Served {
  readonly requests: number;
  readonly connections: number;
}

export interface Server {
  /** What came in at a port so far: requests, and connections that got through the handshake on our side. */
  count(port: number): Promise<Served>;
  /** Whom it saw at ports with TLS of their own, one for each connection that ended. */
  callers(): readonly string[];
  stop(): void;
}

/** Starts it in a pod's namespace. `roots` are the PEM of those it trusts. */
export async function startServer(lab: Lab, pod: PodName, address: string, roots: string, ports: readonly ServedPort[]): Promise<Server> {
  const admin = path.join(lab.folder, `${pod}-admin.sock`);
  const file = path.join(lab.folder, `${pod}.json`);
  const callers = path.join(lab.folder, `${pod}-callers.log`);
  writeFileSync(callers, "");
  const inner = ports.filter(({ codec }) => codec === "TLS").map((one) => behind(pod, one));
  const listeners = [...ports.map((one) => listener(pod, address, roots, callers, one)), ...inner.map((one) => one.listener)];
  const staticResources = { listeners, clusters: inner.map(({ cluster }) => cluster) };
  writeFileSync(file, JSON.stringify({ admin: { address: { pipe: { path: admin } } }, staticResources }));
  const { child } = lab.spawn(pod, [
    envoy,
    "-c",
    file,
    "--use-dynamic-base-id",
    "--concurrency",
    "2",
    "--log-level",
    "error",
    "--file-flush-interval-msec",
    "200",
  ]);
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
    callers: () =>
      readFileSync(callers, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
    stop: () => child.kill("SIGKILL"),
  };
}
