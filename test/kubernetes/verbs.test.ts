/**
 * Weir's commands on a real cluster: the tutorial as it stands, all verbs by a user who may edit one namespace and nothing else, and what they say when
 * something cannot be.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { ServiceView, UpEvent } from "../../src/api/contract.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { run, tryRun } from "../cluster/run.ts";
import { runTutorial } from "../support/tutorial.ts";
import { startTestCluster } from "./support/cluster.ts";
import { eventually, type Mesh, startMesh } from "./support/mesh.ts";
import { userOf } from "./support/user.ts";
import { stackFolder, succeed, type Weir, weirFor } from "./support/weir.ts";

const root = path.resolve(import.meta.dirname, "../..");
const work = mkdtempSync(path.join(tmpdir(), "weir-verbs-"));

let cluster: Cluster;
let mesh: Mesh;
/** With all rights, and as somebody with the role edit in the namespace team. */
let admin: Weir;
let alice: Weir;

before(
  async () => {
    cluster = await startTestCluster();
    admin = weirFor(cluster.kubeconfig);
    await succeed(admin, "context", "use", "weir-test");
    const { code, stderr } = await admin("ps");
    assert.equal(code, 6);
    assert.match(stderr, /error\[weir-not-installed\].*\n.*weir install/);
    mesh = await startMesh(cluster);
    await run([process.execPath, "scripts/image/examples.ts"], { cwd: root, timeoutMs: 300_000 });
    await cluster.importImage(path.join(root, ".cache/image/examples.tar"));
    alice = await userOf(cluster, { name: "alice", namespace: "team", role: "edit" });
    await succeed(alice, "context", "use", "weir-test");
  },
  { timeout: 1_800_000 },
);

after(async () => {
  mesh?.stop();
  for (const home of [admin?.home, alice?.home, work]) if (home !== undefined) rmSync(home, { recursive: true, force: true });
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

async function json<T>(weir: Weir, ...words: readonly string[]): Promise<T> {
  return JSON.parse(await succeed(weir, ...words, "-o", "json")) as T;
}

/** A folder with this weir.yaml. */
const stackOf = (name: string, text: string): string => stackFolder(work, name, text);

test("every command of the tutorial works, as on one machine", { timeout: 1_800_000 }, async () => {
  const env = { KUBECONFIG: cluster.kubeconfig, WEIR_HOME: admin.home, NO_COLOR: "1" };
  await runTutorial("a cluster", async (command) => {
    const { code, stdout, stderr } = await tryRun(["sh", "-c", command], { cwd: root, env, timeoutMs: 400_000 });
    return { code: code ?? -1, stdout, stderr };
  });
});

const hello = ["-p", "80:9000/http", "-e", "PORT=9000", "--image", "weir.dev/hello:1"];
const twoVersions = `
stack: pair
services:
  hello@v1: {image: weir.dev/hello:1, ports: 80:9000/http, env: {PORT: "9000", WORD: {config: texts, key: word}}, drain: 3s, weight: 100}
  hello@v2: {image: weir.dev/hello:1, ports: 80:9000/http, env: {PORT: "9000"}, drain: 3s}
routers:
  front: {rules: [{to: hello}]}
configs:
  texts: {word: one}
secrets:
  key: {token: {file: token.txt}}
`;

test("who may edit one namespace uses every verb there, and no other namespace", { timeout: 1_800_000 }, async () => {
  const dir = stackOf("pair", twoVersions);
  writeFileSync(path.join(dir, "token.txt"), "a secret text");
  const done = await json<Extract<UpEvent, { kind: "done" }>>(alice, "up", dir, "--timeout", "5m");
  assert.deepEqual(
    done.services.map(({ namespace, app, version, state }) => [namespace, app, version, state]),
    [
      ["team", "hello", "v1", "ready"],
      ["team", "hello", "v2", "ready"],
    ],
  );
  assert.match(await succeed(alice, "up", dir), /^stack pair: no changes\n2 services are ready/);
  await succeed(alice, "weight", "hello@v2=25", "--wait");
  const views = await json<readonly ServiceView[]>(alice, "ps");
  assert.deepEqual(
    views.map(({ version, weight, ready, wanted }) => [version, weight, ready, wanted]),
    [
      ["v1", 7_500, 1, 1],
      ["v2", 2_500, 1, 1],
    ],
  );
  await succeed(alice, "promote", "hello@v2", "--wait");
  await succeed(alice, "rollback", "hello", "--wait");
  assert.match(await succeed(alice, "history", "hello"), /rollback to \d+ +v1 75%, v2 25%/);
  await succeed(alice, "stage", "hello", "v3", "-e", "X=1");
  await succeed(alice, "scale", "hello@v3=2", "--wait");
  await succeed(alice, "restart", "hello@v3", "--wait");
  assert.match(await succeed(alice, "inspect", "hello@v3"), /acknowledged: true/);
  for (const list of ["router", "external", "config", "secret", "stack"]) await succeed(alice, list, "ls");
  assert.equal(await succeed(alice, "secret", "ls", "-o", "name"), "key\n");
  assert.match(await succeed(alice, "logs", "hello@v1", "--tail", "5"), /\S/);
  const exec = await alice("exec", "hello@v1", "--", "sh", "-c", "cat /proc/sys/kernel/ostype; echo oops >&2; exit 7");
  assert.deepEqual(exec, { code: 7, stdout: "Linux\n", stderr: "oops\n" });
  await succeed(alice, "rm", "hello@v3");
  const elsewhere = await alice("ps", "-n", "default");
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.stderr, /error\[cluster-forbidden\]/);
  const missing = await alice("run", "-n", "hello", "--namespace", "nowhere", ...hello);
  assert.notEqual(missing.code, 0);
  assert.match(missing.stderr, /error\[(cluster-forbidden|namespace-missing)\]/);
  const down = await succeed(alice, "down");
  for (const name of ["hello@v1", "hello@v2", "router/front", "config/texts", "secret/key"]) assert.match(down, new RegExp(`^removed ${name}$`, "m"));
  assert.equal(await cluster.kubectl(["-n", "team", "get", "pods,deployments,versions.weir.dev,apps.weir.dev,secrets,services", "-o", "name"]), "");
});

test("a changed config makes new pods, and up waits for them", { timeout: 1_200_000 }, async () => {
  const dir = stackOf("pair", twoVersions);
  await succeed(alice, "up", dir, "--timeout", "5m");
  // Those of before may still finish what they have.
  const pods = async (): Promise<readonly string[]> => {
    const view = (await json<readonly ServiceView[]>(alice, "ps")).find(({ version }) => version === "v1");
    return (view?.workloads ?? []).filter(({ phase }) => phase === "ready").map(({ id }) => id);
  };
  const before = await pods();
  stackOf("pair", twoVersions.replace("word: one", "word: two"));
  await succeed(alice, "up", dir, "--timeout", "5m");
  const now = await pods();
  assert.equal(now.length, 1);
  assert.notDeepEqual(now, before);
  assert.equal(await succeed(alice, "exec", "hello@v1", "--", "sh", "-c", "echo $WORD"), "two\n");
  await succeed(alice, "down", "--stack", "pair");
});

test("what cannot come up is explained and taken back", { timeout: 1_800_000 }, async () => {
  const failed = async (text: string): Promise<Extract<UpEvent, { kind: "failed" }>> => {
    const { code, stdout, stderr } = await alice("up", stackOf("bad", `stack: bad\nservices: {bad: {${text}, ports: 80}}`), "--timeout", "5m", "-o", "json");
    assert.equal(code, 1, stderr);
    const event = JSON.parse(stdout) as UpEvent;
    assert.ok(event.kind === "failed" && event.restored, stdout);
    assert.deepEqual(await json<readonly ServiceView[]>(alice, "ps"), []);
    return event;
  };
  const [pull] = (await failed("image: weir.dev/nowhere:1")).failures;
  assert.match(pull?.reason ?? "", /ImagePull/);
  assert.match(pull?.notes?.join("\n") ?? "", /Failed to pull image "weir\.dev\/nowhere:1"/);
  const [crash] = (await failed("image: weir.dev/hello:1, command: [sh, -c, 'echo no database >&2; exit 3']")).failures;
  assert.match(crash?.reason ?? "", /exited with code 3, 3 times/);
  assert.deepEqual(crash?.lastLog, ["no database"]);
  await cluster.kubectl(["-n", "team", "create", "quota", "none", "--hard=pods=0"]);
  const [quota] = (await failed("image: weir.dev/hello:1")).failures;
  assert.match(quota?.reason ?? "", /exceeded quota: none/);
  await cluster.kubectl(["-n", "team", "delete", "quota", "none"]);
  await cluster.kubectl(["-n", "team", "create", "deployment", "bad-v1", "--image=weir.dev/hello:1", "--replicas=0"]);
  const [foreign] = (await failed("image: weir.dev/hello:1")).failures;
  assert.match(foreign?.reason ?? "", /there is a Deployment bad-v1 already, which Weir has not made/);
  await cluster.kubectl(["-n", "team", "delete", "deployment", "bad-v1"]);
});

test("a namespace that is missing is made by whoever may", { timeout: 900_000 }, async () => {
  await succeed(admin, "run", "-n", "hello", "--namespace", "fresh", ...hello);
  assert.match(await succeed(admin, "ps", "-n", "fresh"), /fresh:hello@v1 +ready/);
  await succeed(admin, "down", "-n", "fresh");
});

test("a port of this machine leads into a pod; what is said there is followed over a restart", { timeout: 1_200_000 }, async () => {
  await succeed(alice, "run", "-n", "hello", ...hello);
  const cli = [path.join(root, "dist/cli.js")];
  const env = { ...process.env, WEIR_HOME: alice.home, KUBECONFIG: path.join(cluster.dir, "alice.json") };
  const forward = spawn(process.execPath, [...cli, "port-forward", "hello", "0:80"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const follow = spawn(process.execPath, [...cli, "logs", "hello", "-f"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const seen = new Set<string>();
  follow.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n")) if (line !== "") seen.add(line.split(" ")[0] ?? "");
  });
  try {
    let port = "";
    for await (const line of forward.stdout.setEncoding("utf8")) {
      port = /127\.0\.0\.1:(\d+) leads to hello/.exec(String(line))?.[1] ?? "";
      if (port !== "") break;
    }
    for (let call = 0; call < 3; call += 1) {
      const answer = await fetch(`http://127.0.0.1:${port}/`);
      assert.equal(answer.status, 200);
      assert.match(await answer.text(), /\S/);
    }
    await succeed(alice, "restart", "hello", "--wait");
    await eventually(async () => assert.ok(seen.size >= 2, `lines of ${[...seen].join()}`));
    const again = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(again.status, 200, "each connection finds a pod of its time");
  } finally {
    for (const child of [forward, follow]) child.kill("SIGINT");
  }
  await succeed(alice, "down");
});
