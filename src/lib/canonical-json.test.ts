import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson } from "./canonical-json.ts";

test("keys are sorted at every depth and undefined is absent", () => {
  assert.equal(canonicalJson({ b: [{ d: 1, c: null }], a: undefined, é: "x", Z: -0 }), '{"Z":0,"b":[{"c":null,"d":1}],"é":"x"}');
});

test("any JSON value survives and key order does not matter", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      assert.equal(canonicalJson(JSON.parse(text)), text);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer()), (record) => {
      assert.equal(canonicalJson(Object.fromEntries(Object.entries(record).reverse())), canonicalJson(record));
    }),
  );
});

test("what JSON cannot say is a bug", () => {
  for (const value of [Number.NaN, Infinity, 1n, new Map(), new Date(0), () => 1, [undefined], undefined]) {
    assert.throws(() => canonicalJson(value), TypeError);
  }
});
