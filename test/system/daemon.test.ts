/** The daemon as a process, driven over its socket: killed at any moment it loses nothing, and what runs goes on. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { callUnix } from "../../src/agent/unix-http.ts";
import type { HistoryEntry, ServiceView, SystemView, WeightsView } from "../../src/api/contract.ts";
import { eventually, request } from "./support/http.ts";
import { apps, freePort, processesOf, root } from "./support/weir.ts";

interface TestDaemon {
  readonly home: string;
  readonly port: number;
  child: ChildProcess;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  get<T>(target: string): Promise<T>;
  post<T>(target: string, body: unknown): Promise<T>;
}

function launch(env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", path.join(root, "src/daemon/main.ts")], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

async function useDaemon(t: TestContext): Promise<TestDaemon> {
  const home = mkdtempSync("/tmp/weir-test-");
  const port = await freePort();
  const env = { ...process.env, WEIR_HOME: home, WEIR_LISTEN: `127.0.0.1:${port}` };
  const socket = path.join(home, "run/api.sock");
  const daemon: TestDaemon = {
    home,
    port,
    child: launch(env),
    start: async () => {
      daemon.child = launch(env);
      await eventually(() => daemon.get("/v1/services"), 20_000);
    },
    kill: async (signal) => {
      const ended = once(daemon.child, "exit");
      daemon.child.kill(signal);
      await ended;
    },
    get: (target) => callUnix(socket, "GET", target, { timeoutMs: 60_000 }),
    post: (target, body) => callUnix(socket, "POST", target, { body, timeoutMs: 60_000 }),
  };
  t.after(async () => {
    if (daemon.child.exitCode !== null || daemon.child.signalCode !== null) await daemon.start();
    const ended = once(daemon.child, "exit");
    await daemon.post("/v1/system/stop", { purge: true });
    await ended;
    const left = await processesOf(home);
    for (const line of left) process.kill(Number(line.split(" ")[0]), "SIGKILL");
    rmSync(home, { recursive: true, force: true });
    assert.deepEqual(left, [], "processes left behind");
  });
  await eventually(() => daemon.get("/v1/services"), 20_000);
  return daemon;
}

function echo(version: string) {
  return {
    namespace: "default",
    app: "echo",
    version,
    command: [process.execPath, `${apps}/echo.mjs`],
    dir: root,
    env: { VERSION: version },
    ports: ["80:8080/http"],
    scale: 1,
    egress: false,
    wait: true,
  };
}
const v2 = async (daemon: TestDaemon) => (await daemon.get<readonly ServiceView[]>("/v1/services")).find((view) => view.version === "v2");
const ids = async (daemon: TestDaemon) =>
  (await daemon.get<readonly ServiceView[]>("/v1/services")).flatMap((view) => view.workloads.map((workload) => workload.id));

test("killed at any moment of a change, it comes back with what it accepted", { timeout: 180_000 }, async (t) => {
  const daemon = await useDaemon(t);
  assert.equal(statSync(path.join(daemon.home, "run/api.sock")).mode & 0o777, 0o600);
  assert.equal(statSync(path.join(daemon.home, "weir.db")).mode & 0o777, 0o600);
  for (const version of ["v1", "v2"]) assert.equal((await daemon.post<ServiceView>("/v1/run", echo(version))).state, "ready");
  const before = await ids(daemon);
  let last = 0;
  for (let round = 1; round <= 6; round += 1) {
    const weight = { namespace: "default", app: "echo", weights: { v2: round * 1000 }, durationMs: 0, wait: round % 2 === 0 };
    const accepting = daemon.post<WeightsView>("/v1/weight", weight).then(
      () => true,
      () => false,
    );
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 25));
    await daemon.kill("SIGKILL");
    const accepted = await accepting;
    assert.equal((await request(daemon.port, `echo.localhost:${daemon.port}`)).status, 200, "traffic needs no daemon");
    await daemon.start();
    const now = (await v2(daemon))?.weight ?? -1;
    if (accepted) assert.equal(now, round * 1000, "what was accepted is there");
    else assert.ok(now === round * 1000 || now === last, `never half: ${now}`);
    last = now;
  }
  assert.deepEqual(await ids(daemon), before, "the same workloads, never restarted");
  const { inEnvoyMs } = await daemon.post<WeightsView>("/v1/weight", { namespace: "default", app: "echo", weights: { v2: 4321 }, durationMs: 0, wait: true });
  t.diagnostic(`a weight change is in Envoy after ${inEnvoyMs} ms`);
  const history = await daemon.get<readonly HistoryEntry[]>("/v1/apps/default/echo/history");
  assert.deepEqual(history[0]?.weights, { v1: 5679, v2: 4321 });
});

test("a rollout goes on where the clock says, whoever was there meanwhile", { timeout: 120_000 }, async (t) => {
  const daemon = await useDaemon(t);
  for (const version of ["v1", "v2"]) await daemon.post<ServiceView>("/v1/run", echo(version));
  const startedAt = Date.now();
  await daemon.post("/v1/weight", { namespace: "default", app: "echo", weights: { v2: 10_000 }, durationMs: 6000, wait: false });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await daemon.kill("SIGKILL");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await daemon.start();
  const view = await v2(daemon);
  const expected = Math.min(10_000, ((Date.now() - startedAt) / 6000) * 10_000);
  assert.ok(Math.abs((view?.weight ?? 0) - expected) < 1500, `${view?.weight} where ${expected} was due`);
  await eventually(async () => assert.equal((await v2(daemon))?.weight, 10_000), 15_000);
  await eventually(async () => assert.equal((await request(daemon.port, `echo.localhost:${daemon.port}`)).headers["x-version"], "v2"), 5000);
});

test("one state folder has one daemon; SIGTERM ends it and nothing else", { timeout: 120_000 }, async (t) => {
  const daemon = await useDaemon(t);
  await daemon.post<ServiceView>("/v1/run", echo("v1"));
  const second = launch({ ...process.env, WEIR_HOME: daemon.home, WEIR_LISTEN: `127.0.0.1:${await freePort()}` });
  let complaint = "";
  second.stderr?.setEncoding("utf8").on("data", (piece: string) => (complaint += piece));
  const [code] = (await once(second, "close")) as [number];
  assert.equal(code, 1);
  assert.match(complaint, /store-locked/);
  const before = await daemon.get<SystemView>("/v1/system");
  await daemon.kill("SIGTERM");
  assert.equal(daemon.child.exitCode, 0);
  assert.equal((await request(daemon.port, `echo.localhost:${daemon.port}`)).status, 200);
  await daemon.start();
  const after = await daemon.get<SystemView>("/v1/system");
  assert.notEqual(after.pid, before.pid);
  assert.deepEqual(after.agent, before.agent, "the same agent");
});
