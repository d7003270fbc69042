/** The gRPC health check against an independent implementation of gRPC, and against what is no health service at all. */
import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { healthRequest } from "./grpc-health.ts";
import { probeOnce } from "./probe.ts";

const serving = Buffer.from([8, 1]);
const notServing = Buffer.from([8, 2]);
const long = `${"very.".repeat(60)}Long`;

/** What the server says for each service; the request is decoded here by the letter of the protobuf encoding. */
const answers: Readonly<Record<string, Buffer | grpc.status | "hang">> = {
  "": serving,
  up: serving,
  [long]: serving,
  größe: serving,
  down: notServing,
  unknown: grpc.status.NOT_FOUND,
  unset: Buffer.alloc(0),
  "later version": Buffer.from([8, 1, 0x12, 1, 0x78]),
  flood: Buffer.alloc(100_000, 8),
  slow: "hang",
};

function serviceOf(request: Buffer): string {
  if (request.length === 0) return "";
  let length = 0;
  let at = 1;
  for (let shift = 0; ; shift += 7, at += 1) {
    const byte = request[at] ?? 0;
    length += (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  assert.equal(request[0], 0x0a);
  assert.equal(request.length, at + 1 + length);
  return request.subarray(at + 1).toString();
}

const method = {
  path: "/grpc.health.v1.Health/Check",
  requestStream: false,
  responseStream: false,
  requestSerialize: (value: { service: string }) => Buffer.from(healthRequest(value.service)),
  requestDeserialize: (bytes: Buffer) => ({ service: serviceOf(bytes) }),
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
} as const;

async function grpcServer(t: TestContext, hasHealth: boolean): Promise<number> {
  const server = new grpc.Server();
  const check: grpc.handleUnaryCall<{ service: string }, Buffer> = ({ request: { service } }, callback) => {
    const said = answers[service];
    if (said === "hang") return;
    if (Buffer.isBuffer(said)) callback(null, said);
    else callback({ code: said ?? grpc.status.INTERNAL, details: `no ${service}` });
  };
  if (hasHealth) server.addService({ Check: method }, { Check: check });
  t.after(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Who answers at all has time for it on a busy machine, too. */
async function look(port: number, service = "", timeoutMs = 10_000): Promise<string> {
  const context = { name: "ready", address: "127.0.0.1", timeoutMs, enter: (words: readonly string[]) => words, env: {} };
  const { ok, detail } = await probeOnce({ kind: "grpc", port, service }, context);
  assert.equal(ok, detail === "");
  return detail.replace(/^ready check grpc :\d+(\/\S+)?: /, "");
}

test("what a real gRPC server says about each service", async (t) => {
  const port = await grpcServer(t, true);
  const rows = [
    ["", ""],
    ["up", ""],
    [long, ""],
    ["größe", ""],
    ["down", "not serving"],
    ["unset", "not serving"],
    ["unknown", "grpc status 5: no unknown"],
    ["flood", /^grpc status 8: /],
    ["slow", "no answer in 400 ms"],
  ] as const;
  for (const [service, expected] of rows) {
    const found = await look(port, service, service === "slow" ? 400 : undefined);
    if (typeof expected === "string") assert.equal(found, expected, service);
    else assert.match(found, expected, service);
  }
  assert.ok(
    (await probeOnce({ kind: "grpc", port, service: "later version" }, { name: "", address: "127.0.0.1", timeoutMs: 10_000, enter: (words) => words, env: {} }))
      .ok,
  );
});

test("a gRPC server without the health service is not healthy", async (t) => {
  assert.match(await look(await grpcServer(t, false)), /^grpc status 12: .*Health\/Check/);
});

test("nobody listens, or somebody who does not speak gRPC", async (t) => {
  const closed = createTcpServer();
  const port = await listening(t, closed);
  await new Promise((resolve) => closed.close(resolve));
  assert.equal(await look(port), "connection refused");

  const mute = createTcpServer(() => undefined);
  assert.equal(await look(await listening(t, mute), "", 400), "no answer in 400 ms");

  const gone = createTcpServer((socket) => socket.destroy());
  assert.notEqual(await look(await listening(t, gone)), "");

  const http1 = createHttpServer((_, response) => response.end("hello"));
  assert.notEqual(await look(await listening(t, http1)), "");

  const web = createHttp2Server((_, response) => response.writeHead(404).end("<html>"));
  assert.equal(await look(await listening(t, web)), "grpc status 12: the server answered with HTTP status 404");
});

test("the request is the protobuf encoding of one string", () => {
  assert.equal(healthRequest("").length, 0);
  assert.deepEqual([...healthRequest("ab")], [0x0a, 2, 0x61, 0x62]);
  for (const length of [1, 127, 128, 300, 20_000]) assert.equal(serviceOf(Buffer.from(healthRequest("x".repeat(length)))), "x".repeat(length));
});
