import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fnv1a, fnv1aHex } from "./fnv.ts";

/** Of any code units, lone surrogates too. Fast-check's own unit `binary` knows whole code points only, and takes seconds to list them. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));

test("the values of the published test suite", () => {
  const published = { "": "811c9dc5", a: "e40c292c", b: "e70c2de5", fo: "6222e842", foobar: "bf9cf968", "chongo was here!\n": "d49930d5" };
  for (const [text, hex] of Object.entries(published)) assert.equal(fnv1aHex(text), hex, JSON.stringify(text));
});

test("any text gives a whole number of 32 bits and eight digits that say the same", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const hash = fnv1a(text);
      assert.ok(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32);
      assert.match(fnv1aHex(text), /^[0-9a-f]{8}$/);
      assert.equal(Number.parseInt(fnv1aHex(text), 16), hash);
    }),
  );
});

test("names that differ in one letter, or in the order of letters, get different numbers", () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `external/pay-${index}.default:${index % 7}`);
  assert.equal(new Set(names.map(fnv1a)).size, names.length);
  assert.notEqual(fnv1a("ab"), fnv1a("ba"));
});
