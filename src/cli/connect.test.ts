import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, type TestContext, test } from "node:test";
import { startCannedDaemon } from "../../test/support/canned-daemon.ts";
import { serviceView, systemView } from "../../test/support/views.ts";
import { weirVersion } from "../daemon/settings.ts";
import { version } from "./version.ts";

const daemon = await startCannedDaemon();
const versionFile = path.join(daemon.home, "daemon.version");

beforeEach(() => {
  rmSync(versionFile, { force: true });
  daemon.requests.length = 0;
});

/** A process that stands for the daemon. */
async function stranger(t: TestContext, program = "setInterval(() => {}, 1000)"): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ["-e", `${program}; console.log("up")`], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  assert.ok(child.pid !== undefined);
  return Object.assign(child, { pid: child.pid });
}

function answers(pid: number): void {
  daemon.answers = {
    "GET /v1/system": { json: systemView({ pid }) },
    "POST /v1/restart": { json: [serviceView()] },
    "GET /v1/services": { json: [serviceView()] },
    "GET /v1/jobs": { json: [] },
  };
}

test("program, daemon and package are of one version", () => {
  const manifest = JSON.parse(readFileSync(path.join(import.meta.dirname, "../../package.json"), "utf8")) as { readonly version: string };
  assert.deepEqual([version, weirVersion], [manifest.version, manifest.version]);
});

test("a daemon of another version is ended first, and that is said; commands that look do the same", async (t) => {
  for (const args of [["restart", "web"], ["ps"]]) {
    const old = await stranger(t);
    const ended = once(old, "exit");
    answers(old.pid);
    writeFileSync(versionFile, "0.0.9\n");
    const { code, stderr, stdout } = await daemon.weir(args);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: `the daemon is Weir 0.0.9; it is replaced by ${version}, and what runs goes on\n` });
    assert.match(stdout, /web@v1/);
    assert.deepEqual(await ended, [null, "SIGTERM"]);
  }
});

test("a daemon of the same version, or of one that is not known, is left alone", async (t) => {
  const same = await stranger(t);
  answers(same.pid);
  for (const written of [`${version}\n`, undefined]) {
    if (written !== undefined) writeFileSync(versionFile, written);
    assert.deepEqual(((ended) => [ended.code, ended.stderr])(await daemon.weir(["restart", "web"])), [0, ""]);
    rmSync(versionFile, { force: true });
  }
  assert.equal(same.exitCode ?? same.signalCode, null);
  assert.ok(
    daemon.requests.every(({ url }) => url === "/v1/restart" || url.startsWith("/v1/jobs")),
    "and is asked nothing for it",
  );
});

test("with nothing running and nothing declared, a command that looks starts nothing and says what to do", async () => {
  const home = path.join(daemon.home, "fresh");
  for (const args of [["ps"], ["logs"], ["system", "status"], ["down"]]) {
    const { code, stdout, stderr } = await daemon.weir(args, { env: { WEIR_HOME: home } });
    assert.deepEqual({ code, stdout }, { code: 6, stdout: "" });
    assert.match(stderr, /^error\[nothing-running\]: nothing runs here yet\n {2}hint: start with: weir up DIR/);
  }
});

test("a daemon that dies while it starts: its last words, exit 6", async () => {
  // The built CLI looks for daemon.js beside itself; here there is none, so Node says that it cannot find it.
  const home = path.join(daemon.home, "dying");
  mkdirSync(home);
  const { code, stderr } = await daemon.weir(["restart", "web"], { env: { WEIR_HOME: home } });
  assert.equal(code, 6);
  assert.match(stderr, /^error\[daemon-start\]: the daemon ended while it started:\n/);
  assert.match(stderr, /hint: see what this machine lacks: weir check/);
});
