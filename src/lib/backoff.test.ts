/** Twice as long each time, up to the longest. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./backoff.ts";

test("none after none; each wait is twice the one before, up to the longest, however often it failed", () => {
  const waits = [0, 1, 2, 3, 4, 5, 5_000].map((failures) => backoffMs({ firstMs: 500, longestMs: 3_000 }, failures));
  assert.deepEqual(waits, [0, 500, 1_000, 2_000, 3_000, 3_000, 3_000]);
});
