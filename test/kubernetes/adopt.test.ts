/** What was there before Weir (a Deployment, a StatefulSet, a DaemonSet) becomes a version of an app: weights and further versions work on it, and nothing of it is changed. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { startTestCluster, tryKubectl } from "./support/cluster.ts";
import { eventually, type Load, type Mesh, startMesh } from "./support/mesh.ts";
import { pod } from "./support/objects.ts";
import { type Weir, weirFor } from "./support/weir.ts";

const shop = ["-n", "shop"];
const image = "weir-test/node:1";
const echo = ["/bin/node", "/apps/echo.mjs"];
let cluster: Cluster;
let mesh: Mesh;
let weir: Weir;

interface Theirs {
  readonly kind: "Deployment" | "StatefulSet" | "DaemonSet";
  /** More of its spec, and of its Service's. */
  readonly spec?: object;
  readonly service?: object;
}

/** As somebody made it who has never heard of Weir, but for the label by which its pods join the mesh: with an account and a Service of its name. */
function theirsOf(name: string, { kind, spec = {}, service = {} }: Theirs): readonly object[] {
  const labels = { app: name };
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
    spec: { serviceAccountName: name, terminationGracePeriodSeconds: 1, containers: [container] },
  };
  const ports = [{ name: "http", port: 80, targetPort: "http" }];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name } },
    { apiVersion: "apps/v1", kind, metadata: { name }, spec: { selector: { matchLabels: labels }, template, ...spec } },
    { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: labels, ports, ...service } },
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
    const items = [
      ...theirsOf("web", { kind: "Deployment", spec: { replicas: 2 } }),
      ...theirsOf("db", { kind: "StatefulSet", spec: { replicas: 2, serviceName: "db" }, service: { clusterIP: "None" } }),
      ...theirsOf("agent", { kind: "DaemonSet" }),
      caller,
    ];
    await cluster.kubectl([...shop, "create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    for (const one of ["deployment/web", "statefulset/db", "daemonset/agent"]) await cluster.kubectl([...shop, "rollout", "status", one, "--timeout=120s"]);
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
async function theirs(kind = "deployment", name = "web"): Promise<unknown> {
  const read = async (what: string, at: string): Promise<string> => cluster.kubectl([...shop, "get", ...what.split(" "), "-o", `jsonpath=${at}`]);
  return {
    workload: await read(`${kind} ${name}`, "{.metadata.uid} {.metadata.generation} {.metadata.labels} {.spec}"),
    service: await read(`service ${name}`, "{.metadata.uid} {.metadata.labels} {.metadata.ownerReferences} {.spec}"),
    account: await read(`serviceaccount ${name}`, "{.metadata.uid} {.metadata.labels} {.metadata.ownerReferences}"),
    pods: (await read(`pods -l app=${name}`, "{.items[*].metadata.uid}")).split(" ").toSorted(),
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
  assert.match((await weir("rm", "web@v1", ...shop)).stderr, /error\[in-use\]: without web@v1 the Service web leads all callers to the Deployment web again/);
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

test("a StatefulSet behind a headless Service is adopted under another name, and its pods keep theirs", { timeout: 300_000 }, async () => {
  const before = await theirs("statefulset", "db");
  const refused = await weir("adopt", "db", ...shop);
  assert.match(refused.stderr, /error\[adopt-headless\]: the Service db has no address of its own/);
  assert.match(await ok("adopt", "statefulset/db", "--as", "database", ...shop), /^database@v1 {2}statefulset db {2}80:8080\/http {2}100% {2}in Envoy$/m);
  assert.deepEqual((await load("http://database/", 50)).versions, { old: 50 });
  assert.deepEqual((await load("http://db-1.db:8080/", 50)).versions, { old: 50 });
  await eventually(async () => assert.match(await ok("ps", ...shop), /database@v1 +ready +2\/2 +100%/), 120_000);
  await ok("run", "--name", "database@v2", "--namespace", "shop", "--image", image, "--port", "80:8080/http", "--", ...echo);
  await ok("weight", "database@v2=50%", ...shop);
  const shared = await load("http://database/", 400);
  assert.deepEqual(shared.failures, []);
  assert.ok(Math.abs((shared.versions["v2"] ?? 0) / 400 - 0.5) < 0.12, JSON.stringify(shared.versions));
  assert.match((await weir("scale", "database@v1=5", ...shop)).stderr, /is the StatefulSet db[^]*kubectl scale -n shop statefulset db/);
  assert.match(await ok("logs", "database@v1", ...shop), /\S/);
  assert.deepEqual(await theirs("statefulset", "db"), before);
});

test("a DaemonSet is found by its name alone, and nothing of it is changed", { timeout: 300_000 }, async () => {
  const before = await theirs("daemonset", "agent");
  assert.match(await ok("adopt", "agent", ...shop), /^agent@v1 {2}daemonset agent {2}80:8080\/http {2}100% {2}in Envoy$/m);
  assert.deepEqual((await load("http://agent/", 50)).versions, { old: 50 });
  await eventually(async () => assert.match(await ok("ps", ...shop), /agent@v1 +ready +2\/2 +100%/), 120_000);
  assert.match((await weir("scale", "agent@v1=5", ...shop)).stderr, /is the DaemonSet agent[^]*it has a pod on every node/);
  const wrong = { apiVersion: "weir.dev/v1alpha1", kind: "Version", metadata: { name: "other-v1" } };
  const both = { ...wrong, spec: { app: "other", version: "v1", adopted: { deployment: "web", daemonSet: "agent", selector: { app: "agent" } } } };
  const said = await tryKubectl(cluster.kubeconfig, [...shop, "create", "-f", "-"], JSON.stringify(both));
  assert.match(said.stderr, /a deployment, a statefulSet or a daemonSet, exactly one/);
  await ok("rm", "agent@v1", ...shop);
  assert.deepEqual(await theirs("daemonset", "agent"), before);
});
