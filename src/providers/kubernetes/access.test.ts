/** Ways to a cluster: kubeconfigs of all kinds, and a pod's own ServiceAccount. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { type ClusterAccess, fromRequestOptions } from "./access.ts";
import { inClusterAccess, isInCluster } from "./in-cluster.ts";
import { clusterAccess } from "./kubeconfig.ts";

function folder(t: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-kube-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** Context, cluster and user of one name. JSON is YAML. */
function kubeconfig(dir: string, name: string, user: object, cluster: object = {}): string {
  const file = path.join(dir, `${name}.yaml`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user: name, namespace: `ns-${name}` } }],
    clusters: [{ name, cluster: { server: `https://${name}.example:6443`, ...cluster } }],
    users: [{ name, user }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function must(options: Parameters<typeof clusterAccess>[0], t: TestContext): Promise<ClusterAccess> {
  const access = await clusterAccess(options);
  assert.ok(access.ok, JSON.stringify(access));
  t.after(() => access.value.close());
  return access.value;
}

async function problems(options: Parameters<typeof clusterAccess>[0]): Promise<readonly string[]> {
  const access = await clusterAccess(options);
  return access.ok ? [] : access.problems.map(({ code, message, hint }) => `${code}: ${message}${hint === undefined ? "" : `; ${hint}`}`);
}

test("a kubeconfig: the named file, else those of $KUBECONFIG, else ~/.kube/config", async (t) => {
  const dir = folder(t);
  const [a, b] = [kubeconfig(dir, "a", { token: "ta" }), kubeconfig(dir, "b", { username: "u", password: "p" })];
  mkdirSync(path.join(dir, ".kube"));
  renameSync(kubeconfig(dir, "home", {}), path.join(dir, ".kube/config"));
  const env = { KUBECONFIG: `${path.join(dir, "absent")}:${b}:${a}`, HOME: dir };
  const named = await must({ file: a, env }, t);
  assert.deepEqual([named.server.href, named.namespace], ["https://a.example:6443/", "ns-a"]);
  assert.deepEqual((await named.credentials(false)).headers, { authorization: "Bearer ta" });
  const first = await must({ env }, t);
  assert.equal(first.server.hostname, "b.example");
  assert.deepEqual((await first.credentials(false)).headers, { authorization: `Basic ${Buffer.from("u:p").toString("base64")}` });
  assert.equal((await must({ context: "a", env }, t)).server.hostname, "a.example");
  assert.equal((await must({ env: { HOME: dir } }, t)).server.hostname, "home.example");
});

test("of two entries with one name the first file's counts", async (t) => {
  const dir = folder(t);
  const other = path.join(dir, "other");
  mkdirSync(other);
  const [one, two] = [kubeconfig(dir, "a", { token: "1" }), kubeconfig(other, "a", { token: "2" })];
  const access = await must({ env: { KUBECONFIG: `${one}:${two}` } }, t);
  assert.deepEqual((await access.credentials(false)).headers, { authorization: "Bearer 1" });
});

test("what is wrong with a kubeconfig is told", async (t) => {
  const dir = folder(t);
  const a = kubeconfig(dir, "a", {});
  assert.deepEqual(await problems({ file: path.join(dir, "none"), env: {} }), [
    `kubeconfig-missing: there is no kubeconfig: looked for ${path.join(dir, "none")}; name one with \`--kubeconfig\`, or set \`KUBECONFIG\``,
  ]);
  assert.deepEqual(await problems({ file: a, context: "b", env: {} }), ['kube-context-unknown: the kubeconfig has no context "b" with a cluster; it has a']);
  for (const text of ["{", "", "just words", "clusters: 5"]) {
    writeFileSync(path.join(dir, "broken"), text);
    assert.match((await problems({ file: path.join(dir, "broken"), env: {} })).join(), /^kube(config-invalid|-context-unknown): /, text);
  }
  assert.match((await problems({ file: kubeconfig(dir, "x", {}, { server: "nowhere" }), env: {} })).join(), /kubeconfig-invalid: "nowhere"/);
});

test("an API server without TLS is taken as it is", async (t) => {
  const access = await must({ file: kubeconfig(folder(t), "a", {}, { server: "http://localhost:8001" }), env: {} }, t);
  assert.deepEqual((await access.credentials(false)).headers, {});
});

test("a plugin is asked once, and again when its credentials are refused", async (t) => {
  const dir = folder(t);
  const answer = `const fs = require("node:fs"); fs.appendFileSync(process.env.COUNT, "x");
    console.log(JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token: "t" + fs.readFileSync(process.env.COUNT).length } }))`;
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    interactiveMode: "Never",
    command: process.execPath,
    args: ["-e", answer],
    env: [{ name: "COUNT", value: path.join(dir, "count") }],
  };
  const access = await must({ file: kubeconfig(dir, "a", { exec }), env: {} }, t);
  const token = async (refused: boolean) => (await access.credentials(refused)).headers["authorization"];
  assert.deepEqual([await token(false), await token(false), await token(true), await token(false)], ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]);
});

test("client certificates and roots are kept with their connections: others make new ones", async (t) => {
  const dir = folder(t);
  const user = { "client-certificate-data": Buffer.from("cert").toString("base64"), "client-key-data": Buffer.from("key").toString("base64") };
  const access = await must({ file: kubeconfig(dir, "a", user, { "certificate-authority-data": Buffer.from("ca").toString("base64") }), env: {} }, t);
  const { agent } = await access.credentials(false);
  assert.equal((await access.credentials(false)).agent, agent);
  assert.match(JSON.stringify("options" in agent ? agent.options : {}), /"cert":/);
  kubeconfig(dir, "a", { ...user, "client-key-data": Buffer.from("other").toString("base64") });
  assert.notEqual((await access.credentials(true)).agent, agent);
});

test("what the library wrote into request options", () => {
  const { tls, headers } = fromRequestOptions({ ca: "ca", servername: "api", rejectUnauthorized: false, headers: { Authorization: "Bearer x" }, timeout: 5 });
  assert.deepEqual(tls, { ca: "ca", servername: "api", rejectUnauthorized: false });
  assert.deepEqual(headers, { authorization: "Bearer x" });
});

test("in a pod: the ServiceAccount's files, read again when the kubelet replaced them", async (t) => {
  const dir = folder(t);
  const write = (name: string, text: string) => {
    writeFileSync(path.join(dir, `.${name}`), text);
    renameSync(path.join(dir, `.${name}`), path.join(dir, name));
  };
  const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
  assert.equal(isInCluster(env, dir), false);
  write("token", "one\n");
  write("ca.crt", "roots");
  write("namespace", "weir-system");
  assert.equal(isInCluster(env, dir), true);
  assert.equal(isInCluster({}, dir), false);
  const access = inClusterAccess(env, dir);
  t.after(() => access.close());
  assert.deepEqual([access.server.href, access.namespace], ["https://10.96.0.1/", "weir-system"]);
  const before = await access.credentials(false);
  assert.deepEqual(before.headers, { authorization: "Bearer one" });
  write("token", "two");
  const after = await access.credentials(false);
  assert.deepEqual(after.headers, { authorization: "Bearer two" });
  assert.equal(after.agent, before.agent, "connections stay");
  write("ca.crt", "new roots");
  assert.notEqual((await access.credentials(false)).agent, before.agent);
  assert.equal(inClusterAccess({ ...env, KUBERNETES_SERVICE_HOST: "fd00::1" }, dir).server.host, "[fd00::1]");
});
