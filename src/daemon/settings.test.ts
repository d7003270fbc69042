import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Hono } from "hono";
import { listenOnSocket } from "../api/listen.ts";
import { openDaemonLog } from "./daemon-log.ts";
import { readSettings } from "./settings.ts";
import { secureFolders } from "./state-dir.ts";

const here = import.meta.dirname;

function folder(t: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-daemon-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("flags come before the environment, and both before defaults", () => {
  const env = { HOME: "/home/ann", PATH: process.env["PATH"], WEIR_LISTEN: "127.0.0.2:81" };
  const byDefault = readSettings([], { ...env, WEIR_LISTEN: "" }, here);
  assert.ok(byDefault.ok, JSON.stringify(byDefault));
  assert.deepEqual([byDefault.value.paths.stateDir, byDefault.value.listen], ["/home/ann/.local/state/weir", { address: "127.0.0.1", port: 8080 }]);
  const said = readSettings(["--state", "/srv/weir", "--listen", "[::1]:82"], { ...env, WEIR_HOME: "/other" }, here);
  assert.ok(said.ok);
  assert.deepEqual(
    [said.value.paths.stateDir, said.value.paths.apiSocket, said.value.listen],
    ["/srv/weir", "/srv/weir/run/api.sock", { address: "::1", port: 82 }],
  );
  assert.ok(existsSync(said.value.agent.agentEntry) && existsSync(said.value.agent.nodeEntry));
  const wrong = readSettings(["--listen", "nowhere"], env, here);
  assert.ok(!wrong.ok && wrong.problems[0]?.code === "settings-invalid");
  assert.ok(!readSettings(["--what"], env, here).ok);
});

test("state folders are this user's alone", (t) => {
  const dir = folder(t);
  const [open, link] = [path.join(dir, "open"), path.join(dir, "link")];
  mkdirSync(open, { mode: 0o755 });
  assert.ok(secureFolders([open, path.join(dir, "new/deep")]).ok);
  assert.deepEqual(
    [open, path.join(dir, "new/deep")].map((name) => statSync(name).mode & 0o777),
    [0o700, 0o700],
  );
  symlinkSync(open, link);
  const unsafe = secureFolders([link]);
  assert.ok(!unsafe.ok && unsafe.problems[0]?.code === "state-dir-unsafe", "a link may lead to somebody else's folder");
});

test("the log is the user's alone, and does not grow for ever", (t) => {
  const file = path.join(folder(t), "daemon.log");
  const log = openDaemonLog(file);
  log.info("hello", { who: "ann" });
  log.debug("not said");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const [line] = readFileSync(file, "utf8").trim().split("\n");
  const { msg, who, time } = JSON.parse(line ?? "") as { msg: string; who: string; time: string };
  assert.deepEqual([msg, who, Number.isNaN(Date.parse(time))], ["hello", "ann", false]);
  const large = "x".repeat(1_000_000);
  for (let i = 0; i < 45; i += 1) log.warn("large", { large });
  assert.deepEqual(readdirSync(path.dirname(file)).toSorted(), ["daemon.log", "daemon.log.1", "daemon.log.2"]);
  assert.ok(statSync(file).size <= 10_000_000);
});

test("the API's socket is the user's alone; a dead one's file is replaced, a living one's is not", async (t) => {
  const socket = path.join(folder(t), "api.sock");
  const app = new Hono().get("/", (c) => c.text("hi"));
  const first = await listenOnSocket(app, socket);
  assert.ok(first.ok);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  const second = await listenOnSocket(app, socket);
  assert.ok(!second.ok && second.problems[0]?.code === "api-socket-in-use");
  await new Promise((resolve) => first.value.close(resolve));
  mkdirSync(path.dirname(socket), { recursive: true });
  const third = await listenOnSocket(app, socket);
  assert.ok(third.ok);
  await new Promise((resolve) => third.value.close(resolve));
});
