/** Our server and our client together, and each against an independent implementation. */
import assert from "node:assert/strict";
import path from "node:path";
import { type TestContext, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { eventually, realClock, silentLog, temporaryFolder } from "../../test/support/real.ts";
import type { RpcAddress } from "./address.ts";
import { connectRpc, type RpcClient } from "./client.ts";
import type { RpcMethod } from "./method.ts";
import { createRpcServer, type RpcServer } from "./server.ts";
import { RpcError, Status } from "./status.ts";

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const bytes = (message: string): Buffer => Buffer.from(message);

interface Seen {
  aborted: unknown[];
}

function methods(seen: Seen): ReadonlyMap<string, RpcMethod> {
  return new Map<string, RpcMethod>([
    ["/t.T/Echo", { kind: "unary", handle: (request) => Promise.resolve(request) }],
    ["/t.T/Fail", { kind: "unary", handle: () => Promise.reject(new RpcError(Status.notFound, "größer als 100 %\n")) }],
    ["/t.T/Bug", { kind: "unary", handle: () => Promise.reject(new Error("secret detail")) }],
    [
      "/t.T/Hang",
      {
        kind: "stream",
        handle: ({ signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => {
              seen.aborted.push(signal.reason);
              resolve();
            });
          }),
      },
    ],
    [
      "/t.T/Chat",
      {
        kind: "stream",
        async handle({ requests, write }) {
          for await (const request of requests) {
            if (text(request) === "bye") return;
            await write([bytes("you said "), request]);
          }
        },
      },
    ],
    [
      "/t.T/Count",
      {
        kind: "stream",
        async handle({ requests, write }) {
          const count = Number(text((await requests.next()).value ?? bytes("0")));
          for (let at = 0; at < count; at += 1) await write([bytes(String(at))]);
        },
      },
    ],
  ]);
}

async function useServer(t: TestContext, options: { readonly path?: string; readonly keepaliveMs?: number; readonly maxMessageBytes?: number } = {}) {
  const seen: Seen = { aborted: [] };
  const server: RpcServer = createRpcServer({ clock: realClock, log: silentLog, methods: methods(seen), ...options });
  t.after(() => server.close(0));
  const address = await server.listen(options.path === undefined ? { host: "127.0.0.1", port: 0 } : { path: options.path });
  return { server, address, seen };
}

function useClient(t: TestContext, target: RpcAddress): RpcClient {
  const client = connectRpc({ clock: realClock, target });
  t.after(() => client.close());
  return client;
}

async function collect(messages: AsyncIterable<Uint8Array>): Promise<string[]> {
  const all: string[] = [];
  for await (const message of messages) all.push(text(message));
  return all;
}

function port(address: RpcAddress): string {
  assert.ok("port" in address);
  return `127.0.0.1:${address.port}`;
}

test("unary calls over TCP and over a Unix socket of mode 0600", async (t) => {
  const socket = path.join(temporaryFolder(t), "s.sock");
  for (const options of [{}, { path: socket }]) {
    const { address } = await useServer(t, options);
    const client = useClient(t, address);
    assert.equal(text(await client.unary("/t.T/Echo", bytes("hello"))), "hello");
    assert.equal((await client.unary("/t.T/Echo", new Uint8Array(0))).length, 0);
    const large = new Uint8Array(3_000_000).fill(7);
    assert.deepEqual(Buffer.from(await client.unary("/t.T/Echo", large)), Buffer.from(large));
  }
  assert.equal((await import("node:fs")).statSync(socket).mode & 0o777, 0o600);
});

test("a status arrives with its message; a bug is masked", async (t) => {
  const client = useClient(t, (await useServer(t)).address);
  await assert.rejects(client.unary("/t.T/Fail", bytes("")), { code: Status.notFound, message: "größer als 100 %\n" });
  await assert.rejects(client.unary("/t.T/Bug", bytes("")), { code: Status.internal, message: "internal error" });
  await assert.rejects(client.unary("/t.T/None", bytes("")), { code: Status.unimplemented });
});

test("both ways at once, ended by either side", async (t) => {
  const client = useClient(t, (await useServer(t)).address);
  const chat = client.stream("/t.T/Chat");
  await chat.write([bytes("a"), bytes("b")]);
  assert.equal(text((await chat.messages.next()).value ?? undefined), "you said ab");
  await chat.write([bytes("c")]);
  chat.end();
  assert.deepEqual(await collect(chat.messages), ["you said c"]);
  const ended = client.stream("/t.T/Chat");
  await ended.write([bytes("bye")]);
  assert.deepEqual(await collect(ended.messages), []);
});

test("a cancelled call and a passed deadline end the handler too", async (t) => {
  const { address, seen } = await useServer(t);
  const client = useClient(t, address);
  const call = client.stream("/t.T/Hang");
  const failed = assert.rejects(call.messages.next(), { code: Status.cancelled });
  await new Promise((resolve) => setTimeout(resolve, 20));
  call.cancel();
  await failed;
  await eventually(() => seen.aborted.length === 1, "the handler heard of it");
  await assert.rejects(client.stream("/t.T/Hang", { timeoutMs: 30 }).messages.next(), { code: Status.deadlineExceeded });
  await eventually(() => seen.aborted.length === 2, "the handler heard of the deadline");
});

test("the server keeps the deadline when the client does not", async (t) => {
  const { address } = await useServer(t);
  const client = useClient(t, address);
  await assert.rejects(client.stream("/t.T/Hang", { headers: { "grpc-timeout": "30m" } }).messages.next(), { code: Status.deadlineExceeded });
});

test("a server that closes waits for calls within its grace, refuses new ones, then ends the rest", async (t) => {
  const { server, address } = await useServer(t);
  const client = useClient(t, address);
  const chat = client.stream("/t.T/Chat");
  await chat.write([bytes("one")]);
  await chat.messages.next();
  const hang = client.stream("/t.T/Hang");
  const ended = assert.rejects(hang.messages.next(), { code: Status.unavailable });
  const closed = server.close(300);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await chat.write([bytes("two")]);
  assert.equal(text((await chat.messages.next()).value ?? undefined), "you said two");
  await assert.rejects(async () => client.unary("/t.T/Echo", bytes("late")), { code: Status.unavailable });
  await ended;
  await closed;
});

test("a socket file left behind is replaced, a live one is not", async (t) => {
  const socket = path.join(temporaryFolder(t), "s.sock");
  const first = await useServer(t, { path: socket });
  await assert.rejects(useServer(t, { path: socket }), { code: "EADDRINUSE" });
  const { spawnSync } = await import("node:child_process");
  await first.server.close(0);
  // A process that dies while it listens leaves its socket file.
  spawnSync(process.execPath, ["-e", `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`]);
  const second = await useServer(t, { path: socket });
  assert.equal(text(await useClient(t, second.address).unary("/t.T/Echo", bytes("again"))), "again");
});

test("nobody listening: calls end as unavailable", async (t) => {
  const client = useClient(t, { path: path.join(temporaryFolder(t), "none.sock") });
  await assert.rejects(client.unary("/t.T/Echo", bytes("")), { code: Status.unavailable });
  await assert.rejects(async () => client.unary("/t.T/Echo", bytes("")), { code: Status.unavailable });
});

test("a message over the limit ends the call with resourceExhausted, on either side", async (t) => {
  const { address } = await useServer(t, { maxMessageBytes: 1000 });
  const client = connectRpc({ clock: realClock, target: address, maxMessageBytes: 500 });
  t.after(() => client.close());
  await assert.rejects(client.unary("/t.T/Echo", new Uint8Array(1001)), { code: Status.resourceExhausted });
  await assert.rejects(client.unary("/t.T/Echo", new Uint8Array(501)), { code: Status.resourceExhausted });
  assert.equal((await client.unary("/t.T/Echo", new Uint8Array(500))).length, 500);
});

test("grpc-js as the client: unary, streams, status, deadline, cancel", async (t) => {
  const { address, seen } = await useServer(t);
  const client = new grpc.Client(port(address), grpc.credentials.createInsecure());
  t.after(() => client.close());
  const same = (value: Buffer): Buffer => value;
  const unary = (method: string, message: Buffer) =>
    new Promise<Buffer | undefined>((resolve, reject) => {
      client.makeUnaryRequest(method, same, same, message, (error, answer) => (error === null ? resolve(answer) : reject(error)));
    });
  assert.equal(text(await unary("/t.T/Echo", bytes("hello"))), "hello");
  await assert.rejects(unary("/t.T/Fail", bytes("")), { code: grpc.status.NOT_FOUND, details: "größer als 100 %\n" });
  await assert.rejects(unary("/t.T/None", bytes("")), { code: grpc.status.UNIMPLEMENTED });
  const count = client.makeServerStreamRequest("/t.T/Count", same, same, bytes("2000"));
  const numbers: string[] = [];
  for await (const message of count) numbers.push(String(message));
  assert.deepEqual(
    numbers,
    Array.from({ length: 2000 }, (_, index) => String(index)),
  );
  const chat = client.makeBidiStreamRequest("/t.T/Chat", same, same);
  chat.write(bytes("x"));
  assert.equal(String(await new Promise((resolve) => chat.once("data", resolve))), "you said x");
  chat.write(bytes("bye"));
  const status = await new Promise<grpc.StatusObject>((resolve) => chat.resume().once("status", resolve));
  assert.equal(status.code, grpc.status.OK);
  const hang = client.makeBidiStreamRequest("/t.T/Hang", same, same, { deadline: Date.now() + 50 });
  const late = await new Promise<grpc.ServiceError>((resolve) => hang.once("error", (error) => resolve(error as grpc.ServiceError)));
  assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED);
  await eventually(() => seen.aborted.length === 1, "the handler heard of it");
});

test("grpc-js as the server: our client speaks to it", async (t) => {
  const server = new grpc.Server();
  t.after(() => server.forceShutdown());
  const same = (value: Buffer): Buffer => value;
  const method = (name: string, both: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
    path: `/t.T/${name}`,
    requestStream: both,
    responseStream: both,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  });
  const echo: grpc.handleUnaryCall<Buffer, Buffer> = (call, done) =>
    text(call.request) === "fail" ? done({ code: grpc.status.ABORTED, details: "50 % ü" }) : done(null, call.request);
  const chat: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.on("data", (message: Buffer) => call.write(Buffer.concat([bytes("you said "), message])));
    call.on("end", () => call.end());
  };
  server.addService({ echo: method("Echo", false), chat: method("Chat", true) }, { echo, chat });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, at) => (error === null ? resolve(at) : reject(error)));
  });
  const client = useClient(t, { host: "127.0.0.1", port: bound });
  assert.equal(text(await client.unary("/t.T/Echo", bytes("hello"))), "hello");
  await assert.rejects(client.unary("/t.T/Echo", bytes("fail")), { code: Status.aborted, message: "50 % ü" });
  await assert.rejects(client.unary("/t.T/None", bytes("")), { code: Status.unimplemented });
  const call = client.stream("/t.T/Chat");
  await call.write([bytes("a")]);
  await call.write([new Uint8Array(200_000)]);
  call.end();
  assert.deepEqual(
    (await collect(call.messages)).map((message) => message.length),
    [10, 200_009],
  );
});
