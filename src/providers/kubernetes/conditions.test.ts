/** The times of conditions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionSince, conditionTime } from "./conditions.ts";

const condition = { type: "Ready", status: "True", reason: "Ready", message: "", observedGeneration: 2 } as const;
const since = { ...condition, lastTransitionTime: "2026-11-29T10:00:00Z" };

test("a time has whole seconds", () => {
  assert.equal(conditionTime(Date.UTC(2026, 10, 29, 10, 0, 0, 999)), "2026-11-29T10:00:00Z");
});

test("a condition keeps its time while its answer is the same", () => {
  assert.equal(conditionSince({ ...condition, reason: "Other" }, [since], "2026-11-29T11:00:00Z").lastTransitionTime, since.lastTransitionTime);
  assert.equal(conditionSince({ ...condition, status: "False" }, [since], "2026-11-29T11:00:00Z").lastTransitionTime, "2026-11-29T11:00:00Z");
});
