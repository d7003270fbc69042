/** What a backend is to Envoy, option by option; test/system asks real Envoys whether they take it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cluster, Cluster_DiscoveryType } from "../../../gen/envoy/config/cluster/v3/cluster_pb.js";
import { DnsLookupFamily } from "../../../gen/envoy/extensions/clusters/common/dns/v3/dns_pb.js";
import { DnsClusterSchema } from "../../../gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb.js";
import { UpstreamTlsContextSchema } from "../../../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { decodeProxy, must, type Proxy, unpack } from "../../../test/simulate/proxy.ts";
import { capturePoint, runningWorld } from "../../../test/support/running-world.ts";
import { external, port, service, stack } from "../../../test/support/stacks.ts";
import { compileWorld } from "../../compile/compile.ts";
import type { ExternalService, Protocol } from "../../model/types.ts";
import { emitEnvoy } from "./emit.ts";

interface Both {
  readonly node: Proxy;
  readonly gateway: Proxy;
}

function envoys(externals: readonly ExternalService[], egress = false): Both {
  const services = (["http", "http2", "grpc", "tcp"] as const).map((protocol) => service(protocol, { ports: [port(`80:8080/${protocol}`)] }));
  const world = runningWorld(stack({ services, externals }), [capturePoint("http-v1", { egress })]);
  const { node, gateway } = emitEnvoy(compileWorld(world).plan);
  return { node: decodeProxy(node), gateway: decodeProxy(gateway) };
}

const clusterOf = (proxy: Proxy, name: string): Cluster => must(proxy.clusters.get(name), `there is no cluster ${name}`);

function spokenTo(cluster: Cluster): { readonly protocol: string; readonly idleSeconds: number } | undefined {
  const options = unpack(HttpProtocolOptionsSchema, cluster.typedExtensionProtocolOptions["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]);
  if (options === undefined) return undefined;
  assert.equal(options.upstreamProtocolOptions.case, "explicitHttpConfig", "Envoy speaks what the port says, it does not guess");
  const idleSeconds = Number(options.commonHttpProtocolOptions?.idleTimeout?.seconds ?? 0n);
  return { protocol: options.upstreamProtocolOptions.value.protocolConfig.case ?? "", idleSeconds };
}

test("a port's protocol is what Envoy speaks to it", () => {
  const { node } = envoys([]);
  const rows: readonly (readonly [Protocol, ReturnType<typeof spokenTo>])[] = [
    ["http", { protocol: "httpProtocolOptions", idleSeconds: 1 }],
    ["http2", { protocol: "http2ProtocolOptions", idleSeconds: 60 }],
    ["grpc", { protocol: "http2ProtocolOptions", idleSeconds: 60 }],
    ["tcp", undefined],
  ];
  for (const [protocol, expected] of rows) assert.deepEqual(spokenTo(clusterOf(node, `${protocol}@v1.default:80`)), expected, protocol);
});

test("a version: endpoints by discovery, a replica that does not answer is left out for a while, its own 500s do not count", () => {
  const cluster = clusterOf(envoys([]).node, "http@v1.default:80");
  assert.deepEqual(cluster.clusterDiscoveryType, { case: "type", value: Cluster_DiscoveryType.EDS });
  assert.equal(cluster.edsClusterConfig?.edsConfig?.configSourceSpecifier.case, "ads");
  const ejection = must(cluster.outlierDetection, "no outlier detection");
  assert.deepEqual(
    [ejection.consecutiveGatewayFailure, ejection.enforcingConsecutive5xx, ejection.enforcingSuccessRate, ejection.maxEjectionPercent],
    [5, 0, 0, 50],
  );
  assert.equal(cluster.connectTimeout?.seconds, 1n, "a local process accepts at once or is not there");
  assert.equal(cluster.commonLbConfig?.healthyPanicThreshold?.value, 1);
});

test("an external service is a socket to the node Envoy, and its addresses to the gateway Envoy", () => {
  const { node, gateway } = envoys([external("db", ["10.0.0.1:5432", "localhost:5433"])]);
  const inner = clusterOf(node, "external/db.default:5432");
  assert.deepEqual(inner.clusterDiscoveryType, { case: "type", value: Cluster_DiscoveryType.STATIC });
  assert.equal(inner.outlierDetection, undefined, "one socket is never left out");
  assert.equal(inner.transportSocket, undefined);
  const outer = clusterOf(gateway, "external/db.default:5432");
  const addresses = outer.loadAssignment?.endpoints
    .flatMap(({ lbEndpoints }) => lbEndpoints)
    .map(({ hostIdentifier: { case: kind, value } }) => {
      assert.equal(kind, "endpoint");
      const address = value.address?.address;
      return address?.case === "socketAddress" ? `${address.value.address}:${address.value.portSpecifier.value}` : "";
    });
  assert.deepEqual(addresses, ["10.0.0.1:5432", "127.0.0.1:5433"]);
});

test("TLS: the server's name is asked for and checked, with the protocol of the port", () => {
  for (const [protocol, alpn] of [
    ["http", ["http/1.1"]],
    ["http2", ["h2"]],
    ["grpc", ["h2"]],
    ["tcp", []],
  ] as const) {
    const pay = external("pay", ["10.0.0.1:443"], { ports: [port(`80/${protocol}`)], tls: { serverName: "pay.example" } });
    const socket = clusterOf(envoys([pay]).node, "external/pay.default:80").transportSocket?.configType;
    const tls = must(unpack(UpstreamTlsContextSchema, socket?.case === "typedConfig" ? socket.value : undefined), "no TLS");
    assert.deepEqual([tls.sni, tls.autoSniSanValidation, tls.commonTlsContext?.alpnProtocols], ["pay.example", true, alpn], protocol);
    const trust = tls.commonTlsContext?.validationContextType;
    assert.ok(trust?.case === "validationContext" && trust.value.trustedCa !== undefined, "whose certificates are believed is said");
  }
});

test("names are resolved as long as DNS says, addresses are not", () => {
  const rows: readonly (readonly [readonly string[], "static" | { readonly family: DnsLookupFamily; readonly single: boolean }])[] = [
    [["10.0.0.1:1"], "static"],
    [["localhost:1"], "static"],
    [["::1:1", "10.0.0.2:1"], "static"],
    [["db.example:1"], { family: DnsLookupFamily.ALL, single: true }],
    [["a.example:1", "b.example:1"], { family: DnsLookupFamily.V4_PREFERRED, single: false }],
    [["a.example:1", "10.0.0.1:1"], { family: DnsLookupFamily.V4_PREFERRED, single: false }],
    [["1.2.3.4.example:1"], { family: DnsLookupFamily.ALL, single: true }],
  ];
  for (const [endpoints, expected] of rows) {
    const { clusterDiscoveryType: found } = clusterOf(envoys([external("db", endpoints)]).gateway, "external/db.default:1");
    if (expected === "static") {
      assert.deepEqual(found, { case: "type", value: Cluster_DiscoveryType.STATIC }, endpoints.join());
      continue;
    }
    assert.equal(found.case, "clusterType", endpoints.join());
    const dns = must(unpack(DnsClusterSchema, found.value.typedConfig), "no DNS cluster");
    assert.deepEqual([dns.respectDnsTtl, dns.dnsLookupFamily, dns.allAddressesInSingleEndpoint], [true, expected.family, expected.single], endpoints.join());
  }
});

test("the way to anywhere is there only while somebody may go there", () => {
  const names = ({ gateway }: Both) => [...gateway.clusters.keys(), ...gateway.listeners.keys()];
  assert.deepEqual(
    names(envoys([])).filter((name) => name === "anywhere"),
    [],
  );
  assert.deepEqual(
    names(envoys([], true)).filter((name) => name === "anywhere"),
    ["anywhere", "anywhere"],
  );
  const cluster = clusterOf(envoys([], true).gateway, "anywhere");
  assert.equal(cluster.lbConfig.case === "originalDstLbConfig" && cluster.lbConfig.value.httpHeaderName, ":authority");
});
