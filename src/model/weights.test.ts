import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { VersionName } from "./names.ts";
import { addVersion, formatPercent, fullWeight, parsePercent, removeVersion, setWeights, splitInProportion, type Weights } from "./weights.ts";

function weights(record: Readonly<Record<string, number>>): Weights {
  return new Map(Object.entries(record)) as ReadonlyMap<string, number> as Weights;
}

function plain(map: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries(map);
}

function sum(map: ReadonlyMap<string, number>): number {
  return [...map.values()].reduce((a, b) => a + b, 0);
}

function set(current: Readonly<Record<string, number>>, wanted: Readonly<Record<string, number>>): Readonly<Record<string, number>> | string {
  const result = setWeights(weights(current), weights(wanted));
  return result.ok ? plain(result.value) : result.problems.map(({ code, message }) => `${code}: ${message}`).join("; ");
}

test("the others move in proportion", () => {
  assert.deepEqual(set({ v1: 10_000, v2: 0 }, { v2: 1000 }), { v1: 9000, v2: 1000 });
  assert.deepEqual(set({ v1: 6000, v2: 3000, v3: 1000 }, { v3: 5500 }), { v1: 3000, v2: 1500, v3: 5500 });
  assert.deepEqual(set({ v1: 6000, v2: 4000, v3: 0 }, { v1: 2000, v2: 8000 }), { v1: 2000, v2: 8000, v3: 0 });
});

test("when the others had nothing they share evenly", () => {
  assert.deepEqual(set({ v1: 10_000, v2: 0, v3: 0, v4: 0 }, { v1: 0 }), { v1: 0, v2: 3334, v3: 3333, v4: 3333 });
});

test("what cannot be is refused, all of it at once", () => {
  assert.equal(set({ v1: 10_000 }, { v1: 5000 }), "weights-sum: the weights sum to 50%");
  assert.equal(set({ v1: 5000, v2: 5000 }, { v1: 6000, v2: 3000 }), "weights-sum: the weights sum to 90%");
  assert.equal(set({ v1: 5000, v2: 5000, v3: 0 }, { v1: 6000, v2: 6000 }), "weights-sum: the weights sum to 120%");
  assert.equal(set({ v1: 10_000 }, { v2: 1, v1: -5 }), 'version-unknown: there is no version "v2"; weight-invalid: -0.05% for v1 is not a weight');
  assert.equal(set({ v1: 10_000 }, { v1: 0.5 }), "weight-invalid: 0.01% for v1 is not a weight");
});

test("a version is added at nothing, or alone at all, and its share goes back when it leaves", () => {
  assert.deepEqual(plain(addVersion(weights({}), "v1" as VersionName)), { v1: 10_000 });
  assert.deepEqual(plain(addVersion(weights({ v1: 10_000 }), "v2" as VersionName)), { v1: 10_000, v2: 0 });
  assert.deepEqual(plain(addVersion(weights({ v1: 7000, v2: 3000 }), "v2" as VersionName)), { v1: 7000, v2: 3000 });
  assert.deepEqual(plain(removeVersion(weights({ v1: 5000, v2: 3000, v3: 2000 }), "v1" as VersionName)), { v2: 6000, v3: 4000 });
  assert.deepEqual(plain(removeVersion(weights({ v1: 10_000, v2: 0, v3: 0 }), "v1" as VersionName)), { v2: 5000, v3: 5000 });
  assert.deepEqual(plain(removeVersion(weights({ v1: 10_000 }), "v1" as VersionName)), {});
  assert.deepEqual(plain(removeVersion(weights({ v1: 10_000 }), "v9" as VersionName)), { v1: 10_000 });
});

const names = ["v1", "v2", "v3", "v4", "v5"] as const;
const someWeights = fc
  .tuple(fc.shuffledSubarray([...names], { minLength: 1 }), fc.array(fc.integer({ min: 0, max: fullWeight }), { minLength: 5, maxLength: 5 }))
  .map(([picked, shares]) => splitInProportion(fullWeight, new Map(picked.map((name, index) => [name, shares[index] ?? 0])))) as fc.Arbitrary<Weights>;

test("whatever happens the weights are whole, sum to 100 %, and do not depend on order", () => {
  fc.assert(
    fc.property(someWeights, fc.array(fc.tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: fullWeight }))), (current, pairs) => {
      const wanted = new Map(pairs) as ReadonlyMap<string, number> as Weights;
      assert.equal(sum(current), fullWeight);
      const result = setWeights(current, wanted);
      const mirrored = setWeights(new Map([...current].reverse()), new Map([...wanted].reverse()));
      assert.equal(result.ok, mirrored.ok);
      if (!result.ok || !mirrored.ok) return;
      assert.equal(sum(result.value), fullWeight);
      assert.deepEqual(plain(result.value), plain(mirrored.value));
      for (const weight of result.value.values()) assert.ok(Number.isInteger(weight) && weight >= 0);
      for (const [version, weight] of wanted) assert.equal(result.value.get(version), weight);
    }),
  );
  fc.assert(
    fc.property(someWeights, fc.constantFrom(...names), (current, version) => {
      const left = removeVersion(current, version as VersionName);
      assert.ok(!left.has(version as VersionName));
      assert.equal(sum(left), left.size === 0 ? 0 : fullWeight);
    }),
  );
});

test("a split is never further than one unit from exact", () => {
  const shares = fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.integer({ min: 0, max: fullWeight }), { minKeys: 1, maxKeys: 8 });
  fc.assert(
    fc.property(shares, fc.integer({ min: 0, max: fullWeight }), (record, total) => {
      const given = new Map(Object.entries(record));
      const parts = splitInProportion(total, given);
      assert.equal(sum(parts), total);
      const all = sum(given);
      for (const [key, part] of parts) {
        const exact = all === 0 ? total / given.size : (total * (given.get(key) ?? 0)) / all;
        assert.ok(Math.abs(part - exact) < 1);
      }
    }),
  );
});

test("percentages are read and written without rounding", () => {
  for (let weight = 0; weight <= fullWeight; weight += 1) assert.equal(parsePercent(formatPercent(weight)), weight);
  assert.equal(parsePercent("10"), 1000);
  assert.equal(parsePercent("12.5%"), 1250);
  assert.equal(parsePercent("0.07"), 7);
  for (const text of ["", "%", "-1", "101", "100.01", "1.234", "1e1", " 1", "1 %", ".5", "NaN"]) assert.equal(parsePercent(text), undefined, text);
});
