/** What one supervisor leaves for the next: the family's file; and the admin page by which a stranger is known. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../test/support/real.ts";
import { adminGet, serverInfo } from "./admin.ts";
import { type Family, forgetFamily, loadFamily, membersOf, saveFamily } from "./envoy-family.ts";
import { identify, type ProcessId } from "./proc.ts";

async function sleeper(t: TestContext): Promise<{ readonly child: ChildProcess; readonly id: ProcessId }> {
  const child = spawn("sleep", ["30"], { stdio: "ignore" });
  await once(child, "spawn");
  t.after(() => child.kill("SIGKILL"));
  const id = identify(child.pid ?? 0);
  assert.ok(id);
  return { child, id };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** A base id that no Envoy of this machine has. */
const baseId = 3_000_000_000 + process.pid;

test("members are the one in charge, those before it, and the one to come", async (t) => {
  const [{ id: current }, { id: old }, { id: next }] = [await sleeper(t), await sleeper(t), await sleeper(t)];
  const family: Family = { baseId, epoch: 1, current, retired: [] };
  assert.deepEqual(membersOf(family), [current]);
  assert.deepEqual(membersOf({ ...family, retired: [{ id: old, endsAt: 5 }], next }), [current, old, next]);
});

test("a family is found again as long as any one of it runs", async (t) => {
  const file = path.join(temporaryFolder(t), "envoy.pids");
  const [current, old] = [await sleeper(t), await sleeper(t)];
  const family: Family = { baseId, epoch: 3, current: current.id, retired: [{ id: old.id, endsAt: 12_345 }] };
  saveFamily(file, family);
  assert.deepEqual(loadFamily(file), family);
  assert.ok(!existsSync(`${file}.new`));
  await end(current.child);
  assert.deepEqual(loadFamily(file), family, "the old one still finishes its connections");
  await end(old.child);
  assert.equal(loadFamily(file), undefined);
  assert.ok(!existsSync(file), "and nothing is left");
});

test("a number that another program got since is not ours", async (t) => {
  const file = path.join(temporaryFolder(t), "envoy.pids");
  const { id } = await sleeper(t);
  saveFamily(file, { baseId, epoch: 0, current: { ...id, startTime: "1" }, retired: [] });
  assert.equal(loadFamily(file), undefined);
});

test("no file, half a file: no family", (t) => {
  const file = path.join(temporaryFolder(t), "envoy.pids");
  assert.equal(loadFamily(file), undefined);
  writeFileSync(file, '{"baseId":1,"cur');
  assert.equal(loadFamily(file), undefined);
  assert.equal(readFileSync(file, "utf8").length, 16, "what cannot be read is not touched");
});

test("forgetting takes Envoy's shared memory away, too, and does not mind when nothing is there", (t) => {
  const memory = `/dev/shm/envoy_shared_memory_${baseId * 10}`;
  const file = path.join(temporaryFolder(t), "envoy.pids");
  writeFileSync(memory, "");
  t.after(() => forgetFamily(file, baseId));
  forgetFamily(file, undefined);
  assert.ok(existsSync(memory));
  forgetFamily(file, baseId);
  assert.ok(!existsSync(memory));
  forgetFamily(file, baseId);
});

async function admin(t: TestContext, answer: RequestListener): Promise<string> {
  const socket = path.join(temporaryFolder(t), "admin.sock");
  const server = createServer(answer);
  await once(server.listen(socket), "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return socket;
}

test("an admin page is its text, or nothing: another status, silence, a broken answer, nobody there", async (t) => {
  const socket = await admin(t, (request, response) => {
    if (request.url === "/silent") return;
    if (request.url === "/broken") {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setImmediate(() => response.destroy());
      return;
    }
    response.writeHead(request.url === "/ready" ? 200 : 503).end("LIVE\n");
  });
  assert.equal(await adminGet(socket, "/ready"), "LIVE\n");
  for (const page of ["/other", "/silent", "/broken"]) assert.equal(await adminGet(socket, page, 100), undefined, page);
  assert.equal(await adminGet(`${socket}.no`, "/ready"), undefined);
  assert.equal(await serverInfo(`${socket}.no`), undefined);
});

test("who is behind the socket: version, state and epoch", async (t) => {
  const said = { version: "abc/1.40.0/Clean/RELEASE/BoringSSL", state: "LIVE", command_line_options: { restart_epoch: 2 } };
  const whole = await admin(t, (_, response) => response.end(JSON.stringify(said)));
  assert.deepEqual(await serverInfo(whole), { version: "1.40.0", state: "LIVE", epoch: 2 });
  const silent = await admin(t, (_, response) => response.end("{}"));
  assert.deepEqual(await serverInfo(silent), { version: "unknown", state: "unknown", epoch: 0 });
});
