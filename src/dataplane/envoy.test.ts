/** The supervisor with a stand-in for Envoy: a program that we can let fail. The real one is in the system tests. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { realClock, silentLog } from "../../test/support/real.ts";
import { Envoy } from "./envoy.ts";
import { loadFamily, saveFamily } from "./envoy-family.ts";
import { identify, isRunning } from "./proc.ts";

/** Answers /server_info on the admin socket of its bootstrap; `fail` in its folder lets it end at once. */
const standIn = `#!${process.execPath}
const fs = require("node:fs"), http = require("node:http"), path = require("node:path");
const arg = (name) => process.argv[process.argv.indexOf(name) + 1];
const config = arg("-c"), folder = path.dirname(config);
if (fs.existsSync(folder + "/fail")) { console.error("[critical] it is told to fail"); process.exit(1); }
if (process.argv.includes("--base-id-path")) fs.writeFileSync(arg("--base-id-path"), "7");
const epoch = process.argv.includes("--restart-epoch") ? Number(arg("--restart-epoch")) : 0;
const socket = JSON.parse(fs.readFileSync(config)).admin.address.pipe.path;
fs.rmSync(socket, { force: true });
const info = { version: "0/1.2.3/x", state: "LIVE", command_line_options: { restart_epoch: epoch } };
http.createServer((request, response) => response.end(JSON.stringify(info))).listen(socket);
`;

function make(t: TestContext): { readonly envoy: Envoy; readonly folder: string; readonly again: () => Envoy } {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-envoy-"));
  const program = path.join(folder, "stand-in.cjs");
  writeFileSync(program, standIn, { mode: 0o755 });
  const again = (): Envoy =>
    new Envoy({
      nodeId: "node",
      program,
      dir: folder,
      xds: { kind: "socket", path: `${folder}/xds.sock` },
      adminSocket: `${folder}/admin.sock`,
      concurrency: 1,
      maxHeapBytes: 1 << 30,
      maxDownstreamConnections: 10,
      drainSeconds: 1,
      parentSeconds: 2,
      clock: realClock,
      log: silentLog,
    });
  const envoy = again();
  t.after(async () => {
    await envoy.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { envoy, folder, again };
}

async function until(envoy: Envoy, what: string, check: (envoy: Envoy) => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !check(envoy); await realClock.sleep(10)) assert.ok(Date.now() < end, `${what}: ${JSON.stringify(envoy.state.get())}`);
}

test("runs, comes back when it dies, ends when told; nothing is left", async (t) => {
  const { envoy, folder } = make(t);
  envoy.start();
  await until(envoy, "running", (one) => one.state.get().phase === "running");
  const first = envoy.state.get();
  assert.equal(first.version, "1.2.3");
  process.kill(first.pid ?? 0, "SIGKILL");
  await until(envoy, "a new one", (one) => one.state.get().phase === "running" && one.state.get().pid !== first.pid);
  assert.equal(envoy.state.get().restarts, 1);
  const { current } = loadFamily(path.join(folder, "node-envoy.pids")) ?? assert.fail("not remembered");
  await envoy.stop();
  assert.ok(!isRunning(current));
  assert.equal(envoy.state.get().phase, "stopped");
  assert.equal(loadFamily(path.join(folder, "node-envoy.pids")), undefined);
});

test("what cannot live is tried again, slower and slower, with its last words", async (t) => {
  const { envoy, folder } = make(t);
  writeFileSync(path.join(folder, "fail"), "");
  envoy.start();
  await until(envoy, "three ends", (one) => one.state.get().restarts >= 3);
  assert.match(envoy.state.get().reason ?? "", /it is told to fail|waits/);
  rmSync(path.join(folder, "fail"));
  await until(envoy, "running", (one) => one.state.get().phase === "running");
});

test("a new supervisor finds what an old one left", async (t) => {
  const { envoy, again } = make(t);
  envoy.start();
  await until(envoy, "running", (one) => one.state.get().phase === "running");
  const other = again();
  other.start();
  await until(other, "found", (one) => one.state.get().phase === "running");
  assert.equal(other.state.get().pid, envoy.state.get().pid);
  assert.equal(other.state.get().restarts, 0);
  await other.stop();
});

test("a supervisor that died in the middle of a replacement leaves nobody unknown", async (t) => {
  const { envoy, folder, again } = make(t);
  envoy.start();
  await until(envoy, "running", (one) => one.state.get().phase === "running");
  const file = path.join(folder, "node-envoy.pids");
  const family = loadFamily(file) ?? assert.fail("not remembered");
  const orphan = spawn(process.execPath, [path.join(folder, "stand-in.cjs"), "-c", `${folder}/node-envoy.json`, "--restart-epoch", "1"], { stdio: "ignore" });
  const next = identify(orphan.pid ?? 0) ?? assert.fail("not started");
  saveFamily(file, { ...family, next });
  const other = again();
  other.start();
  await until(other, "the new one is in charge", (one) => one.state.get().phase === "running" && one.state.get().pid === next.pid);
  await other.stop();
  assert.deepEqual([isRunning(family.current), isRunning(next)], [false, false]);
});

test("replacing is refused when it would lose the configuration; a new one that fails leaves the old one in charge", async (t) => {
  const { envoy, folder } = make(t);
  await assert.rejects(envoy.replace(), /no Envoy runs/);
  envoy.start();
  await until(envoy, "running", (one) => one.state.get().phase === "running");
  const before = envoy.state.get().pid;
  await assert.rejects(envoy.replace(), /control plane is not there/);
  const { createServer } = await import("node:net");
  const control = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => control.listen(`${folder}/xds.sock`, resolve));
  t.after(() => control.close());
  writeFileSync(path.join(folder, "fail"), "");
  await assert.rejects(envoy.replace(), /the new Envoy ended: .*told to fail/);
  assert.equal(envoy.state.get().pid, before);
  rmSync(path.join(folder, "fail"));
  await envoy.replace();
  await until(envoy, "running", (one) => one.state.get().phase === "running");
  const family = loadFamily(path.join(folder, "node-envoy.pids"));
  assert.equal(family?.epoch, 1);
  assert.deepEqual(
    family.retired.map((one) => one.id.pid),
    [before],
  );
  assert.ok(readFileSync(path.join(folder, "node-envoy.log"), "utf8").includes("told to fail"));
  await until(envoy, "the old one is ended when its time is over", () => !family.retired.some((one) => isRunning(one.id)));
});
