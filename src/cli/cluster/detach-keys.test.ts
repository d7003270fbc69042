import assert from "node:assert/strict";
import { test } from "node:test";
import { DetachKeys } from "./detach-keys.ts";

function heard(...pieces: readonly string[]): readonly [string, boolean] {
  const keys = new DetachKeys();
  const answers = pieces.map((piece) => keys.hear(Buffer.from(piece)));
  return [answers.map(({ data }) => data.toString()).join(""), answers.some(({ detach }) => detach)];
}

test("Ctrl-P Ctrl-Q leaves, also in two pieces; everything else is the container's", () => {
  assert.deepEqual(heard("ls\r"), ["ls\r", false]);
  assert.deepEqual(heard("a\x10\x11b"), ["a", true]);
  assert.deepEqual(heard("a\x10", "\x11"), ["a", true]);
  assert.deepEqual(heard("\x10x"), ["\x10x", false]);
  assert.deepEqual(heard("\x10", "\x10x\x11"), ["\x10\x10x\x11", false]);
  assert.deepEqual(heard("\x11"), ["\x11", false]);
});
