/** Our discovery server and a stock Envoy. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import path from "node:path";
import { type TestContext, test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Log, LogFields } from "../../src/lib/log.ts";
import { createRpcServer } from "../../src/rpc/server.ts";
import { messageFromJson } from "../../src/xds/descriptors.ts";
import { createAdsServer } from "../../src/xds/server.ts";
import { createSnapshot, encodeResource, type Resource, type Snapshot } from "../../src/xds/snapshot.ts";
import { typeUrls } from "../../src/xds/type-urls.ts";
import { eventually, realClock, silentLog, temporaryFolder } from "../support/real.ts";

const envoy = process.env["WEIR_ENVOY"] ?? path.resolve(import.meta.dirname, "../../.cache/envoy/1.40.0/envoy");
const ads = { ads: {}, resourceApiVersion: "V3" };
const http2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicitHttpConfig: { http2ProtocolOptions: {} },
  },
};

function bootstrap(folder: string): string {
  const pipe = (name: string) => ({ pipe: { path: path.join(folder, name) } });
  return JSON.stringify({
    node: { id: "node", cluster: "weir" },
    admin: { address: pipe("admin.sock") },
    dynamicResources: {
      adsConfig: { apiType: "DELTA_GRPC", transportApiVersion: "V3", setNodeOnFirstMessageOnly: true, grpcServices: [{ envoyGrpc: { clusterName: "xds" } }] },
      cdsConfig: ads,
      ldsConfig: ads,
    },
    staticResources: {
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          typedExtensionProtocolOptions: http2,
          loadAssignment: { clusterName: "xds", endpoints: [{ lbEndpoints: [{ endpoint: { address: pipe("xds.sock") } }] }] },
        },
      ],
    },
  });
}

function made(typeUrl: string, name: string, json: JsonValue): Resource {
  return encodeResource(typeUrl, name, messageFromJson(typeUrl, json));
}

interface Mesh {
  readonly folder: string;
  /** Cluster name → port of its endpoint on loopback. */
  readonly clusters: Readonly<Record<string, number>>;
  readonly to: string;
  readonly connectTimeout?: string;
}

function meshSnapshot({ folder, clusters, to, connectTimeout = "1s" }: Mesh): Snapshot {
  const address = (port: number) => ({ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } });
  const manager = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    statPrefix: "in",
    rds: { configSource: ads, routeConfigName: "table" },
    httpFilters: [{ name: "router", typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } }],
  };
  return createSnapshot([
    ...Object.entries(clusters).flatMap(([name, port]) => [
      made(typeUrls.cluster, name, { name, type: "EDS", connectTimeout, edsClusterConfig: { edsConfig: ads } }),
      made(typeUrls.endpoints, name, { clusterName: name, endpoints: [{ lbEndpoints: [address(port)] }] }),
    ]),
    made(typeUrls.listener, "in", {
      name: "in",
      address: { pipe: { path: path.join(folder, "in.sock") } },
      filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
    }),
    made(typeUrls.route, "table", {
      name: "table",
      virtualHosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: to } }] }],
    }),
  ]);
}

function resourcesOf(snapshot: Snapshot): Resource[] {
  return [...snapshot.types.values()].flatMap((type) => [...type.resources.values()]);
}

/** Starts a server that answers with its name; returns its port. */
async function useUpstream(t: TestContext, name: string): Promise<number> {
  const server = createServer((_request, response) => response.end(name));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

/** One request over a Unix socket: status and body. */
function get(socketPath: string, target = "/"): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: target, headers: { host: "x" }, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    call.on("error", reject);
    call.end();
  });
}

async function useEnvoy(t: TestContext, folder: string): Promise<ChildProcess> {
  writeFileSync(path.join(folder, "bootstrap.json"), bootstrap(folder));
  const out = openSync(path.join(folder, "envoy.log"), "w");
  const child = spawn(envoy, ["-c", path.join(folder, "bootstrap.json"), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warn"], {
    stdio: ["ignore", out, out],
  });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  await once(child, "spawn");
  return child;
}

/** Keeps what was pushed: `Cluster +2 -0`. */
function recorder(): { readonly log: Log; readonly pushes: string[] } {
  const pushes: string[] = [];
  const debug = (message: string, fields: LogFields = {}): void => {
    const type = String(fields["type"]);
    if (message === "push") pushes.push(`${type.slice(type.lastIndexOf(".") + 1)} +${Number(fields["updates"])} -${Number(fields["removed"])}`);
  };
  return { log: { ...silentLog, debug }, pushes };
}

async function serve(t: TestContext, folder: string) {
  const { log, pushes } = recorder();
  const discovery = createAdsServer({ clock: realClock, log });
  const server = createRpcServer({ clock: realClock, log, methods: discovery.methods });
  t.after(() => server.close(0));
  await server.listen({ path: path.join(folder, "xds.sock") });
  const apply = (snapshot: Snapshot) => discovery.waitAcked("node", discovery.publish("node", snapshot), AbortSignal.timeout(10_000));
  return { discovery, server, pushes, apply };
}

async function warmingClusters(folder: string): Promise<number> {
  const stats = await get(path.join(folder, "admin.sock"), "/stats?filter=cluster_manager.warming_clusters");
  return Number(/warming_clusters: (\d+)/.exec(stats)?.[1]);
}

test("configuration arrives whole, changes apply without a failed request, a refusal is told and harmless", async (t) => {
  const folder = temporaryFolder(t);
  const [one, two, three] = await Promise.all([useUpstream(t, "one"), useUpstream(t, "two"), useUpstream(t, "three")]);
  const inbound = path.join(folder, "in.sock");
  const { discovery, apply, pushes } = await serve(t, folder);
  const child = await useEnvoy(t, folder);
  const first = await apply(meshSnapshot({ folder, clusters: { a: one }, to: "a" }));
  assert.deepEqual(first, { kind: "acked" }, readFileSync(path.join(folder, "envoy.log"), "utf8"));
  assert.equal(await get(inbound), "200 one");
  assert.deepEqual(pushes, ["Cluster +1 -0", "ClusterLoadAssignment +1 -0", "Listener +1 -0", "RouteConfiguration +1 -0"]);

  await t.test("an endpoint changes: one push", async () => {
    pushes.splice(0);
    assert.deepEqual(await apply(meshSnapshot({ folder, clusters: { a: two }, to: "a" })), { kind: "acked" });
    assert.equal(await get(inbound), "200 two");
    assert.deepEqual(pushes, ["ClusterLoadAssignment +1 -0"]);
  });

  await t.test("a changed cluster is warm at once, not after Envoy's 15 s of waiting for endpoints", async () => {
    assert.deepEqual(await apply(meshSnapshot({ folder, clusters: { a: two }, to: "a", connectTimeout: "2s" })), { kind: "acked" });
    assert.equal(await warmingClusters(folder), 0);
    assert.match(await get(path.join(folder, "admin.sock"), "/config_dump?resource=dynamic_active_clusters"), /"connect_timeout": "2s"/);
  });

  await t.test("a cluster without endpoints is told so and waits no longer", async () => {
    const lonely = made(typeUrls.cluster, "lonely", { name: "lonely", type: "EDS", edsClusterConfig: { edsConfig: ads } });
    assert.deepEqual(await apply(createSnapshot([...resourcesOf(meshSnapshot({ folder, clusters: { a: two }, to: "a" })), lonely])), { kind: "acked" });
    assert.equal(await warmingClusters(folder), 0);
  });

  await t.test("forty moves from cluster to cluster under load: no request fails", async () => {
    const stop = new AbortController();
    const answers = new Map<string, number>();
    const load = (async () => {
      while (!stop.signal.aborted) {
        const answer = await get(inbound).catch((error: unknown) => String(error));
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    })();
    for (let at = 0; at < 40; at += 1) {
      const snapshot = meshSnapshot({ folder, clusters: { [`c${at}`]: at % 2 === 0 ? one : three }, to: `c${at}` });
      // Half of them are overtaken by the next one.
      if (at % 2 === 0) assert.deepEqual(await apply(snapshot), { kind: "acked" });
      else discovery.publish("node", snapshot);
    }
    assert.deepEqual(await apply(meshSnapshot({ folder, clusters: { z: three }, to: "z" })), { kind: "acked" });
    stop.abort();
    await load;
    assert.deepEqual(
      [...answers.keys()].filter((answer) => !answer.startsWith("200 ")),
      [],
    );
    assert.equal(await get(inbound), "200 three");
    await eventually(() => pushes.at(-1)?.startsWith("Cluster +0") === true, "the clusters nobody uses are taken away");
  });

  await t.test("Envoy refuses a cluster: its message, the good one of the same push, and the traffic that was", async () => {
    const good = meshSnapshot({ folder, clusters: { z: three, y: one }, to: "y" });
    const bad = made(typeUrls.cluster, "bad", { name: "bad", type: "EDS", connectTimeout: "1s", edsClusterConfig: { edsConfig: { path: "/nowhere/at/all" } } });
    const outcome = await apply(createSnapshot([...resourcesOf(good), bad]));
    assert.ok(outcome.kind === "rejected", JSON.stringify(outcome));
    const rejected = outcome.types.get(typeUrls.cluster)?.rejected ?? [];
    assert.deepEqual(
      rejected.map(({ name }) => name),
      ["bad"],
    );
    assert.match(rejected[0]?.message ?? "", /bad/);
    assert.equal(await get(inbound), "200 one");
    assert.deepEqual(await apply(good), { kind: "acked" });
  });
  assert.equal(child.exitCode, null);
});

test("a server that comes back on the same socket sends only what changed meanwhile", async (t) => {
  const folder = temporaryFolder(t);
  const [one, two] = await Promise.all([useUpstream(t, "one"), useUpstream(t, "two")]);
  const inbound = path.join(folder, "in.sock");
  const before = await serve(t, folder);
  await useEnvoy(t, folder);
  assert.deepEqual(await before.apply(meshSnapshot({ folder, clusters: { a: one, b: one }, to: "a" })), { kind: "acked" });
  await before.server.close(0);
  assert.equal(await get(inbound), "200 one");

  const after = await serve(t, folder);
  assert.deepEqual(await after.apply(meshSnapshot({ folder, clusters: { a: two, b: one }, to: "a" })), { kind: "acked" });
  assert.equal(await get(inbound), "200 two");
  assert.deepEqual(after.pushes, ["ClusterLoadAssignment +1 -0"]);
});
