import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { callUnix, HttpProblem, type Routes, serveUnix, watchUnix } from "./unix-http.ts";

async function serve(t: TestContext, routes: Routes): Promise<{ readonly socket: string; readonly server: Server }> {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-http-"));
  const socket = path.join(folder, "s.sock");
  writeFileSync(socket, "left by a dead one");
  const server = await serveUnix(socket, routes);
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { socket, server };
}

test("calls: bodies, queries, errors with their status; the socket is its owner's alone", async (t) => {
  const { socket } = await serve(t, {
    "PUT /echo": ({ body, url }) => ({ body, q: url.searchParams.get("q") }),
    "GET /nothing": () => undefined,
    "GET /refuse": () => Promise.reject(new HttpProblem(409, "not now")),
    "GET /bug": () => {
      throw new TypeError("oops");
    },
  });
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.deepEqual(await callUnix(socket, "PUT", "/echo?q=1%202", { body: { a: [1] } }), { body: { a: [1] }, q: "1 2" });
  assert.deepEqual(await callUnix(socket, "GET", "/nothing"), {});
  const status = async (target: string) =>
    callUnix(socket, "GET", target).then(
      () => 200,
      (error: unknown) => (error instanceof HttpProblem ? error.status : 0),
    );
  assert.deepEqual([await status("/refuse"), await status("/bug"), await status("/missing")], [409, 500, 404]);
  await assert.rejects(callUnix(`${socket}.none`, "GET", "/nothing"), /ENOENT/);
});

test("streams: values as they come, the end, and an abort that the server hears", async (t) => {
  const heard = new AbortController();
  const { socket } = await serve(t, {
    "GET /count": async function* () {
      for (let n = 0; n < 3; n += 1) yield { n, text: "x".repeat(100_000) };
    },
    "GET /forever": async function* ({ signal }) {
      yield 1;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      heard.abort();
    },
  });
  const seen: number[] = [];
  for await (const { n } of watchUnix<{ readonly n: number }>(socket, "/count", new AbortController().signal)) seen.push(n);
  assert.deepEqual(seen, [0, 1, 2]);
  const stop = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of watchUnix(socket, "/forever", stop.signal)) stop.abort();
  });
  for (const end = Date.now() + 2_000; !heard.signal.aborted && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(heard.signal.aborted);
});

test("a server that dies in the middle of a stream is an error, not silence", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-http-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const server = createServer((_, response) => {
    response.write("1\n");
    setTimeout(() => response.destroy(), 20);
  });
  const socket = path.join(folder, "s.sock");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const value of watchUnix(socket, "/", new AbortController().signal)) seen.push(value);
  });
  assert.deepEqual(seen, [1]);
});

test("a silent server is given up", async (t) => {
  const { socket } = await serve(t, { "GET /": () => new Promise(() => undefined) });
  await assert.rejects(callUnix(socket, "GET", "/", { timeoutMs: 50 }), /no answer/);
});
