/** Jobs on one machine: they call what is in the mesh, run once for what they are, fail loudly, and by the clock. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { JobView, SystemView } from "../../src/api/contract.ts";
import { eventually } from "./support/http.ts";
import { apps, root, useWeir, type Weir } from "./support/weir.ts";

const node = process.execPath;
const web = `  web: {command: [${node}, ${apps}/echo.mjs], ports: "80:8080", env: {VERSION: v1}}`;

async function up(weir: Weir, text: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const file = path.join(weir.home, "weir.yaml");
  await writeFile(file, text);
  return weir.run("up", "-f", file, "--stack", "shop", ...args);
}

async function jobOf(weir: Weir, name: string): Promise<JobView> {
  const all = await weir.json<readonly JobView[]>("ps");
  const found = all.find((one) => one.kind === "job" && one.name === name);
  assert.ok(found, `ps has no job ${name}`);
  return found;
}

async function lines(file: string): Promise<readonly string[]> {
  return (await readFile(file, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
}

test("a job calls what is in the mesh, runs again when it changes, and fails `up` with what it said", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  const stack = (more: string) => `services:\n${web}\njobs:\n  migrate: {command: [${node}, ${apps}/job.mjs], retries: 0, ${more}}\n`;
  // Its first connection is its only one, and nothing is tried again.
  const first = await up(weir, stack("env: {CALL: http://web}"));
  if (first.code !== 0) {
    // The service may not have been there yet: both are started at the same time.
    assert.match(first.stderr, /job\/migrate/);
    assert.equal((await up(weir, `services:\n${web}\n`)).code, 0);
  }
  const done = await up(weir, stack('env: {CALL: http://web, GREETING: "1"}'));
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /1 service is ready, 1 job has succeeded after/);
  assert.match(await weir.ok("logs", "migrate"), /http:\/\/web answered 200: .*"version":"v1"/);
  const before = await jobOf(weir, "migrate");
  assert.equal(before.state, "succeeded");

  // The same again runs nothing; something else does.
  assert.equal((await up(weir, stack('env: {CALL: http://web, GREETING: "1"}'))).code, 0);
  assert.deepEqual((await jobOf(weir, "migrate")).runs, before.runs);
  assert.equal((await up(weir, stack('env: {CALL: http://web, GREETING: "2"}'))).code, 0);
  const after = await jobOf(weir, "migrate");
  assert.equal(after.runs.length, before.runs.length + 1);

  const failed = await up(weir, stack('env: {EXIT: "3"}'));
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /failed job\/migrate: exited with code 3\n {2}its last lines:\n(.*\n)* {4}ends with 3\n/);
  assert.match(failed.stderr, /what is declared again/);
  const restored = await jobOf(weir, "migrate");
  assert.deepEqual([restored.state, restored.runs[0]?.name], ["succeeded", after.runs[0]?.name], "what was declared before did its work already");
  const again = await up(weir, stack('env: {EXIT: "3"}'));
  assert.equal(again.code, 1, "what failed is tried again when it is declared again");

  await weir.ok("restart", "migrate", "--wait");
  assert.notEqual((await jobOf(weir, "migrate")).runs[0]?.name, after.runs[0]?.name);
  assert.match(await weir.ok("ps"), /\nJOB +STATE +SCHEDULE +LAST RUN.*\nmigrate +succeeded +once +succeeded \d+s ago/);
  assert.match(await weir.ok("inspect", "job/migrate"), /kind: job\n/);
  const wrong = await weir.run("restart", "migrat");
  assert.match(wrong.stderr, /did you mean "migrate"\?/);
  assert.match(await weir.ok("rm", "migrate"), /removed job\/migrate/);
  assert.doesNotMatch(await weir.ok("ps"), /migrate/);
});

test("kill -9 of the daemon: a run goes on, ends once, and is not begun again; a run that takes too long is ended", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  // The state folder is hidden from workloads.
  const folder = await mkdtemp("/tmp/weir-count-");
  t.after(() => rm(folder, { recursive: true, force: true }));
  const count = path.join(folder, "count");
  const text = `jobs:\n  slow: {command: [${node}, ${apps}/job.mjs], env: {SLEEP_MS: "4000", COUNT_FILE: ${count}}}\n`;
  assert.equal((await up(weir, text, "--no-wait")).code, 0);
  await eventually(async () => assert.deepEqual(await lines(count), ["begun"]), 30_000);
  const { pid, agent } = await weir.json<SystemView>("system", "status");
  process.kill(pid, "SIGKILL");
  await eventually(async () => assert.deepEqual(await lines(count), ["begun", "ended"]), 30_000);
  // Nobody but the node's own file knows how it ended; the next node must not begin it again.
  await eventually(async () => assert.ok((await readdir(path.join(weir.home, "agent/runs"))).some((name) => name.startsWith("slow-"))), 30_000);
  assert.ok(agent.innerPid);
  process.kill(agent.innerPid, "SIGKILL");
  await eventually(async () => assert.equal((await jobOf(weir, "slow")).state, "succeeded"), 30_000);
  assert.deepEqual(await lines(count), ["begun", "ended"], "once");

  const late = await up(weir, `jobs:\n  slow: {command: [${node}, ${apps}/job.mjs], timeout: 1s, env: {SLEEP_MS: "60000"}}\n`);
  assert.equal(late.code, 1);
  assert.match(late.stderr, /failed job\/slow: took longer than 1s/);
});

test("exec and attach reach a run that goes on: in its namespaces, in the mesh; attach ends with it", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  const folder = await mkdtemp("/tmp/weir-wait-");
  t.after(() => rm(folder, { recursive: true, force: true }));
  const go = path.join(folder, "go");
  const job = `  work: {command: [${node}, ${apps}/job.mjs], env: {WAIT_FILE: ${go}}}\n  idle: {command: [${node}, ${apps}/job.mjs], schedule: "@yearly"}`;
  assert.equal((await up(weir, `services:\n${web}\njobs:\n${job}\n`, "--no-wait")).code, 0);
  await eventually(async () => assert.match(await weir.ok("logs", "work"), /waits/), 30_000);
  const run = (await jobOf(weir, "work")).runs[0]?.name ?? "";
  assert.match(await weir.ok("exec", "work", "--", "sh", "-c", 'echo "$WEIR_JOB $WEIR_RUN"'), new RegExp(`^work ${run}\n$`));
  const call = `fetch("http://web").then((answer) => console.log(answer.status))`;
  await eventually(async () => assert.equal(await weir.ok("exec", "job/work", "--workload", run, "--", node, "-e", call), "200\n"), 30_000);
  const attached = spawn(path.join(root, "weir"), ["attach", "work"], { env: { ...process.env, WEIR_HOME: weir.home, NO_COLOR: "1" } });
  t.after(() => attached.kill("SIGKILL"));
  const ended = once(attached, "close");
  const heard = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) attached[stream].setEncoding("utf8").on("data", (piece: string) => (heard[stream] += piece));
  await eventually(async () => assert.match(heard.stdout, /^waits$/m), 30_000);
  assert.doesNotMatch(heard.stdout, /begins/, "only what it says from now on");
  await weir.ok("exec", "work", "--", "touch", go);
  assert.deepEqual(await ended, [0, null]);
  assert.match(heard.stdout, /^ends with 0$/m);
  assert.match(heard.stderr, /is gone/);
  const late = await weir.run("exec", "work", "--", "true");
  assert.match(late.stderr, /error\[not-running\][^]*its newest run succeeded: weir logs work shows what it said, weir restart work runs it again/);
  assert.match((await weir.run("attach", "idle")).stderr, /it has not run yet: weir restart idle runs it now/);
});

test("by the clock, and once more when asked", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  const done = await up(weir, `jobs:\n  tick: {command: [${node}, ${apps}/job.mjs], schedule: "* * * * *"}\n`);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /1 job is scheduled after/);
  await weir.ok("restart", "tick", "--wait");
  const asked = await jobOf(weir, "tick");
  assert.deepEqual([asked.state, asked.runs[0]?.state, asked.runs[0]?.cause], ["scheduled", "succeeded", "restart 1"]);
  await eventually(async () => {
    const { runs } = await jobOf(weir, "tick");
    const run = runs.find(({ cause }) => cause.startsWith("at "));
    assert.deepEqual([run?.state, run?.cause.endsWith(":00.000Z")], ["succeeded", true]);
  }, 90_000);
  assert.match(await weir.ok("logs", "tick"), /tick begins, run tick-/);
  assert.match(await weir.ok("down"), /removed job\/tick/);
  assert.deepEqual(await weir.json("ps"), []);
});
