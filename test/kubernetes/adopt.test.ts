/** A Deployment that was there before Weir becomes a version of an app: weights and further versions work on it, and nothing of it is changed. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { startTestCluster } from "./support/cluster.ts";
import { eventually, type Load, type Mesh, startMesh } from "./support/mesh.ts";
import { pod } from "./support/objects.ts";
import { type Weir, weirFor } from "./support/weir.ts";

const shop = ["-n", "shop"];
const image = "weir-test/node:1";
const echo = ["/bin/node", "/apps/echo.mjs"];
let cluster: Cluster;
let mesh: Mesh;
let weir: Weir;

/** As somebody made it who has never heard of Weir, but for the label by which its pods join the mesh. */
function deployment(): readonly object[] {
  const labels = { app: "web" };
  const env = [{ name: "WEIR_VERSION", value: "old" }];
  const container = {
    name: "server",
    image,
    command: echo,
    env,
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/", port: "http" } },
  };
  const template = {
    metadata: { labels: { ...labels, "weir.dev/mesh": "on" } },
    spec: { serviceAccountName: "web", terminationGracePeriodSeconds: 1, containers: [container] },
  };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "web" } },
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec: { replicas: 2, selector: { matchLabels: labels }, template } },
    { apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: "http" }] } },
  ];
}

before(
  async () => {
    cluster = await startTestCluster();
    mesh = await startMesh(cluster);
    weir = weirFor(cluster.kubeconfig);
    await cluster.kubectl(["create", "namespace", "shop"]);
    await eventually(() => cluster.kubectl([...shop, "get", "serviceaccount", "default"]));
    const caller = pod("caller", "node-1", { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"], labels: { "weir.dev/mesh": "on" } });
    const items = [...deployment(), caller];
    await cluster.kubectl([...shop, "create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    await cluster.kubectl([...shop, "rollout", "status", "deployment/web", "--timeout=120s"]);
    await cluster.kubectl([...shop, "wait", "--for=condition=Ready", "--timeout=120s", "pod/caller"]);
    await ok("context", "use", "weir-test");
  },
  { timeout: 600_000 },
);

after(async () => {
  mesh?.stop();
  if (weir !== undefined) rmSync(weir.home, { recursive: true, force: true });
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

async function ok(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await weir(...words);
  assert.equal(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

async function load(url: string, count: number): Promise<Load> {
  const options = JSON.stringify({ url, rate: 50, count, fresh: 0.33, timeoutMs: 60_000 });
  return JSON.parse(await cluster.kubectl([...shop, "exec", "caller", "--", "/bin/node", "/apps/load.mjs", options])) as Load;
}

/** Everything that Weir must leave as it is. */
async function theirs(): Promise<unknown> {
  const read = async (what: string, at: string): Promise<string> => cluster.kubectl([...shop, "get", ...what.split(" "), "-o", `jsonpath=${at}`]);
  return {
    deployment: await read("deployment web", "{.metadata.uid} {.metadata.generation} {.metadata.labels} {.spec}"),
    service: await read("service web", "{.metadata.uid} {.metadata.labels} {.metadata.ownerReferences} {.spec}"),
    account: await read("serviceaccount web", "{.metadata.uid} {.metadata.labels} {.metadata.ownerReferences}"),
    pods: (await read("pods -l app=web", "{.items[*].metadata.uid}")).split(" ").toSorted(),
  };
}

test("a Deployment is adopted under load: callers get the same answers, it is version v1 with all traffic", { timeout: 300_000 }, async () => {
  const before = await theirs();
  const [{ failures, versions }, said] = await Promise.all([load("http://web/", 600), ok("adopt", "web", ...shop)]);
  assert.deepEqual(failures, []);
  assert.deepEqual(versions, { old: 600 });
  assert.match(said, /^web@v1 {2}deployment web {2}80:8080\/http {2}100% {2}in Envoy$/m);
  assert.deepEqual((await load("http://web-v1/", 50)).versions, { old: 50 });
  assert.deepEqual(await theirs(), before);
  await eventually(async () => assert.match(await ok("ps", ...shop), /web@v1 +ready +2\/2 +100%/), 120_000);
});

test("a version beside it gets its share, then everything, and back", { timeout: 400_000 }, async () => {
  const before = await theirs();
  await ok("run", "--name", "web@v2", "--namespace", "shop", "--image", image, "--port", "80:8080/http", "--", ...echo);
  assert.deepEqual((await load("http://web/", 200)).versions, { old: 200 });
  await ok("weight", "web@v2=30%", ...shop);
  const shared = await load("http://web/", 1_000);
  assert.deepEqual(shared.failures, []);
  const share = (shared.versions["v2"] ?? 0) / 1_000;
  assert.ok(Math.abs(share - 0.3) < 0.06, `${share}`);
  const [{ failures }] = await Promise.all([load("http://web/", 600), ok("promote", "web@v2", ...shop)]);
  assert.deepEqual(failures, []);
  assert.deepEqual((await load("http://web/", 100)).versions, { v2: 100 });
  await ok("rollback", "web", ...shop);
  assert.ok(((await load("http://web/", 200)).versions["old"] ?? 0) > 50);
  assert.deepEqual(await theirs(), before);
});

test("what the Deployment does stays its own business", { timeout: 200_000 }, async () => {
  for (const words of [
    ["scale", "web@v1=5"],
    ["restart", "web@v1"],
  ]) {
    const { code, stderr } = await weir(...words, ...shop);
    assert.match(stderr, /error\[adopted\]: web@v1 is the Deployment web/, words.join(" "));
    assert.notEqual(code, 0);
  }
  const again = await weir("adopt", "nothing", ...shop);
  assert.match(again.stderr, /error\[deployment-unknown\]/);
  assert.match((await weir("adopt", "web-v2", "--as", "other", ...shop)).stderr, /error\[adopt-own\]/);
  const before = await theirs();
  await ok("promote", "web@v2", ...shop);
  // Without the version its Service would lead to it again.
  assert.match((await weir("rm", "web@v1", ...shop)).stderr, /error\[in-use\]: without web@v1 the Service web leads all callers to the Deployment again/);
  assert.deepEqual(await theirs(), before);
  await cluster.kubectl([...shop, "delete", "service", "web"]);
  await eventually(
    async () => assert.equal(await cluster.kubectl([...shop, "get", "service", "web", "-o", "jsonpath={.metadata.labels.weir\\.dev/managed-by}"]), "weir"),
    120_000,
  );
  await ok("rm", "web@v1", ...shop);
  await eventually(async () => assert.deepEqual((await load("http://web/", 50)).versions, { v2: 50 }), 120_000);
  assert.equal(await cluster.kubectl([...shop, "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}"]), "2");
});
