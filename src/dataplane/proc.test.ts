import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { childrenOf, identify, isRunning, listening, namespacePids, openConnections, parseStat, parseTcp, signalProcess } from "./proc.ts";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0101FEA9:A1B2 01004064:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0101FEA9:A1B3 01004064:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0 20 4 30 10 -1
   3: 0101FEA9:0035 01004064:C350 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
   4: 0101FEA9:A1B4 02004064:1F90 08 00000000:00000000 00:00000000 00000000     0        0 5 1 0 20 4 30 10 -1
  10: 0101FEA9:A1B5 01004064:1F90 02 00000000:00000000 01:00000000 00000000     0        0 6 1 0 20 4 30 10 -1
`;

test("the kernel's table of TCP connections", () => {
  const rows = parseTcp(table);
  assert.equal(rows.length, 6);
  assert.deepEqual(rows[0], { local: "127.0.0.1", localPort: 8080, remote: "0.0.0.0", remotePort: 0, state: 10 });
  assert.deepEqual(rows[1], { local: "169.254.1.1", localPort: 41394, remote: "100.64.0.1", remotePort: 8080, state: 1 });
  assert.equal(openConnections(rows, "100.64.0.1"), 2, "established and opening; not time-wait, not an answer to a DNS question");
  assert.equal(openConnections(rows, "100.64.0.2"), 1, "closed by them: an answer may still be on its way");
  assert.equal(openConnections(rows, "100.64.0.3"), 0);
  assert.deepEqual(parseTcp(""), []);
});

test("real connections and listeners are seen", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const socket = connect(address.port, "127.0.0.1");
  t.after(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, "connect");
  const rows = parseTcp(readFileSync("/proc/net/tcp", "latin1"));
  assert.ok(rows.some((row) => row.remotePort === address.port && row.state === 1));
  assert.ok(listening(process.pid).some((one) => one.port === address.port && one.address === "127.0.0.1"));
});

test("a name with spaces and brackets does not confuse", () => {
  const rest = Array.from({ length: 18 }, (_, at) => String(at)).join(" ");
  assert.deepEqual(parseStat(`12 (a) b (c)) S ${rest} 4711 0`), { state: "S", startTime: "4711" });
  assert.equal(parseStat("nonsense"), undefined);
});

test("a process is its pid and its start: gone is gone, a zombie too", async () => {
  const child = spawn("sleep", ["60"]);
  const id = identify(child.pid ?? 0);
  assert.ok(id !== undefined && isRunning(id));
  assert.ok(childrenOf(process.pid).includes(id.pid));
  assert.ok(!isRunning({ ...id, startTime: "1" }), "another process of that pid");
  assert.ok(!signalProcess({ ...id, startTime: "1" }, "SIGKILL"), "is left alone");
  assert.ok(signalProcess(id, "SIGKILL"));
  await once(child, "exit");
  assert.ok(!isRunning(id) && !signalProcess(id, "SIGTERM"));
  assert.deepEqual(childrenOf(id.pid), []);
  assert.equal(namespacePids(process.pid)[0], process.pid);
});
