import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createFrameReader, frameHeader } from "./frame.ts";
import { RpcError, Status } from "./status.ts";

function framed(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [frameHeader(message.length), message]));
}

/** Cuts bytes at the given places. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((to, index) => bytes.subarray(places[index], to));
}

test("messages survive any way of splitting the stream", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  const check = (sent: readonly Uint8Array[], cuts: readonly number[]): void => {
    const reader = createFrameReader(1000);
    const got = split(framed(sent), cuts).flatMap((chunk) => reader.push(chunk));
    reader.end();
    assert.deepEqual(
      got.map((message) => Buffer.from(message)),
      sent.map((message) => Buffer.from(message)),
    );
  };
  fc.assert(fc.property(messages, fc.array(fc.nat(), { maxLength: 20 }), check));
});

test("a stream that is cut short never passes for a whole one", () => {
  const check = (message: Uint8Array, cut: number): void => {
    const bytes = framed([message]);
    const reader = createFrameReader(1000);
    reader.push(bytes.subarray(0, 1 + (cut % (bytes.length - 1))));
    assert.throws(() => reader.end(), { code: Status.internal });
  };
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.nat(), check));
});

test("the limit is refused from the header alone, before a byte of the message", () => {
  const reader = createFrameReader(100);
  assert.throws(() => reader.push(frameHeader(101)), { code: Status.resourceExhausted });
  assert.throws(() => createFrameReader(100).push(frameHeader(0xffff_ffff)), { code: Status.resourceExhausted });
  assert.equal(createFrameReader(100).push(framed([new Uint8Array(100)])).length, 1);
});

test("compressed messages are refused: nobody agreed on an encoding", () => {
  assert.throws(() => createFrameReader(100).push(Uint8Array.from([1, 0, 0, 0, 0])), RpcError);
});
