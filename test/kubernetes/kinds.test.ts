/**
 * Versions that are no plain Deployments, on a real cluster: with volumes whose data stays, one on every node, and as many as an autoscaler says.
 * WEIR_LOAD_COUNT (default 1 500) bounds the load under which one kind takes the place of another.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { ServiceView } from "../../src/api/contract.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { run } from "../cluster/run.ts";
import { startTestCluster, tryKubectl } from "./support/cluster.ts";
import { eventually, type Load, type Mesh, startMesh } from "./support/mesh.ts";
import { startMetrics } from "./support/metrics.ts";
import { pod } from "./support/objects.ts";
import { userOf } from "./support/user.ts";
import { stackFolder, succeed, type Weir } from "./support/weir.ts";

const count = Number(process.env["WEIR_LOAD_COUNT"] ?? 1_500);
const namespace = ["-n", "team"];
const work = mkdtempSync(path.join(tmpdir(), "weir-kinds-"));
const minutes = 60_000;

let cluster: Cluster;
let mesh: Mesh;
/** Somebody with the role edit in the namespace team. */
let alice: Weir;

before(
  async () => {
    cluster = await startTestCluster();
    mesh = await startMesh(cluster);
    alice = await userOf(cluster, { name: "alice", namespace: "team", role: "edit" });
    await ok("context", "use", "weir-test");
    await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: [storageClass, ...[0, 1, 2, 3].map(volume)] }));
    const sleeper = { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"] };
    const callers = [pod("caller", "node-1", { ...sleeper, labels: { "weir.dev/mesh": "on" } }), pod("stranger", "node-2", sleeper)];
    await eventually(() => cluster.kubectl([...namespace, "get", "serviceaccount", "default"]));
    await cluster.kubectl([...namespace, "create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: callers }));
    await cluster.kubectl([...namespace, "wait", "--for=condition=Ready", "--timeout=120s", "pod/caller", "pod/stranger"]);
  },
  { timeout: 20 * minutes },
);

after(async () => {
  mesh?.stop();
  for (const home of [alice?.home, work]) if (home !== undefined) rmSync(home, { recursive: true, force: true });
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

/** Nobody makes volumes of this class: those that there are, are. */
const storageClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "by-hand" },
  provisioner: "kubernetes.io/no-provisioner",
  volumeBindingMode: "WaitForFirstConsumer",
};

/** A folder of a node; which of them, its number says. */
function volume(number: number): object {
  const node = `node-${(number % 2) + 1}`;
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: `folder-${number}` },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "by-hand",
      hostPath: { path: `/var/lib/weir-test-volumes/${number}`, type: "DirectoryOrCreate" },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] }] } },
    },
  };
}

function ok(...words: readonly string[]): Promise<string> {
  return succeed(alice, ...words);
}

/** What a command says that must fail. */
async function refused(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await alice(...words);
  assert.notEqual(code, 0, `weir ${words.join(" ")}\n${stdout}`);
  return stderr;
}

/** Writes this weir.yaml; answers its folder. */
function stack(name: string, services: string): string {
  return stackFolder(work, name, `stack: ${name}\nservices:\n${services}`);
}

function up(name: string, services: string): Promise<string> {
  return ok("up", stack(name, services), "--timeout", "4m");
}

/** `READY/WANTED STATE` of a version. */
async function stateOf(name: string): Promise<string> {
  const views = JSON.parse(await ok("ps", "-o", "json")) as readonly ServiceView[];
  const found = views.find(({ app, version }) => `${app}@${version}` === name);
  return found === undefined ? "gone" : `${found.ready}/${found.wanted} ${found.state}`;
}

async function field(what: string, at: string): Promise<string> {
  return cluster.kubectl([...namespace, "get", ...what.split(" "), "-o", `jsonpath=${at}`]);
}

/** What a pod gets from an address; throws when it gets nothing. */
function ask(from: string, url: string): Promise<string> {
  const program = `fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(10_000) }).then((a) => a.text()).then((t) => process.stdout.write(t.trim()))`;
  return cluster.kubectl([...namespace, "exec", from, "--", "/bin/node", "-e", program]);
}

/** Adds a line to a file in its volume whenever it starts, and answers with all of them. */
const program = `
const fs = require("node:fs");
fs.appendFileSync("/data/starts", process.env.WEIR_REPLICA + " " + process.env.WORD + "\\n");
require("node:http").createServer((_, response) => response.end(fs.readFileSync("/data/starts"))).listen(9000);
process.on("SIGTERM", () => process.exit(0));
`;
const database = (word: string, more = "size: 10Mi") => `
  db:
    image: weir-test/node:1
    command: [/bin/node, -e, ${JSON.stringify(program)}]
    ports: 80:9000/http
    scale: 2
    drain: 3s
    grace: 5s
    env: { WORD: ${word} }
    volumes: { data: { path: /data, class: by-hand, ${more} } }
`;
const first = "http://db-v1-0.db-v1-pods:9000/";
const second = "http://db-v1-1.db-v1-pods:9000/";

test("a version with volumes: each pod has a name, and its data over changes and deletions", { timeout: 20 * minutes }, async () => {
  assert.match(await up("store", database("one")), /1 service is ready/);
  assert.equal(await stateOf("db@v1"), "2/2 ready");
  assert.deepEqual([await ask("caller", first), await ask("caller", second)], ["0 one", "1 one"]);
  assert.equal(await ask("db-v1-1", first), "0 one", "they reach each other by name");
  assert.match(await ask("caller", "http://db/"), /^[01] one$/);
  await assert.rejects(ask("stranger", first), "it is in the mesh, and strict: who is not in it gets nothing");

  await up("store", database("two"));
  await eventually(async () => assert.deepEqual([await ask("caller", first), await ask("caller", second)], ["0 one\n0 two", "1 one\n1 two"]));
  await cluster.kubectl([...namespace, "delete", "pod", "db-v1-0"]);
  await eventually(async () => assert.equal(await ask("caller", first), "0 one\n0 two\n0 two"), 3 * minutes);

  assert.match(await refused("up", stack("store", database("two", "size: 20Mi"))), /error\[volumes-fixed\]/);
  const bigger = JSON.stringify([{ op: "replace", path: "/spec/volumes/0/size", value: "20Mi" }]);
  const patched = await tryKubectl(cluster.kubeconfig, [...namespace, "patch", "versions.weir.dev", "db-v1", "--type=json", "-p", bigger]);
  assert.match(patched.stderr, /a version's volumes keep their names, sizes and classes/);
});

test("what is removed leaves its data, until somebody asks for its end", { timeout: 20 * minutes }, async () => {
  await ok("scale", "db=1", "--wait");
  assert.match(await ok("rm", "db"), /^removed db@v1\nkept volume data-db-v1-0\nkept volume data-db-v1-1\n/);
  await eventually(async () => assert.equal(await field("pods,statefulsets -l weir.dev/app=db", "{.items[*].metadata.name}"), ""), 3 * minutes);
  await up("store", database("three"));
  await eventually(async () => assert.equal(await ask("caller", second), "1 one\n1 two\n1 three"));
  assert.match(await ok("rm", "--volumes", "db"), /^removed db@v1\ndeleted volume data-db-v1-0\ndeleted volume data-db-v1-1\n/);
  await eventually(async () => assert.equal(await field("persistentvolumeclaims", "{.items[*].metadata.name}"), ""));
  // Volumes of the cluster keep what they hold, and nobody uses them again: two are left.
  await up("store", database("four"));
  await eventually(async () => assert.equal(await ask("caller", second), "1 four"));
  assert.match(await ok("down", "store"), /kept volume data-db-v1-0/);
  assert.match(await ok("rm", "--volumes", "db@v1"), /^deleted volume data-db-v1-0\n/);
});

const web = (more: string) => `
  web:
    image: weir-test/node:1
    command: [/bin/node, /apps/echo.mjs]
    ports: 80:8080/http
    drain: 5s
    grace: 5s
    ${more}
`;

async function loads(ended: AbortSignal): Promise<number> {
  const connect = await field("service web", "{.spec.clusterIP}");
  const options = JSON.stringify({ url: "http://web/", connect, rate: 100, count, fresh: 0.33, timeoutMs: 60_000 });
  const words = ["kubectl", ...namespace, "exec", "caller", "--", "/bin/node", "/apps/load.mjs", options];
  const result = JSON.parse(await run(words, { env: { KUBECONFIG: cluster.kubeconfig }, timeoutMs: 15 * minutes })) as Load;
  assert.deepEqual(result.failures, []);
  return result.ok + (ended.aborted ? 0 : await loads(ended));
}

test("one on every node; and a version becomes that, and back, without losing a request", { timeout: 30 * minutes }, async (t) => {
  await up("site", web("scale: 3"));
  const ended = new AbortController();
  const change = async (): Promise<void> => {
    await up("site", web("scale: per-node"));
    assert.equal(await stateOf("web@v1"), "2/2 ready");
    const nodes = async (): Promise<readonly string[]> => (await field("pods -l weir.dev/app=web", "{.items[*].spec.nodeName}")).split(" ").toSorted();
    await eventually(async () => assert.deepEqual(await nodes(), ["node-1", "node-2"]), 2 * minutes);
    assert.equal(await field("deployments,daemonsets", "{.items[*].kind}"), "DaemonSet");
    assert.match(await refused("scale", "web=3"), /error\[scale-per-node\]/);
    await ok("restart", "web", "--wait");
    await up("site", web("scale: 2"));
    assert.equal(await field("deployments,daemonsets", "{.items[*].kind}"), "Deployment");
  };
  const [sent] = await Promise.all([loads(ended.signal), change().finally(() => ended.abort())]);
  t.diagnostic(`${sent} requests, 0 failed`);
});

test("an autoscaler says how many there are, and nobody puts its number back", { timeout: 20 * minutes }, async () => {
  const replicas = (): Promise<string> => field("deployment web-v1", "{.spec.replicas}");
  const scaler = (): Promise<string> => field("horizontalpodautoscalers", "{.items[*].spec.minReplicas}-{.items[*].spec.maxReplicas}");
  await up("site", web("scale: 3\n    resources: { cpu: 50m }"));
  await up("site", web("scale: { min: 2, max: 5, cpu: 50 }\n    resources: { cpu: 50m }"));
  assert.deepEqual([await replicas(), await scaler()], ["3", "2-5"], "it goes on from what there was");
  assert.equal(await stateOf("web@v1"), "3/3 ready");
  await ok("scale", "web=4-6", "--wait");
  await eventually(async () => assert.deepEqual([await replicas(), await scaler(), await stateOf("web@v1")], ["4", "4-6", "4/4 ready"]), 3 * minutes);
  // As an autoscaler does it.
  await cluster.kubectl([...namespace, "scale", "deployment", "web-v1", "--replicas=5"]);
  await eventually(async () => assert.equal(await stateOf("web@v1"), "5/5 ready"), 3 * minutes);
  await ok("restart", "web", "--wait");
  assert.equal(await replicas(), "5", "a change of the rest leaves the number alone");
  await ok("scale", "web=2", "--wait");
  assert.deepEqual([await replicas(), await scaler()], ["2", "-"]);
  await cluster.kubectl([...namespace, "scale", "deployment", "web-v1", "--replicas=4"]);
  await eventually(async () => assert.equal(await replicas(), "2", "now it is the version's again"));
  await ok("down", "site");
});

test("with a metrics server, a load makes more of them", { timeout: 30 * minutes }, async (t) => {
  await up("site", web("scale: { min: 1, max: 3, cpu: 50 }\n    resources: { cpu: 50m }"));
  const shown = async (): Promise<string> => (JSON.parse(await ok("ps", "-o", "json")) as readonly ServiceView[])[0]?.reason ?? "";
  await eventually(async () => assert.match(await shown(), /its number does not follow its use of the processor: /), 2 * minutes);
  await startMetrics(cluster);
  await eventually(async () => assert.equal(await shown(), ""), 4 * minutes);
  // That it started is work, too: there may be two by now.
  const busy = "const end = Date.now() + 240_000; while (Date.now() < end);";
  const spinning = tryKubectl(cluster.kubeconfig, [...namespace, "exec", "deployment/web-v1", "--", "/bin/node", "-e", busy]);
  await eventually(async () => assert.equal(await stateOf("web@v1"), "3/3 ready"), 5 * minutes);
  t.diagnostic("3 under load");
  await ok("down", "site");
  await spinning;
});
