/** identity, check, cp, attach and the validating webhook on a real cluster, with all rights and with those of one namespace. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { IdentitiesView } from "../../src/api/contract.ts";
import type { Check } from "../../src/cli/commands/check.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { tryRun } from "../cluster/run.ts";
import { publishedRoots, startTestCluster, tryKubectl } from "./support/cluster.ts";
import { eventually, type Mesh, startMesh } from "./support/mesh.ts";
import { userOf } from "./support/user.ts";
import { succeed, type Weir, weirFor } from "./support/weir.ts";

const root = path.resolve(import.meta.dirname, "../..");
const work = mkdtempSync(path.join(tmpdir(), "weir-tools-"));
const file = (name: string): string => path.join(work, name);

let cluster: Cluster;
let mesh: Mesh;
/** With all rights; with the roles edit and view in the namespaces team and guests. */
let admin: Weir;
let alice: Weir;
let bob: Weir;

before(
  async () => {
    cluster = await startTestCluster();
    admin = weirFor(cluster.kubeconfig);
    await succeed(admin, "context", "use", "weir-test");
    const { code, stdout } = await admin("check");
    assert.deepEqual([code, /FAIL weir: it is not on this cluster\n +fix: weir install --wait/.test(stdout)], [1, true], stdout);
    mesh = await startMesh(cluster);
    alice = await userOf(cluster, { name: "alice", namespace: "team", role: "edit" });
    bob = await userOf(cluster, { name: "bob", namespace: "guests", role: "view" });
    for (const user of [alice, bob]) await succeed(user, "context", "use", "weir-test");
    const loop = "n=0; while :; do n=$((n + 1)); echo tick $n; echo tock $n >&2; sleep 0.3; done";
    await succeed(alice, "run", "-n", "box@v1", "--image", "weir-test/tools:1", "--", "sh", "-c", loop);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  mesh?.stop();
  for (const home of [admin?.home, alice?.home, bob?.home, work]) if (home !== undefined) rmSync(home, { recursive: true, force: true });
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

async function json<T>(weir: Weir, ...words: readonly string[]): Promise<T> {
  const { stdout, stderr } = await weir(...words, "-o", "json");
  assert.match(stdout, /^[[{]/, stderr);
  return JSON.parse(stdout) as T;
}

test("identity: who a workload is and what proves it, by the rights of one namespace", { timeout: 300_000 }, async () => {
  const [one] = await eventually(async () => {
    const { workloads } = await json<IdentitiesView>(alice, "identity", "box@v1");
    assert.deepEqual([workloads[0]?.state, workloads[0]?.proof.kind], ["joined", "certificate"]);
    return workloads;
  });
  assert.equal(one?.identity, "spiffe://weir.local/ns/team/sa/box");
  assert.ok(one.proof.kind === "certificate");
  const { serial, notBefore, renewAt, notAfter, chain } = one.proof;
  assert.match(serial, /^[0-9a-f]{32}$/);
  assert.ok(notBefore < Date.now() && Date.now() < renewAt && renewAt < notAfter);
  assert.deepEqual(
    chain.map(({ subject }) => /root|intermediate/.exec(subject)?.[0]),
    ["intermediate", "root"],
  );
  const roots = await publishedRoots(cluster);
  writeFileSync(file("root.pem"), roots);
  const { stdout } = await tryRun(["openssl", "x509", "-in", file("root.pem"), "-noout", "-fingerprint", "-sha256"]);
  assert.equal(chain[1]?.fingerprint, stdout.trim().split("=")[1]?.replaceAll(":", "").toLowerCase(), "the root is the one that all trust");
  assert.match(await succeed(alice, "identity", one.workload), /identity: +spiffe:\/\/weir\.local\/ns\/team\/sa\/box\n/);
  assert.deepEqual((await json<IdentitiesView>(bob, "identity")).workloads, [], "who may see another namespace sees nothing of it");
  assert.equal((await bob("identity", "team:box")).code, 1);
  const all = JSON.stringify(await json<IdentitiesView>(admin, "identity", "-A")) + (await cluster.kubectl(["get", "meshreports", "-A", "-o", "json"]));
  assert.doesNotMatch(all, /PRIVATE|BEGIN/);
  const forged = await tryKubectl(cluster.kubeconfig, ["auth", "can-i", "--as", "alice", "patch", "meshreports.weir.dev", "-n", "team"]);
  assert.equal(forged.stdout.trim(), "no", "what the control plane says nobody else may say");
});

test("check: one line each for whoever may see all, and no failure for whoever may not", { timeout: 300_000 }, async () => {
  await eventually(async () => {
    const checks = await json<readonly Check[]>(admin, "check");
    assert.deepEqual(
      checks.filter((one) => !one.ok),
      [],
    );
    const names = checks.map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => name.startsWith("node ")),
      cluster.nodes.map(({ name }) => `node ${name}`),
    );
  });
  for (const user of [alice, bob]) {
    const checks = await json<readonly Check[]>(user, "check");
    assert.ok(checks.every((one) => one.ok));
    assert.ok(checks.some(({ name, unseen }) => name === "control plane" && unseen === true));
  }
  const rights = (await json<readonly Check[]>(bob, "check")).find(({ name }) => name === "your rights");
  assert.match(rights?.detail ?? "", /you may not: .*exec, cp.*; you may: ps, identity, logs/);
  await cluster.kubectl(["label", "namespace", "team", "weir.dev/mtls=permissive", "weir.dev/mesh=yes"]);
  await eventually(async () => {
    const { code, stdout } = await admin("check");
    assert.equal(code, 1);
    assert.match(stdout, /ok {3}plain text: permissive.*: team\n/);
    assert.match(stdout, /FAIL objects: namespace team: weir\.dev\/mesh is "yes"/);
  });
  await cluster.kubectl(["label", "namespace", "team", "weir.dev/mtls-", "weir.dev/mesh-"]);
});

test("cp: files, folders and archives, in and out, and what goes wrong", { timeout: 300_000 }, async () => {
  mkdirSync(file("tree/deep"), { recursive: true });
  writeFileSync(file("tree/deep/big"), Buffer.alloc(5_000_000, "x"));
  writeFileSync(file("one"), "one", { mode: 0o750 });
  await succeed(alice, "cp", file("one"), "box:/tmp/");
  await succeed(alice, "cp", file("tree"), "box@v1:/tmp");
  assert.equal(await succeed(alice, "exec", "box", "--", "cat", "/tmp/one"), "one");
  await succeed(alice, "cp", "team:box:/tmp/tree", file("back"));
  assert.equal(statSync(file("back/deep/big")).size, 5_000_000);
  await succeed(alice, "cp", "box:/tmp/one", file("two"));
  assert.deepEqual([readFileSync(file("two"), "utf8"), statSync(file("two")).mode & 0o777], ["one", 0o750]);
  const missing = await alice("cp", "box:/nowhere", file("x"));
  assert.deepEqual([missing.code, /error\[path-missing\]/.test(missing.stderr)], [3, true], missing.stderr);
});

test("attach: what one pod says from now on, each on its own stream; without stdin -i is refused", { timeout: 120_000 }, async () => {
  const env = { KUBECONFIG: cluster.kubeconfig, WEIR_HOME: alice.home };
  const words = [process.execPath, path.join(root, "dist/cli.js"), "attach", "box", "-n", "team", "--context", "weir-test"];
  const { stdout, stderr } = await tryRun(["timeout", "-s", "INT", "15", ...words], { env, timeoutMs: 60_000 });
  assert.match(stdout, /^(tick \d+\n)+$/);
  assert.match(stderr, /^(tock \d+\n)+/);
  assert.match((await alice("attach", "box", "-i")).stderr, /error\[attach-without-input\]/);
});

const router = (hosts: readonly string[], to: string): string =>
  JSON.stringify({
    apiVersion: "weir.dev/v1alpha1",
    kind: "Router",
    metadata: { name: "www", namespace: "team" },
    spec: { hosts, rules: [{ action: { destinations: [{ to: { name: to } }] } }] },
  });

test("the webhook refuses what is wrong in itself, warns of the rest, and is never in the way", { timeout: 300_000 }, async () => {
  const apply = (object: string) => tryKubectl(cluster.kubeconfig, ["apply", "-f", "-"], object);
  const refused = await apply(router(["not a host"], "box"));
  assert.notEqual(refused.code, 0);
  assert.match(
    refused.stderr,
    /admission webhook "validate\.weir\.dev" denied the request: spec\.hosts\[0\]: "not a host" is not a host name .*\[host-invalid\]/,
  );
  const warned = await apply(router(["a.example"], "bix"));
  assert.equal(warned.code, 0, warned.stderr);
  assert.match(warned.stderr, /Warning: there is no app "bix" in namespace team \(did you mean "box"\?\) \[destination-unknown\]/);
  const control = ["-n", "weir-system", "scale", "deployment/weir-control"];
  await cluster.kubectl([...control, "--replicas=0"]);
  await cluster.kubectl(["-n", "weir-system", "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=weir-control", "--timeout=120s"]);
  try {
    const accepted = await apply(router(["not a host"], "box"));
    assert.equal(accepted.code, 0, accepted.stderr);
    const { stdout } = await admin("check");
    assert.match(stdout, /FAIL validation: the API server does not ask/);
  } finally {
    await cluster.kubectl([...control, "--replicas=2"]);
    await cluster.kubectl(["-n", "weir-system", "rollout", "status", "deployment/weir-control", "--timeout=120s"]);
  }
  await eventually(async () => assert.notEqual((await apply(router(["neither this"], "box"))).code, 0));
  await cluster.kubectl(["-n", "team", "label", "router", "www", "a=b"]);
});

test("uninstall --force takes away what is declared, the kinds, and all that was Weir's", { timeout: 400_000 }, async () => {
  assert.match((await admin("uninstall", "--yes")).stderr, /error\[uninstall-in-use\]: .*1 version/);
  await succeed(admin, "uninstall", "--yes", "--force", "--wait");
  const kinds = "crd,clusterrole,clusterrolebinding,validatingwebhookconfiguration,namespace";
  assert.doesNotMatch(await cluster.kubectl(["get", kinds, "-o", "name"]), /weir/);
  await eventually(async () => {
    const left = await cluster.kubectl(["get", "deployments,services,serviceaccounts,configmaps,secrets,poddisruptionbudgets", "-A", "-o", "name"]);
    assert.doesNotMatch(left, /box|weir/);
  });
});
