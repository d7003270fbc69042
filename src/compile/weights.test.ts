/** Weights of a route: they sum to 10 000 basis points, keep their proportions, and name a backend once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { BackendId, WeightedBackend } from "./mesh-plan.ts";
import { rescale } from "./weights.ts";

const to = (name: string, weight: number): WeightedBackend => ({ backend: name as BackendId, weight });
const told = (list: readonly WeightedBackend[]): readonly string[] => list.map(({ backend, weight }) => `${backend}=${weight}`);

test("by example", () => {
  const rows: readonly (readonly [readonly WeightedBackend[], readonly string[]])[] = [
    [[], []],
    [[to("a", 0), to("b", 0)], []],
    [[to("a", 1)], ["a=10000"]],
    [[to("a", 1), to("b", 0)], ["a=10000"]],
    [
      [to("a", 9), to("b", 1)],
      ["a=9000", "b=1000"],
    ],
    [
      [to("a", 1), to("b", 1), to("a", 2)],
      ["a=7500", "b=2500"],
    ],
    [
      [to("a", 90_000_000), to("b", 10_000_000)],
      ["a=9000", "b=1000"],
    ],
  ];
  for (const [given, expected] of rows) assert.deepEqual(told(rescale(given)), expected, told(given).join());
});

test("what a backend expects as its own name stays with it", () => {
  assert.deepEqual(rescale([{ ...to("a", 1), authority: "a.example" }, to("b", 1)])[0], { ...to("a", 5_000), authority: "a.example" });
});

const destinations = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d", "e"), fc.integer({ min: 0, max: 100_000_000 })), { maxLength: 8 });

test("for any weights: the sum is exact, nobody is named twice, and each share is its proportion to within one basis point", () => {
  fc.assert(
    fc.property(destinations, (list) => {
      const given = list.map(([name, weight]) => to(name, weight));
      const total = given.reduce((sum, { weight }) => sum + weight, 0);
      const found = rescale(given);
      assert.equal(
        found.reduce((sum, { weight }) => sum + weight, 0),
        total === 0 ? 0 : 10_000,
      );
      assert.equal(new Set(found.map(({ backend }) => backend)).size, found.length);
      for (const { backend, weight } of found) {
        const own = given.filter((one) => one.backend === backend).reduce((sum, one) => sum + one.weight, 0);
        assert.ok(weight > 0 && Math.abs(weight - (own * 10_000) / total) < 1, `${backend}: ${weight} of ${own}/${total}`);
      }
    }),
  );
});

test("to bring to the sum what has it already changes nothing", () => {
  fc.assert(
    fc.property(destinations, (list) => {
      const once = rescale(list.map(([name, weight]) => to(name, weight)));
      assert.deepEqual(rescale(once), once);
    }),
  );
});
