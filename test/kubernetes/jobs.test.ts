/**
 * Jobs on a real cluster, by a user who may edit one namespace: in the mesh from their first connection, with an identity of their own, and done when they
 * are done, for there is no sidecar that goes on; failing loudly; by the clock; and nothing is left of them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { JobView, UpEvent } from "../../src/api/contract.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { create, startTestCluster, tryKubectl } from "./support/cluster.ts";
import { eventually, type Mesh, startMesh } from "./support/mesh.ts";
import { userOf } from "./support/user.ts";
import { stackFolder, succeed, type Weir } from "./support/weir.ts";

const root = path.resolve(import.meta.dirname, "../..");
const work = mkdtempSync(path.join(tmpdir(), "weir-jobs-"));

let cluster: Cluster;
let mesh: Mesh;
let alice: Weir;

before(
  async () => {
    cluster = await startTestCluster();
    mesh = await startMesh(cluster);
    alice = await userOf(cluster, { name: "alice", namespace: "team", role: "edit" });
    await ok("context", "use", "weir-test");
  },
  { timeout: 1_800_000 },
);

after(async () => {
  mesh?.stop();
  for (const home of [alice?.home, work]) if (home !== undefined) rmSync(home, { recursive: true, force: true });
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

function ok(...words: readonly string[]): Promise<string> {
  return succeed(alice, ...words);
}

async function jobOf(name: string): Promise<JobView> {
  const all = JSON.parse(await ok("ps", "-o", "json")) as readonly JobView[];
  const found = all.find((one) => one.kind === "job" && one.name === name);
  assert.ok(found, JSON.stringify(all));
  return found;
}

const web = `  web: {image: "weir-test/node:1", command: [node, /apps/echo.mjs], ports: "80:8080", env: {VERSION: v1}, drain: 1s}`;
const program = `image: "weir-test/node:1", command: [node, /apps/job.mjs]`;

/** A folder with this weir.yaml. */
function stackOf(jobs: string): string {
  return stackFolder(work, "shop", `stack: shop\nservices:\n${web}\njobs:\n${jobs}\n`);
}

const kubectl = (...words: readonly string[]): Promise<string> => cluster.kubectl(["-n", "team", ...words]);

test("a job's first connection is in the mesh, as itself; it ends, and runs again when it changes", { timeout: 1_200_000 }, async () => {
  await ok("up", stackOf("  later: {image: weir-test/node:1, schedule: '@yearly'}"), "--timeout", "5m");
  // Nothing is tried again: its first connection is its only one, and strict pods take only callers of the mesh.
  const dir = stackOf(`  migrate: {${program}, retries: 0, env: {CALL: "http://web"}}`);
  assert.match(await ok("up", dir, "--timeout", "5m"), /1 service is ready, 1 job has succeeded after/);
  assert.match(await ok("logs", "migrate"), /http:\/\/web answered 200: .*"version":"v1"/);
  const first = await jobOf("migrate");
  assert.deepEqual([first.state, first.runs.length], ["succeeded", 1]);
  assert.equal(await kubectl("get", "pods", "-l", "weir.dev/job=migrate", "-o", "jsonpath={.items[*].spec.serviceAccountName}"), "migrate");
  assert.match(await kubectl("get", "jobs.weir.dev", "migrate"), /NAME +STATE +SCHEDULE +LAST RUN +ENDED +NEXT RUN +AGE +REASON\nmigrate +succeeded/);

  assert.match(await ok("up", dir), /no changes/);
  assert.deepEqual((await jobOf("migrate")).runs, first.runs);
  stackOf(`  migrate: {${program}, retries: 0, env: {CALL: "http://web", GREETING: "2"}}`);
  await ok("up", dir, "--timeout", "5m");
  assert.equal((await jobOf("migrate")).runs.length, 2);
  for (const _ of [1, 2, 3, 4, 5]) {
    await ok("restart", "migrate", "--wait");
    assert.equal((await jobOf("migrate")).runs[0]?.state, "succeeded");
  }
  assert.equal((await jobOf("migrate")).runs.length, 4, "the newest, and as many as are kept");
  assert.equal(await kubectl("get", "jobs.batch", "-l", "weir.dev/job=migrate", "-o", "jsonpath={.items[*].status.failed}"), "", "no try has failed");
  assert.match(await ok("ps"), /\nteam:migrate +succeeded +once +succeeded /);
});

test("who is not in the mesh cannot call what the job calls", { timeout: 600_000 }, async () => {
  const stranger = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "stranger" },
    spec: { containers: [{ name: "main", image: "weir-test/tools:1", command: ["sleep", "600"] }] },
  };
  await create(cluster, [stranger], "stranger");
  const address = await kubectl("get", "pods", "-l", "weir.dev/app=web", "-o", "jsonpath={.items[0].status.podIP}");
  const { code } = await tryKubectl(cluster.kubeconfig, ["exec", "stranger", "--", "curl", "-sS", "-m", "5", "-o", "/dev/null", `http://${address}:8080/`]);
  assert.notEqual(code, 0);
});

test("a job that fails fails `up`, with its exit code and its last lines, and what was declared comes back", { timeout: 1_200_000 }, async () => {
  const before = await jobOf("migrate");
  const dir = stackOf(`  migrate: {${program}, retries: 1, env: {EXIT: "3"}}`);
  for (const _ of ["once", "and when it is declared again"]) {
    const { code, stdout, stderr } = await alice("up", dir, "--timeout", "5m", "-o", "json");
    assert.equal(code, 1, stderr);
    const event = JSON.parse(stdout) as UpEvent;
    assert.ok(event.kind === "failed" && event.restored, stdout);
    assert.deepEqual(
      event.failures.map(({ name, reason }) => [name, reason]),
      [["job/migrate", "exited with code 3, 2 times"]],
    );
    assert.match(event.failures[0]?.lastLog.join("\n") ?? "", /ends with 3/);
    await eventually(async () => {
      const now = await jobOf("migrate");
      assert.deepEqual([now.state, now.runs.find(({ cause }) => cause === before.runs[0]?.cause)], ["succeeded", before.runs[0]]);
    });
  }
  const image = await alice("up", stackOf("  migrate: {image: weir.dev/nowhere:1}"), "--timeout", "5m");
  assert.equal(image.code, 1);
  assert.match(image.stderr, /failed team:job\/migrate: .*(ImagePull|nowhere)/);
});

test("exec and attach reach a run that goes on, with the rights of the namespace; attach ends with it", { timeout: 600_000 }, async (t) => {
  const dir = stackOf(`  work: {${program}, retries: 0, env: {WAIT_FILE: /tmp/go}}`);
  await ok("up", dir, "--no-wait");
  await eventually(async () => assert.match(await ok("logs", "work"), /waits/), 120_000);
  const run = (await jobOf("work")).runs[0]?.name ?? "";
  const inside = (script: string, ...more: readonly string[]): Promise<string> => ok("exec", "work", ...more, "--", "/bin/node", "-e", script);
  assert.equal(await inside("console.log(process.env.WEIR_JOB, process.env.WEIR_RUN)", "--workload", run), `work ${run}\n`);
  assert.equal(await inside(`fetch("http://web").then((answer) => console.log(answer.status))`), "200\n");
  const env = { ...process.env, KUBECONFIG: cluster.kubeconfig, WEIR_HOME: alice.home };
  const attached = spawn(process.execPath, [path.join(root, "dist/cli.js"), "attach", "job/work", "-n", "team", "--context", "weir-test"], { env });
  t.after(() => attached.kill("SIGKILL"));
  const ended = once(attached, "close");
  let heard = "";
  attached.stdout.setEncoding("utf8").on("data", (piece: string) => (heard += piece));
  await eventually(async () => assert.match(heard, /^waits$/m));
  assert.doesNotMatch(heard, /begins/, "only what it says from now on");
  await inside(`require("node:fs").writeFileSync("/tmp/go", "")`);
  assert.deepEqual(await ended, [0, null]);
  assert.match(heard, /^ends with 0$/m);
  await eventually(async () => assert.equal((await jobOf("work")).state, "succeeded"), 120_000);
  assert.match((await alice("exec", "work", "--", "true")).stderr, /error\[not-running\][^]*its newest run succeeded/);
});

test("by the clock, once more when asked, and then nothing is left", { timeout: 1_200_000 }, async () => {
  const dir = stackOf(`  tick: {${program}, schedule: "* * * * *", keep: 1, retries: 1, env: {CALL: "http://web"}}`);
  assert.match(await ok("up", dir, "--timeout", "5m"), /1 job is scheduled/);
  assert.match(await ok("ps"), /team:tick +(scheduled|running) +\* \* \* \* \* /);
  await ok("restart", "tick", "--wait");
  assert.ok((await jobOf("tick")).runs.some(({ cause, state }) => cause === "restart 1" && state === "succeeded"));
  await eventually(async () => {
    const run = (await jobOf("tick")).runs.find(({ cause }) => cause.startsWith("at "));
    assert.equal(run?.state, "succeeded");
  }, 150_000);
  assert.match(await ok("logs", "tick"), /tick begins, run tick-/);
  assert.equal(await kubectl("get", "cronjob", "tick", "-o", "jsonpath={.spec.timeZone} {.spec.concurrencyPolicy}"), "UTC Forbid");
  assert.match(await ok("down"), /removed job\/tick/);
  const kinds = "pods,jobs.batch,cronjobs,deployments,jobs.weir.dev,versions.weir.dev,services,serviceaccounts";
  await eventually(async () => assert.equal(await kubectl("get", kinds, "-o", "name"), "serviceaccount/default\n"));
});
