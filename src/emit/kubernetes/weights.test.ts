import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { BackendId, WeightedBackend } from "../../compile/mesh-plan.ts";
import { shares } from "./weights.ts";

function weighted(...weights: readonly number[]): readonly WeightedBackend[] {
  return weights.map((weight, index) => ({ backend: `b${index}` as BackendId, weight }));
}

test("whole percents stay percents, finer weights stay exact", () => {
  assert.deepEqual(shares(weighted(9000, 1000)), [90, 10]);
  assert.deepEqual(shares(weighted(9990, 10)), [999, 1]);
  assert.deepEqual(shares(weighted(3333, 6667)), [3333, 6667]);
  assert.deepEqual(shares(weighted(10_000, 0)), [100, 0]);
});

test("shares keep the proportions exactly and sum to 100, 1000 or 10 000", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 10_000 }), (one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      const given = [low, high - low, 10_000 - high];
      const result = shares(weighted(...given));
      const sum = result.reduce((total, share) => total + share, 0);
      assert.ok([100, 1000, 10_000].includes(sum));
      result.forEach((share, index) => assert.equal(share * 10_000, (given[index] ?? 0) * sum));
    }),
  );
});
