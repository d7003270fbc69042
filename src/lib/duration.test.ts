import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

test("durations are read in the units users write", () => {
  const table: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1500],
    ["0.001s", 1],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1m30s500ms", 90_500],
  ];
  for (const [text, ms] of table) assert.equal(parseDuration(text), ms, text);
});

test("what is not a duration is refused", () => {
  for (const text of ["", " ", "10", "s", "-1s", "10 s", "1s1m", "1s1s", "1.5m", "1.0001s", "1e3s", "10S", "10sec", "99999999999s"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test("what is written is read back", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
  assert.equal(formatDuration(0), "0s");
  assert.equal(formatDuration(90_000), "1m30s");
});
