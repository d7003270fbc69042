/** What a broken or hostile peer may do to the server, and what it must not achieve. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type IncomingHttpStatusHeader, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually, realClock, silentLog } from "../../test/support/real.ts";
import type { RpcMethod } from "./method.ts";
import { createRpcServer } from "./server.ts";
import { Status } from "./status.ts";

interface Flood {
  written: number;
  failed: boolean;
}

const messageBytes = 256 * 1024;

function methods(flood: Flood): ReadonlyMap<string, RpcMethod> {
  const shared = new Uint8Array(messageBytes);
  return new Map<string, RpcMethod>([
    ["/t.T/Echo", { kind: "unary", handle: (request) => Promise.resolve(request) }],
    [
      "/t.T/Flood",
      {
        kind: "stream",
        async handle({ write, signal }) {
          try {
            for (; !signal.aborted; flood.written += messageBytes) await write([shared]);
          } catch {
            flood.failed = true;
          }
        },
      },
    ],
  ]);
}

/** A raw connection that says it speaks HTTP/2, then nothing. */
function connectMute(t: TestContext, port: number): Socket {
  const socket = connectTcp(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));
  return socket;
}

async function useHostile(t: TestContext, keepaliveMs = 0) {
  const flood: Flood = { written: 0, failed: false };
  const server = createRpcServer({ clock: realClock, log: silentLog, methods: methods(flood), maxMessageBytes: 10_000, keepaliveMs });
  t.after(() => server.close(0));
  const address = await server.listen({ host: "127.0.0.1", port: 0 });
  assert.ok("port" in address);
  const session = connect(`http://127.0.0.1:${address.port}`);
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return { server, session, flood, port: address.port };
}

interface Answer {
  readonly http: number | undefined;
  readonly status: string | undefined;
  readonly message: string | undefined;
}

async function send(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body: readonly Uint8Array[], end = true): Promise<Answer> {
  const stream = session.request({ ":method": "POST", ":path": "/t.T/Echo", "content-type": "application/grpc", te: "trailers", ...headers });
  let head: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined;
  let trailers: IncomingHttpHeaders | undefined;
  stream.on("error", () => undefined);
  stream.on("response", (got) => {
    head = got;
  });
  stream.on("trailers", (got) => {
    trailers = got;
  });
  for (const chunk of body) stream.write(chunk);
  if (end) stream.end();
  stream.resume();
  await once(stream, "close");
  const field = (name: string): string | undefined => [trailers?.[name], head?.[name]].find((value) => typeof value === "string");
  return { http: head?.[":status"], status: field("grpc-status"), message: field("grpc-message") };
}

test("what is not gRPC gets an HTTP status", async (t) => {
  const { session } = await useHostile(t);
  assert.equal((await send(session, { "content-type": "application/json" }, [])).http, 415);
  assert.equal((await send(session, { "content-type": "application/grpc-web" }, [])).http, 415);
  assert.equal((await send(session, { ":method": "GET" }, [])).http, 405);
});

test("broken framing ends the call with a status and leaves the connection alone", async (t) => {
  const { session } = await useHostile(t);
  const cases: readonly (readonly [string, OutgoingHttpHeaders, readonly Uint8Array[], number])[] = [
    ["ends inside the header", {}, [Buffer.from([0, 0, 0])], Status.internal],
    ["ends inside the message", {}, [Buffer.from([0, 0, 0, 0, 9, 1, 2])], Status.internal],
    ["compressed without an encoding", {}, [Buffer.from([1, 0, 0, 0, 0])], Status.internal],
    ["says 4 GiB", {}, [Buffer.from([0, 255, 255, 255, 255])], Status.resourceExhausted],
    ["over the limit", {}, [Buffer.from([0, 0, 0, 39, 17])], Status.resourceExhausted],
    ["no message", {}, [], Status.unimplemented],
    ["two messages", {}, [Buffer.alloc(5), Buffer.alloc(5)], Status.unimplemented],
    ["gzip", { "grpc-encoding": "gzip" }, [Buffer.alloc(5)], Status.unimplemented],
    ["no such method", { ":path": "/t.T/../Echo" }, [Buffer.alloc(5)], Status.unimplemented],
    ["a malformed timeout", { "grpc-timeout": "soon" }, [Buffer.alloc(5)], Status.internal],
  ];
  for (const [name, headers, body, status] of cases) {
    assert.deepEqual([(await send(session, headers, body)).status, name], [String(status), name]);
    assert.equal((await send(session, {}, [Buffer.alloc(5)])).status, "0", `after ${name}`);
  }
});

test("an error comes at once, also to a sender who never ends", async (t) => {
  const { session } = await useHostile(t);
  assert.equal((await send(session, {}, [Buffer.from([0, 255, 255, 255, 255])], false)).status, String(Status.resourceExhausted));
});

test("a reader who never reads holds the writer back instead of filling memory", async (t) => {
  const { session, flood } = await useHostile(t);
  const stream = session.request({ ":method": "POST", ":path": "/t.T/Flood", "content-type": "application/grpc" });
  stream.on("error", () => undefined);
  await once(stream, "response");
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = flood.written;
  assert.ok(before < 4 * 1024 * 1024, `${before} bytes were accepted for a peer that reads nothing`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(flood.written, before);
  stream.destroy();
  await eventually(() => flood.failed || flood.written === before, "the writer heard that the reader is gone");
});

test("no HTTP/2 at all: the connection is dropped, the server lives", async (t) => {
  const { session, port } = await useHostile(t);
  const socket = connectTcp(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  assert.equal((await send(session, {}, [Buffer.alloc(5)])).status, "0");
});

test("a peer that answers no PING is dropped", async (t) => {
  const { port } = await useHostile(t, 40);
  const socket = connectMute(t, port);
  socket.resume();
  const started = Date.now();
  await once(socket, "close");
  assert.ok(Date.now() - started < 3000);
});

test("peers that never read or answer do not keep the server from closing", async (t) => {
  const { server, session, flood, port } = await useHostile(t);
  connectMute(t, port);
  const stream = session.request({ ":method": "POST", ":path": "/t.T/Flood", "content-type": "application/grpc" });
  stream.on("error", () => undefined);
  await once(stream, "response");
  const started = Date.now();
  await server.close(0);
  assert.ok(Date.now() - started < 3000, `${Date.now() - started} ms`);
  await eventually(() => flood.failed, "the writer heard of it");
});
