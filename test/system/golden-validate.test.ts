/** Every golden configuration passes the real Envoy's own validation, for both proxies. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { compileWorld } from "../../src/compile/compile.ts";
import { compileNode } from "../../src/compile/node-plan.ts";
import { emitEnvoy } from "../../src/emit/envoy/emit.ts";
import { emitNodeProxy } from "../../src/emit/envoy/node-proxy.ts";
import type { AppKey } from "../../src/model/names.ts";
import type { ServiceRoute } from "../../src/model/service-route.ts";
import { compileCase, goldenCases, readCase } from "../golden/golden.ts";
import { meshOf, pinnedPod, replicas } from "../support/node-mesh.ts";
import { temporaryFolder } from "../support/real.ts";
import { runningWorld } from "../support/running-world.ts";
import { destination, port, service, stack } from "../support/stacks.ts";
import { staticBootstrap } from "../support/static-bootstrap.ts";

const envoy = path.resolve(import.meta.dirname, "../../.cache/envoy/1.40.0/envoy");
const run = promisify(execFile);

/** Proxy configurations of all cases: file name → bootstrap. */
function bootstraps(): readonly (readonly [string, string])[] {
  return goldenCases().flatMap((name) => {
    const stack = readCase(name);
    if (!stack.ok) return [];
    const { node, gateway } = emitEnvoy(compileCase(stack.value).plan);
    return [[`${name}-node`, JSON.stringify(staticBootstrap(node))] as const, [`${name}-gateway`, JSON.stringify(staticBootstrap(gateway))] as const];
  });
}

/** What Envoy has against a configuration, deprecated and unfinished fields included; nothing: empty. */
async function complaints(file: string): Promise<string> {
  const result = await run(envoy, ["--mode", "validate", "-c", file, "-l", "warning", "--disable-hot-restart"]).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { readonly stderr?: string; readonly message: string }) => `failed: ${error.stderr ?? error.message}`,
  );
  return result
    .split("\n")
    .filter((line) => /^failed|\[(warning|error|critical)\]/.test(line))
    .join("\n");
}

test("Envoy accepts every golden configuration without a word", { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-golden-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const waiting = [...bootstraps()];
  const found: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [name, text] = next;
      const file = path.join(folder, `${name}.json`);
      writeFileSync(file, text);
      const said = await complaints(file);
      if (said !== "") found.push(`${name}: ${said}`);
    }
  };
  assert.ok(waiting.length >= 40);
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  assert.deepEqual(found, []);
});

/** Connections by share, and by their server name. */
const toDb = { destinations: [{ to: { ...destination("db"), port: 5432 }, weight: 8_000 }], refused: 2_000 };
const dbRoutes: readonly ServiceRoute[] = [
  { kind: "tcp", port: 5432, target: toDb },
  { kind: "tls", port: 443, servers: ["*", "*.example", "db.example"].map((domain) => ({ domain, target: toDb })) },
];

/**
 * What the proxy of a node of a cluster gets: pods in both modes (none on node c), a service by HTTP and by HTTP/2 and one by TCP with routes of
 * connections, on nodes a and b.
 */
function nodeOfCluster(on: string): string {
  const pods = [
    pinnedPod("web-1", "a", "10.1.0.1"),
    pinnedPod("cart-1", "a", "10.1.0.2", { mode: "permissive" }),
    pinnedPod("cart-2", "b", "10.2.0.1"),
    pinnedPod("db-1", "b", "10.2.0.2"),
  ];
  const services = [
    service("web"),
    service("cart", { ports: [port("80:8080/http"), port("81:8081/http2")] }),
    service("db", { ports: [port("5432/tcp"), port("443/tcp")] }),
  ];
  const at = (app: string) =>
    replicas(
      app,
      pods.filter(({ name }) => name.startsWith(app)).map(({ address }) => ({ address })),
    );
  const world = {
    ...runningWorld(stack({ services }), []),
    endpoints: new Map(services.map((one) => at(one.app))),
    serviceRoutes: new Map([["default/db" as AppKey, dbRoutes]]),
  };
  const resources = emitNodeProxy(compileNode(compileWorld(world).plan, meshOf(pods), on));
  const { staticResources, ...rest } = staticBootstrap(resources) as unknown as { readonly staticResources: { readonly clusters: readonly object[] } };
  const agent = {
    name: "sds",
    type: "STATIC",
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  };
  return JSON.stringify({
    ...rest,
    node: { id: "node/a", cluster: "weir" },
    staticResources: { ...staticResources, clusters: [agent, ...staticResources.clusters] },
  });
}

test("Envoy accepts the configuration of a cluster's node without a word, with pods and without", { timeout: 30_000 }, async (t) => {
  const file = path.join(temporaryFolder(t), "node.json");
  for (const name of ["a", "c"]) {
    writeFileSync(file, nodeOfCluster(name));
    assert.equal(await complaints(file), "", name);
  }
});

test("the test can fail: Envoy's complaints are seen", { timeout: 30_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-golden-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "broken.json");
  writeFileSync(file, JSON.stringify({ staticResources: { listeners: [{ name: "no-address" }] } }));
  assert.match(await complaints(file), /failed/);
});
