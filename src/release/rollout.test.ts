import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/support/runs.ts";
import type { DeclaredApp, Shares } from "../model/declared.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import { changeWeights, describeWeights, historyLimit, newApp, promote, rollback, setVersions } from "./app-weights.ts";
import { isMoving, nextTickAt, weightsAt } from "./rollout.ts";

const [v1, v2, v3] = ["v1", "v2", "v3"] as readonly string[] as readonly [VersionName, VersionName, VersionName];

function web(...versions: readonly VersionName[]): DeclaredApp {
  return versions.reduce(
    (app, _, i) => setVersions(app, versions.slice(0, i + 1), { now: 0, change: `stage ${versions[i]}` }),
    newApp("default" as Namespace, "web" as AppName),
  );
}
function change(app: DeclaredApp, weights: Shares, now: number, durationMs = 0): DeclaredApp {
  const wanted = new Map(Object.entries(weights)) as Map<VersionName, number>;
  const result = changeWeights(app, wanted, { now, durationMs, change: describeWeights(wanted) });
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}
function at(app: DeclaredApp, now: number): Shares {
  return Object.fromEntries(weightsAt(app, now));
}

test("a first version has everything, the next ones nothing", () => {
  assert.deepEqual(web(v1, v2, v3).weights, { v1: 10_000, v2: 0, v3: 0 });
});

test("a rollout moves in steps and arrives exactly, by ticks alone", () => {
  const app = change(web(v1, v2), { v2: 1000 }, 5000, 10_000);
  assert.deepEqual(at(app, 5000), { v1: 10_000, v2: 0 });
  assert.deepEqual(at(app, 10_000), { v1: 9500, v2: 500 });
  assert.deepEqual(at(app, 14_999), { v1: 9010, v2: 990 });
  assert.deepEqual(at(app, 15_000), { v1: 9000, v2: 1000 });
  let [now, ticks]: [number | undefined, number] = [5000, 0];
  let last = 0;
  for (;;) {
    const next: number | undefined = nextTickAt(app, now);
    if (next === undefined) break;
    assert.ok(next > now);
    assert.deepEqual(at(app, next - 1), at(app, now), "nothing changes between ticks");
    [now, ticks] = [next, ticks + 1];
    assert.ok((at(app, now)["v2"] ?? 0) >= last);
    last = at(app, now)["v2"] ?? 0;
  }
  assert.deepEqual([now, ticks, last], [15_000, 100, 1000]);
  assert.equal(isMoving(app, 14_999), true);
  assert.equal(isMoving(app, 15_000), false);
});

test("a clock that is set back stays at the start", () => {
  const app = change(web(v1, v2), { v2: 1000 }, 5000, 10_000);
  assert.deepEqual(at(app, 0), { v1: 10_000, v2: 0 });
  assert.equal(nextTickAt(app, 0), 5100);
});

test("a change in the middle starts from where the rollout is", () => {
  const first = change(web(v1, v2), { v2: 10_000 }, 0, 1000);
  const second = change(first, { v2: 0 }, 500, 1000);
  assert.deepEqual(second.rollout?.from, { v1: 5000, v2: 5000 });
  assert.deepEqual(at(second, 1000), { v1: 7500, v2: 2500 });
  const now = promote(second, v2, { now: 600, durationMs: 0 });
  assert.ok(now.ok);
  assert.equal(now.value.rollout, undefined);
  assert.deepEqual(at(now.value, 600), { v1: 0, v2: 10_000 });
});

test("the same target again ends a rollout, and is silent without one", () => {
  const moving = change(web(v1, v2), { v2: 5000 }, 0, 1000);
  const ended = change(moving, { v2: 5000 }, 100);
  assert.equal(ended.rollout, undefined);
  assert.equal(change(ended, { v2: 5000 }, 200), ended);
});

test("weights always sum to 100 %, at every moment of every rollout", () => {
  const weight = fc.integer({ min: 0, max: 10_000 });
  const moment = fc.integer({ min: 0, max: 200_000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(weight, fc.integer({ min: 0, max: 100_000 }), moment), { maxLength: 6 }), moment, (changes, now) => {
      const app = changes.reduce((before, [share, duration, when]) => change(before, { v2: share }, when, duration), web(v1, v2, v3));
      assert.equal(
        [...weightsAt(app, now).values()].reduce((a, b) => a + b, 0),
        10_000,
      );
    }),
    { numRuns: runs(200) },
  );
});

test("versions come and go in the middle of a rollout", () => {
  const moving = change(web(v1, v2), { v2: 10_000 }, 0, 1000);
  const more = setVersions(moving, [v1, v2, v3], { now: 500, change: "stage v3" });
  assert.deepEqual(at(more, 500), { v1: 5000, v2: 5000, v3: 0 });
  assert.deepEqual(at(more, 1000), { v1: 0, v2: 10_000, v3: 0 });
  const fewer = setVersions(more, [v1, v3], { now: 600, change: "rm v2" });
  assert.deepEqual(at(fewer, 600), { v1: 7000, v3: 3000 }, "between what is left of where it came from and where it goes");
  assert.deepEqual(at(fewer, 1000), { v1: 5000, v3: 5000 });
});

test("unknown versions and impossible sums change nothing", () => {
  const app = web(v1, v2);
  for (const wanted of [{ v9: 100 }, { v1: 6000, v2: 6000 }, { v2: 10_001 }]) {
    const result = changeWeights(app, new Map(Object.entries(wanted)) as Map<VersionName, number>, { now: 0, durationMs: 0, change: "" });
    assert.ok(!result.ok);
  }
});

test("rollback goes to the weights before the last change, and again returns", () => {
  let app = change(web(v1, v2), { v2: 1000 }, 1);
  app = change(app, { v2: 10_000 }, 2);
  const back = rollback(app, undefined, 3);
  assert.ok(back.ok);
  assert.deepEqual([back.value.weights, back.value.history.at(-1)?.change], [{ v1: 9000, v2: 1000 }, "rollback to 3"]);
  const again = rollback(back.value, undefined, 4);
  assert.ok(again.ok);
  assert.deepEqual(again.value.weights, { v1: 0, v2: 10_000 });
  const first = rollback(again.value, 1, 5);
  assert.ok(first.ok);
  assert.deepEqual(first.value.weights, { v1: 10_000, v2: 0 });
});

test("rollback says why it cannot", () => {
  const codes = (app: DeclaredApp, revision?: number) => {
    const result = rollback(app, revision, 9);
    return result.ok ? "ok" : result.problems[0]?.code;
  };
  assert.equal(codes(web(v1)), "rollback-nothing");
  assert.equal(codes(web(v1), 7), "revision-unknown");
  const v1Gone = setVersions(change(web(v1, v2), { v2: 10_000 }, 1), [v2, v3], { now: 2, change: "rm v1" });
  assert.equal(codes(v1Gone, 1), "rollback-impossible");
});

test("the history keeps its newest entries and goes on counting", () => {
  let app = web(v1, v2);
  for (let i = 1; i <= 80; i += 1) app = change(app, { v2: i }, i);
  assert.equal(app.history.length, historyLimit);
  assert.equal(app.history.at(-1)?.revision, 82);
  assert.equal(app.history[0]?.revision, 33);
});
