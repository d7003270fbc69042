import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { type TestContext, test } from "node:test";
import type { WorkloadCheck } from "./contract.ts";
import { probeOnce, title } from "./probe.ts";

const context = {
  name: "ready",
  address: "127.0.0.1",
  // Who answers at all has time for it on a busy machine, too.
  timeoutMs: 10_000,
  enter: (command: readonly string[]) => command,
  env: { PATH: process.env["PATH"] ?? "" },
};

interface Listening {
  listen(port: number, host: string, done: () => void): unknown;
  address(): AddressInfo | string | null;
  close(): unknown;
}

async function listen(t: TestContext, server: Listening): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

const problem = async (check: WorkloadCheck): Promise<string> => (await probeOnce(check, context)).detail;
const problemSoon = async (check: WorkloadCheck): Promise<string> => (await probeOnce(check, { ...context, timeoutMs: 300 })).detail;

test("HTTP: 2xx and 3xx are fine, headers are sent, all else says why", async (t) => {
  const port = await listen(
    t,
    createServer((request, response) => {
      if (request.url === "/slow") return;
      response.writeHead(request.url === "/moved" ? 302 : request.headers["x-key"] === "1" ? 200 : 503);
      response.end();
    }),
  );
  const check = { kind: "http", path: "/healthz", port, headers: { "x-key": "1" } } as const;
  assert.deepEqual(await probeOnce(check, context), { ok: true, detail: "" });
  assert.equal(await problem({ ...check, path: "/moved" }), "");
  assert.equal(await problem({ ...check, headers: {} }), `ready check GET :${port}/healthz: status 503`);
  assert.equal(await problemSoon({ ...check, path: "/slow" }), `ready check GET :${port}/slow: no answer in 300 ms`);
});

test("TCP: accepted or refused", async (t) => {
  const server = createTcpServer((socket) => socket.destroy());
  const port = await listen(t, server);
  assert.equal(await problem({ kind: "tcp", port }), "");
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await problem({ kind: "tcp", port }), `ready check tcp :${port}: connection refused`);
});

test("exec: the exit code, the last line, the time", async () => {
  assert.equal(await problem({ kind: "exec", command: ["true"] }), "");
  assert.equal(
    await problem({ kind: "exec", command: ["sh", "-c", "echo first; echo no database >&2; exit 4"] }),
    "ready check exec sh -c echo first; echo no database >&2; exit 4: code 4: no database",
  );
  assert.match(await problemSoon({ kind: "exec", command: ["sleep", "5"] }), /no end in 300 ms/);
  assert.match(await problem({ kind: "exec", command: ["/no/such/program"] }), /ENOENT/);
  assert.equal(title({ kind: "exec", command: ["x".repeat(200)] }).length, 80);
});
