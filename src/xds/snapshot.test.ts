import assert from "node:assert/strict";
import { test } from "node:test";
import { createResourceCache, createSnapshot, encodeResource, sameSnapshot } from "./snapshot.ts";

const a = encodeResource("t.A", "a", Buffer.from("1"));
const b = encodeResource("t.A", "b", Buffer.from("1"));
const other = encodeResource("t.B", "a", Buffer.from("1"));

test("the version is the content's: of a resource, and of a type whatever the order", () => {
  assert.equal(encodeResource("t.A", "a", Buffer.from("1")).version, a.version);
  assert.notEqual(encodeResource("t.A", "a", Buffer.from("2")).version, a.version);
  assert.equal(createSnapshot([a, b, other]).types.get("t.A")?.version, createSnapshot([other, b, a]).types.get("t.A")?.version);
  assert.notEqual(createSnapshot([a]).types.get("t.A")?.version, createSnapshot([b]).types.get("t.A")?.version);
});

test("snapshots share what is equal, and compare by content", () => {
  const first = createSnapshot([a, b, other]);
  const second = createSnapshot([encodeResource("t.A", "a", Buffer.from("1")), b, encodeResource("t.B", "a", Buffer.from("2"))], first);
  assert.equal(second.types.get("t.A"), first.types.get("t.A"));
  assert.notEqual(second.types.get("t.B"), first.types.get("t.B"));
  assert.equal(sameSnapshot(first, second), false);
  assert.equal(sameSnapshot(first, createSnapshot([other, a, b])), true);
  assert.equal(sameSnapshot(createSnapshot([a]), createSnapshot([a, other])), false);
});

test("the cache encodes an object once, and again under another name", () => {
  const cached = createResourceCache();
  const message = { any: 1 };
  let encoded = 0;
  const encode = (): Uint8Array => {
    encoded += 1;
    return Buffer.from("x");
  };
  assert.equal(cached("t.A", "a", message, encode), cached("t.A", "a", message, encode));
  assert.equal(encoded, 1);
  assert.equal(cached("t.A", "b", message, encode).name, "b");
  assert.equal(encoded, 2);
});
