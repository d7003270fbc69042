/** What statuses say of jobs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jobObject } from "../../../test/support/declarations.ts";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, podObject } from "../../../test/support/kube-objects.ts";
import type { Job } from "../../model/types.ts";
import { jobStatus } from "./job-statuses.ts";

const start = Date.parse("2026-01-01T10:00:00Z");

function ran(name: string, cause: string, status: Readonly<Record<string, unknown>> = {}, annotations: object = { "weir.dev/cause": cause }): FakeObject {
  const metadata = { namespace: "shop", name, uid: `uid-${name}`, labels: { "weir.dev/job": "work" }, annotations };
  return { metadata, spec: {}, status: { startTime: new Date(start).toISOString(), ...status } };
}

function tried(name: string, run: string, phase: string, state: object): FakeObject {
  const labels = { "weir.dev/job": "work", "batch.kubernetes.io/job-name": run };
  return podObject(`shop/${name}`, { meta: { labels }, status: { phase, containerStatuses: [{ name: "main", state }] } });
}

const failedWith = (reason: string, failed: number) => ({
  failed,
  conditions: [{ type: "Failed", status: "True", reason, message: "Kubernetes' words", lastTransitionTime: new Date(start + 5_000).toISOString() }],
});
const done = { completionTime: new Date(start + 3_000).toISOString(), conditions: [{ type: "Complete", status: "True" }] };

/** `STATE REASON` of the job, and its runs as `NAME STATE REASON`. */
function said(
  jobs: readonly FakeObject[],
  {
    pods = [],
    job = {},
    begun = "h",
    status,
    refused,
  }: { pods?: readonly FakeObject[]; job?: Partial<Job>; begun?: string; status?: object; refused?: string } = {},
): readonly string[] {
  const view = clusterView({ declaredJobs: [jobObject("work", job, status === undefined ? {} : { status })], jobs, pods });
  const [declaration] = view.declaredJobs.values();
  assert.ok(declaration?.value !== undefined);
  const found = jobStatus(declaration, declaration.value.job, { hash: "h", begun, refused }, view, start);
  return [
    `${found.state} ${found.reason ?? ""}`.trim(),
    ...found.runs.map(({ name, state, reason = "" }) => `${name} ${state} ${reason}`.trim()),
    ...(found.nextRunAt === undefined ? [] : [`next ${new Date(found.nextRunAt).toISOString()}`]),
  ];
}

test("a job waits, runs, and has succeeded or failed", () => {
  assert.deepEqual(said([]), ["waiting"]);
  assert.deepEqual(said([ran("work-1", "h")]), ["running", "work-1 running"]);
  assert.deepEqual(said([ran("work-1", "h", done)]), ["succeeded", "work-1 succeeded"]);
  assert.deepEqual(said([ran("work-1", "old", done)]), ["waiting", "work-1 succeeded"]);
  assert.deepEqual(said([], { status: { begun: "h", state: "succeeded" } }), ["succeeded"], "somebody deleted it");
  assert.deepEqual(said([], { refused: "it has no image" }), ["failed it has no image"]);
});

test("why it failed is how its last try ended, and how often", () => {
  const pods = [
    tried("a", "work-1", "Failed", { terminated: { exitCode: 3, reason: "Error" } }),
    tried("b", "work-1", "Failed", { terminated: { exitCode: 4, reason: "Error" } }),
  ];
  const jobs = [ran("work-1", "h", failedWith("BackoffLimitExceeded", 2))];
  assert.deepEqual(said(jobs, { pods }), ["failed exited with code 4, 2 times", "work-1 failed exited with code 4, 2 times"]);
  assert.deepEqual(said(jobs), ["failed Kubernetes' words, 2 times", "work-1 failed Kubernetes' words, 2 times"]);
  const late = said([ran("work-1", "h", failedWith("DeadlineExceeded", 1))], { job: { timeoutMs: 90_000 } });
  assert.deepEqual(late, ["failed took longer than 1m30s", "work-1 failed took longer than 1m30s"]);
  assert.deepEqual(said([ran("work-1", "h", failedWith("BackoffLimitExceeded", 1))], { begun: "other" })[0], "waiting", "one of before, which makes room");
});

test("what cannot even start has failed, although it goes on; what ended badly is tried again", () => {
  const pull = [tried("a", "work-1", "Pending", { waiting: { reason: "ImagePullBackOff", message: "no such image" } })];
  assert.deepEqual(said([ran("work-1", "h")], { pods: pull })[0], "failed ImagePullBackOff: no such image");
  const again = [tried("a", "work-1", "Failed", { terminated: { exitCode: 3 } })];
  assert.deepEqual(said([ran("work-1", "h")], { pods: again })[0], "running exited with code 3");
});

test("by the clock: what a CronJob made, for which time, and the next one", () => {
  const annotations = { "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T11:00:00+01:00" };
  const job = { schedule: { cron: "0 12 * * *", timeZone: "Europe/Berlin" } };
  assert.deepEqual(said([ran("work-1", "", done, annotations)], { job }), ["scheduled", "work-1 succeeded", "next 2026-01-01T11:00:00.000Z"]);
  assert.deepEqual(said([ran("work-1", "", {}, annotations)], { job })[0], "running");
  assert.deepEqual(said([ran("work-1", "", failedWith("BackoffLimitExceeded", 1), annotations)], { job })[0], "scheduled Kubernetes' words");
});
