/** What a cluster says of jobs, as the API shows it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, job } from "../../test/support/declared.ts";
import { areJobsGone, isJobHopeless, isJobSettled, jobViews, latestWorkloads } from "../api/job-views.ts";
import type { Job } from "../model/types.ts";
import type { JobStatus } from "../providers/kubernetes/declared-status.ts";
import { readRunningPod, runningPods } from "../providers/kubernetes/translate-running.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { observe, type Seen } from "./observe.ts";

const key = "default/work";
const run = { name: "work-1", cause: "h", state: "succeeded", startedAt: 1, endedAt: 2 } as const;
const status: JobStatus = { observedGeneration: 1, hash: "h", state: "succeeded", runs: [run], conditions: [] };

function pod(name: string, of: string, phase: string): unknown {
  const labels = { "weir.dev/job": "work", "weir.dev/hash": "h", "batch.kubernetes.io/job-name": of };
  return { metadata: { namespace: "default", name, labels, creationTimestamp: "2026-01-01T00:00:00Z" }, spec: {}, status: { phase } };
}

function seen(changes: Partial<Job> = {}, said: Partial<JobStatus> = {}, more: Partial<Seen> = {}): Seen {
  const store = new MemoryStore({ now: () => 0 });
  const declared = commit(store, [{ op: "put", kind: "job", key, value: { job: job("work", changes), restarts: 0 } }]);
  const statuses = { service: new Map(), app: new Map(), job: new Map([[key, { ...status, ...said }]]), router: new Map(), external: new Map() };
  return { declared, statuses, pods: new Map(), stale: new Set(), ...more };
}

test("a job is done when its status says so of what is declared now", () => {
  assert.ok(isJobSettled(observe(seen(), 0), key));
  assert.ok(!isJobSettled(observe(seen({}, { observedGeneration: 0 }), 0), key), "what was said of before");
  assert.ok(!isJobSettled(observe(seen({}, {}, { stale: new Set([key]) }), 0), key), "what it uses has changed");
  assert.ok(isJobHopeless(observe(seen({}, { state: "failed" }), 0), key));
  assert.ok(!isJobHopeless(observe(seen({}, { state: "failed", observedGeneration: 0 }), 0), key));
  const scheduled = { schedule: { cron: "@hourly", timeZone: "UTC" } };
  for (const state of ["scheduled", "running"] as const) assert.ok(isJobSettled(observe(seen(scheduled, { state }), 0), key));
  const [view] = jobViews(observe(seen(scheduled, { state: "scheduled", reason: "exited with code 3" }), 0), "*");
  assert.deepEqual([view?.state, view?.reason, view?.nextRunAt, view?.runs], ["scheduled", "exited with code 3", 3_600_000, [run]]);
});

test("what it said is in the pods of its newest run; they are gone when they have ended", () => {
  const pods = runningPods([pod("b", "work-1", "Failed"), pod("c", "work-1", "Running"), pod("x", "work-0", "Succeeded")].map(readRunningPod));
  const observed = observe(seen({}, {}, { runs: pods }), 0);
  assert.deepEqual(latestWorkloads(observed, key), ["b", "c"]);
  assert.equal(observed.replicas.replicas.size, 0, "they are no replicas");
  assert.ok(!areJobsGone(observed, new Set([key])));
  assert.ok(areJobsGone(observe(seen({}, {}, { runs: runningPods([readRunningPod(pod("b", "work-1", "Failed"))]) }), 0), new Set([key])));
});
