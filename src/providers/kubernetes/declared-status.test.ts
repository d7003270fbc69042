import assert from "node:assert/strict";
import { test } from "node:test";
import { readAppStatus, readProgrammedStatus, readVersionStatus, writtenAppStatus, writtenVersionStatus } from "./declared-status.ts";

const since = { type: "Ready", status: "True", reason: "Ready", message: "", observedGeneration: 2, lastTransitionTime: "2026-11-29T10:00:00Z" } as const;

test("a status is written with the texts of kubectl's columns, and read back without them", () => {
  const version = {
    observedGeneration: 2,
    hash: "abc",
    state: "starting",
    ready: 1,
    wanted: 2,
    weight: 1250,
    reason: "ErrImagePull",
    conditions: [since],
  } as const;
  const written = writtenVersionStatus(version);
  assert.deepEqual(written, { ...version, shown: { ready: "1/2", weight: "12.5%" } });
  assert.deepEqual(readVersionStatus(written), version);
  const app = { observedGeneration: 2, weights: { v2: 1000, v1: 9000 }, programmed: false, conditions: [] };
  assert.deepEqual(writtenAppStatus(app), { ...app, shown: { weights: "v1=90% v2=10%" } });
  assert.deepEqual(readAppStatus(writtenAppStatus(app)), app);
  const router = { observedGeneration: 1, programmed: true, conditions: [] };
  assert.deepEqual(readProgrammedStatus(router), router);
});

test("before anything was said there is no status", () => {
  for (const read of [readVersionStatus, readAppStatus, readProgrammedStatus]) assert.deepEqual([read(undefined), read({})], [undefined, undefined]);
  assert.equal(readVersionStatus({ state: "of a newer Weir" }), undefined);
});
