/** Weir comes onto a real cluster, changes nothing the second time, and leaves nothing behind. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { addressOf, create, startTestCluster, tryKubectl } from "./support/cluster.ts";
import { pod } from "./support/objects.ts";
import { buildImage, type Weir, weirFor } from "./support/weir.ts";

const own = "weir.dev/part-of=install";
const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "weir-system", labels: { "weir.dev/part-of": "install" } } };

let cluster: Cluster;
let weir: Weir;

before(
  async () => {
    const [image, started] = await Promise.all([buildImage(), startTestCluster()]);
    cluster = started;
    weir = weirFor(cluster.kubeconfig);
    await cluster.importImage(image);
  },
  { timeout: 300_000 },
);

after(async () => {
  rmSync(weir.home, { recursive: true, force: true });
  await stopCluster(cluster.dir);
});

interface Plan {
  readonly changes: readonly { readonly action: string; readonly kind: string; readonly name: string; readonly fields: readonly { readonly path: string }[] }[];
}

async function plan(...words: readonly string[]): Promise<Plan["changes"]> {
  const { code, stdout, stderr } = await weir("install", "--plan", "-o", "json", ...words);
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as Plan).changes;
}

/** Every object with our label, of every kind that can be listed. */
async function ownObjects(): Promise<readonly string[]> {
  const kinds = (await cluster.kubectl(["api-resources", "--verbs=list", "-o", "name"])).trim().split("\n");
  const listed = kinds.filter((kind) => !kind.startsWith("events"));
  const text = await cluster.kubectl(["get", listed.join(","), "-A", "-l", own, "-o", "name", "--ignore-not-found"]);
  return text.split("\n").filter((line) => line !== "");
}

const inPods = 'for net in /run/netns/*; do nsenter --net="$net" nft list tables | grep weir | sed "s/^/pod: /"; done 2>/dev/null';

/** What Weir can leave on a node: tables of rules there and in pods, an address, pins. */
async function leftOnNode(node: string): Promise<string> {
  const script = `nft list tables | grep weir; ip -4 -o addr show lo | grep 169.254; grep weir/netns /proc/*/mounts 2>/dev/null; ${inPods}; true`;
  return (await cluster.inNamespace(["sh", "-c", script], node)).stdout;
}

test("a plan says what would be made, and makes nothing", async () => {
  const changes = await plan();
  assert.ok(changes.every(({ action }) => action === "create"));
  assert.ok(changes.some(({ kind, name }) => kind === "DaemonSet" && name === "weir-node"));
  assert.ok(changes.some(({ kind, name }) => kind === "CustomResourceDefinition" && name === "versions.weir.dev"));
  assert.deepEqual(await ownObjects(), []);
});

test("the API server accepts every object as it is", async () => {
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify(namespace));
  // In a namespace that is there, each object is tried.
  const changes = await plan();
  assert.equal(changes.filter(({ action }) => action === "create").length, changes.length - 1);
});

test("who lacks rights hears which, and nothing is changed", async () => {
  const { code, stderr } = await weir("install", "--kubeconfig", await cluster.kubeconfigFor("nobody"));
  assert.equal(code, 1);
  assert.match(stderr, /error\[cluster-forbidden\]: you may not get namespaces, list namespaces/);
});

test("a cluster that does not answer, no kubeconfig and a context that is not there have problems of their own", async () => {
  const dead = path.join(weir.home, "dead.json");
  writeFileSync(dead, readFileSync(cluster.kubeconfig, "utf8").replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1"));
  for (const [words, code, problem] of [
    [["--kubeconfig", dead], 6, "cluster-unreachable"],
    [["--kubeconfig", "/nowhere"], 2, "kubeconfig-missing"],
    [["--context", "moon"], 3, "kube-context-unknown"],
    [["--ca-dir", weir.home], 2, "ca-file-missing"],
    [["--trust-domain", "No Domain"], 1, "trust-domain-invalid"],
    [["--domain", "No Domain"], 1, "domain-invalid"],
  ] as const) {
    const ended = await weir("install", ...words);
    assert.match(ended.stderr, new RegExp(`^error\\[${problem}\\]`), words.join(" "));
    assert.equal(ended.code, code, problem);
  }
});

test("somebody else's object is left alone", async () => {
  await cluster.kubectl(["create", "clusterrole", "weir-control", "--verb=get", "--resource=pods"]);
  const { code, stderr } = await weir("install");
  assert.equal(code, 4);
  assert.match(stderr, /error\[install-object-foreign\]: there is a clusterrole weir-control already/);
  await cluster.kubectl(["delete", "clusterrole", "weir-control"]);
});

test("install --wait returns when every node has its agent; what an older version had is removed", async () => {
  await cluster.kubectl(["create", "configmap", "weir-old", "-n", "weir-system"]);
  await cluster.kubectl(["label", "configmap", "weir-old", "-n", "weir-system", own]);
  const { code, stdout, stderr } = await weir("install", "--wait", "--timeout", "90s");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /\+ daemonset weir-node\n/);
  assert.match(stdout, /- configmap weir-old\n/);
  assert.match(stderr, /ready on every node after/);
  const ready = await cluster.kubectl(["get", "daemonset", "weir-node", "-n", "weir-system", "-o", "jsonpath={.status.numberReady}"]);
  assert.equal(ready, "2");
});

test("the second time there are no changes, and the certificate authority stays", async () => {
  const roots = ["get", "configmap", "weir-trust", "-n", "weir-system", "-o", "jsonpath={.data}"];
  const before = await cluster.kubectl(roots);
  const { code, stdout } = await weir("install");
  assert.equal(code, 0);
  assert.match(stdout, /: no changes\n$/);
  assert.equal(await cluster.kubectl(roots), before);
  assert.match((await weir("install", "--trust-domain", "other.example")).stderr, /error\[trust-domain-differs\]/);
});

test("a plan names the fields that would change", async () => {
  const named = await plan("--domain", "apps.example.com");
  assert.deepEqual(
    named.map(({ kind, fields }) => [kind, ...fields.map((field) => field.path)]),
    [["Deployment", "spec.template.spec.containers[control].env[WEIR_DOMAIN]"]],
  );
  const changes = await plan("--image", "weir.dev/weir:other");
  const fields = changes.map(({ kind, fields }) => [kind, ...fields.map((field) => field.path)]);
  assert.deepEqual(fields, [
    // Gateways run from the same image.
    ["Deployment", "spec.template.spec.containers[control].image", "spec.template.spec.containers[control].env[WEIR_IMAGE].value"],
    ["DaemonSet", "spec.template.spec.containers[agent].image"],
  ]);
});

test("the control plane may look, the node agent may nothing", async () => {
  const can = async (account: string, ...words: readonly string[]): Promise<boolean> =>
    (await tryKubectl(cluster.kubeconfig, ["auth", "can-i", ...words, `--as=system:serviceaccount:weir-system:${account}`])).stdout.startsWith("yes");
  assert.ok(await can("weir-control", "watch", "pods", "-A"));
  assert.ok(await can("weir-control", "patch", "secret/weir-ca", "-n", "weir-system"));
  assert.ok(!(await can("weir-control", "get", "secrets", "-n", "default")));
  assert.ok(!(await can("weir-control", "get", "secrets", "-n", "weir-system")));
  assert.ok(!(await can("weir-control", "create", "pods", "-n", "weir-system")));
  for (const resource of ["pods", "nodes", "secrets", "configmaps"]) assert.ok(!(await can("weir-node", "get", resource, "-n", "weir-system")), resource);
});

test("while a cluster is chosen, commands of this machine refuse", async () => {
  assert.equal((await weir("context", "show")).stdout, "local\n");
  assert.equal((await weir("context", "use", "weir-test")).code, 0);
  assert.equal(statSync(path.join(weir.home, "context.json")).mode & 0o777, 0o600);
  assert.match((await weir("context", "list")).stdout, /^\* +weir-test/m);
  for (const words of [
    ["system", "stop", "--purge"],
    ["system", "status"],
  ]) {
    const { code, stderr } = await weir(...words);
    assert.match(stderr, /error\[context-not-supported\]/, words.join(" "));
    assert.equal(code, 2);
  }
  assert.match((await weir("install")).stdout, /on weir-test \(.*no changes/);
  assert.equal((await weir("context", "use", "local")).code, 0);
  assert.match((await weir("ps")).stderr, /error\[nothing-running\]/);
});

test("a pod of the mesh has rules", { timeout: 180_000 }, async () => {
  await create(cluster, [pod("web", "node-1", { image: "echo", labels: { "weir.dev/mesh": "on" } })], "web");
  for (let tries = 0; tries < 50 && !/^pod: /m.test(await leftOnNode("node-1")); tries += 1) await sleep(500);
  assert.match(await leftOnNode("node-1"), /^pod: table inet weir$/m);
});

test("uninstall takes nothing along that users declared, unless they say so", async () => {
  const version = {
    apiVersion: "weir.dev/v1alpha1",
    kind: "Version",
    metadata: { name: "cart-v1", namespace: "default" },
    spec: { app: "cart", version: "v1", image: "x", scale: 0 },
  };
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify(version));
  const { code, stderr } = await weir("uninstall", "--yes");
  assert.equal(code, 4);
  assert.match(stderr, /error\[uninstall-in-use\]: 1 version would be deleted/);
  await cluster.kubectl(["delete", "version", "cart-v1"]);
});

test("uninstall asks first, then leaves nothing on the cluster or its nodes", { timeout: 180_000 }, async () => {
  assert.match((await weir("uninstall")).stderr, /error\[uninstall-unconfirmed\]/);
  for (const { name } of cluster.nodes) assert.match(await leftOnNode(name), /weir/, `${name} has rules before`);
  const { code, stderr } = await weir("uninstall", "--yes", "--wait", "--timeout", "90s");
  assert.equal(code, 0, stderr);
  assert.deepEqual(await ownObjects(), []);
  assert.equal((await tryKubectl(cluster.kubeconfig, ["get", "namespace", "weir-system"])).code, 1);
  for (const { name } of cluster.nodes) assert.equal(await leftOnNode(name), "", name);
  const { stdout } = await cluster.inNamespace(["curl", "-sS", "-m", "5", `http://${await addressOf(cluster, "web")}:8080/`], "node-2");
  assert.match(stdout, /"hostname":"web"/, "the pod goes on");
  assert.match((await weir("uninstall", "--yes")).stderr, /Weir is not on /);
});
