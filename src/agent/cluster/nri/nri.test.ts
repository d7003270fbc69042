import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../../../test/support/real.ts";
import { encodeMessage, MessageReader, messageType, pluginConnection } from "./frames.ts";
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse, type Sandbox, synchronized } from "./messages.ts";
import { runNriPlugin } from "./plugin.ts";

interface Step {
  readonly who: string;
  readonly bytes: Buffer;
}

/** What a real runtime and the plugin said to each other, in turns. */
const transcript: readonly Step[] = readFileSync(path.join(import.meta.dirname, "transcript.txt"), "utf8")
  .split("\n")
  .filter((line) => /^(plugin|runtime) /.test(line))
  .map((line) => ({ who: line.split(" ")[0] ?? "", bytes: Buffer.from(line.split(" ")[1] ?? "", "hex") }));

/** A runtime on a socket; answers its path and the connection that comes. */
async function runtime(t: TestContext): Promise<{ socket: string; connection: Promise<Socket> }> {
  const socket = path.join(temporaryFolder(t), "nri.sock");
  const server = createServer();
  const connection = once(server, "connection").then(([one]) => one as Socket);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  return { socket, connection };
}

async function read(from: Socket, length: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < length) {
    const piece = from.read() as Buffer | null;
    if (piece === null) await once(from, "readable");
    else bytes = Buffer.concat([bytes, piece]);
  }
  return bytes;
}

test("the plugin says what it said to a real runtime, byte for byte", async (t) => {
  const { socket, connection } = await runtime(t);
  const heard: string[] = [];
  const seen: Sandbox[] = [];
  const running = runNriPlugin(
    {
      socket,
      name: "weir",
      index: "10",
      onActive: () => heard.push("active"),
      async onRun(sandbox, withinMs) {
        heard.push(`run ${sandbox.name} within ${withinMs}`);
        seen.push(sandbox);
        if (sandbox.name === "bad") throw new Error("no such luck");
      },
      onStop: (sandbox) => heard.push(`stop ${sandbox.name}`),
    },
    new AbortController().signal,
  );
  const peer = await connection;
  for (const { who, bytes } of transcript) {
    if (who === "plugin") assert.equal((await read(peer, bytes.length)).toString("hex"), bytes.toString("hex"));
    // In pieces, as a network may bring them.
    else for (let at = 0; at < bytes.length; at += 7) peer.write(bytes.subarray(at, at + 7));
  }
  peer.end();
  await running;
  assert.deepEqual(heard, ["active", "run web-1 within 2000", "run bad within 2000", "stop web-1"]);
  assert.deepEqual(seen[0], {
    uid: "0a1b2c3d-1111-4222-8333-444455556666",
    name: "web-1",
    namespace: "shop",
    labels: { "weir.dev/mesh": "enabled", app: "web" },
    pid: 4242,
    networkNamespace: "/var/run/netns/cni-1",
    addresses: ["10.1.0.2", "fd00::2"],
  });
});

test("a message larger than a piece arrives whole, and messages of two connections do not mix", () => {
  const content = Buffer.alloc(10_000, "x");
  const large = encodeMessage({ connection: 1, stream: 5, type: messageType.request, content });
  const small = encodeMessage({ connection: 2, stream: 1, type: messageType.response, content: Buffer.from("ok") });
  // The small one between the pieces of the large one.
  const first = large.subarray(0, 8 + 4096);
  const reader = new MessageReader();
  const messages = [first, small, large.subarray(first.length)].flatMap((bytes) => reader.push(bytes));
  assert.deepEqual(
    messages.map(({ connection, stream, content: { length } }) => [connection, stream, length]),
    [
      [2, 1, 2],
      [1, 5, 10_000],
    ],
  );
});

test("lengths of nobody's good will are refused", () => {
  assert.throws(() => new MessageReader().push(Buffer.from("00000001ffffffff", "hex")), /piece of/);
  assert.throws(() => new MessageReader().push(Buffer.from("000000010000000affffffff000000010100", "hex")), /message of/);
});

test("requests and responses survive the way", () => {
  const request = { service: "s", method: "m", payload: new Uint8Array([1, 2]) };
  assert.deepEqual(decodeRequest(encodeRequest(request)), request);
  assert.deepEqual(decodeResponse(encodeResponse({ ok: false, code: 5, message: "no" })), { ok: false, code: 5, message: "no" });
  assert.equal(synchronized(new Uint8Array()).length, 0);
  assert.deepEqual([...synchronized(Buffer.from("1801", "hex"))], [0x10, 1], "more parts follow");
});

test("a runtime that refuses the plugin, one that is not there, and a call nobody knows", async (t) => {
  const options = { name: "weir", index: "10", onActive: () => undefined, onRun: async () => undefined, onStop: () => undefined };
  const signal = new AbortController().signal;
  await assert.rejects(runNriPlugin({ ...options, socket: "/nonexistent/nri.sock" }, signal), /ENOENT/);
  const { socket, connection } = await runtime(t);
  const running = runNriPlugin({ ...options, socket }, signal);
  const peer = await connection;
  peer.write(
    encodeMessage({
      connection: pluginConnection,
      stream: 1,
      type: messageType.request,
      content: encodeRequest({ service: "s", method: "New", payload: new Uint8Array() }),
    }),
  );
  const [register, unknown] = new MessageReader().push(await read(peer, (transcript[0]?.bytes.length ?? 0) + 20));
  assert.equal(decodeRequest(register?.content ?? new Uint8Array()).method, "RegisterPlugin");
  const answered = decodeResponse(unknown?.content ?? new Uint8Array());
  assert.ok(!answered.ok && answered.code === 12);
  peer.write(encodeMessage({ connection: 2, stream: 1, type: messageType.response, content: encodeResponse({ ok: false, code: 6, message: "twice" }) }));
  await assert.rejects(running, /refuses the plugin: twice/);
});
