/** Host names: which two have names in common, and which is the more special. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bySpecificity, covers, intersection, mostSpecific } from "./translate-gateway-hostnames.ts";

const rows: readonly (readonly [a: string, b: string, both: string | undefined])[] = [
  ["*", "a.example", "a.example"],
  ["*", "*", "*"],
  ["a.example", "a.example", "a.example"],
  ["a.example", "b.example", undefined],
  ["*.example", "a.example", "a.example"],
  ["*.example", "a.b.example", "a.b.example"],
  ["*.example", "example", undefined],
  ["*.example", "*.b.example", "*.b.example"],
  ["*.a.example", "*.b.example", undefined],
  ["*.longer.example", "x.longer.example", "x.longer.example"],
  // A wildcard may be the longer text of the two.
  ["*.example", "*.com", undefined],
  ["*.ab.cd", "x.ab.cd", "x.ab.cd"],
];

for (const [a, b, both] of rows) {
  test(`${a} and ${b} have in common: ${both ?? "nothing"}`, () => {
    assert.equal(intersection(a, b), both);
    assert.equal(intersection(b, a), both);
  });
}

test("the most special counts: names, then the longer wildcard, then all", () => {
  assert.deepEqual(["*", "*.example", "web.example", "*.web.example"].toSorted(bySpecificity), ["web.example", "*.web.example", "*.example", "*"]);
  assert.equal(mostSpecific(["*", "*.example", "*.b.example"], "a.b.example"), "*.b.example");
  assert.equal(mostSpecific(["*.b.example"], "*.example"), undefined);
  assert.ok(covers("*.example", "*.b.example") && !covers("*.b.example", "*.example"));
});
