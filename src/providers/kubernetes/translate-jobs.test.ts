/** Which Jobs and CronJobs should be there, which stay, and which go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jobObject, versionObject } from "../../../test/support/declarations.ts";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, type Raw } from "../../../test/support/kube-objects.ts";
import type { Job } from "../../model/types.ts";
import { heldObjects, unwanted, type Wanted, wantedObjects } from "./translate-wanted.ts";
import type { WrittenObject } from "./workload-objects.ts";

const hash = (text: string): string => `${text.length}`.padStart(16, "h");
const wanted = (raw: Raw, begun = new Map<string, string>()): Wanted => wantedObjects(clusterView(raw), hash, { begun });
const key = "Job shop/work";
const uid = "uid-Job-shop/work";

interface Ran {
  readonly cause: string;
  readonly state?: "succeeded" | "failed";
  readonly at?: number;
}

/** A Job of ours as the cluster has it. */
function ran(name: string, { cause, state, at = 0 }: Ran): FakeObject {
  const type = state === "succeeded" ? "Complete" : "Failed";
  const conditions = state === undefined ? [] : [{ type, status: "True" }];
  return {
    metadata: {
      namespace: "shop",
      name,
      uid: `uid-${name}`,
      labels: { "weir.dev/job": "work", "weir.dev/managed-by": "weir" },
      annotations: { "weir.dev/cause": cause },
      ownerReferences: [{ uid }],
    },
    spec: {},
    status: { startTime: new Date(at * 1_000).toISOString(), conditions },
  };
}

/** The Jobs that should be there, and those that should go. */
function jobsOf(raw: Raw, begun?: string): { readonly wanted: readonly string[]; readonly unwanted: readonly string[]; readonly begun: string | undefined } {
  const view = clusterView(raw);
  const all = wantedObjects(view, hash, { begun: new Map(begun === undefined ? [] : [[key, begun]]) });
  const isJob = (name: string): boolean => /^(Job|CronJob) /.test(name);
  return {
    wanted: [...all.objects.keys()].filter(isJob),
    unwanted: unwanted(heldObjects(view), all).map(({ name }) => name),
    begun: all.begun.get(key),
  };
}

const once = jobObject("work");
const first = wanted({ declaredJobs: [once] });
const cause = first.hashes.get(key) ?? "";
const [, run] = [...first.objects.values()].map(({ object }) => object);

test("a job is a Job that is never changed, and an account of its own", () => {
  const { objects, reasons } = wanted({
    declaredJobs: [jobObject("work", { retries: 2, timeoutMs: 1_500, graceMs: 2_000, env: { A: { kind: "literal", value: "$(B)" } } }, { restarts: 1 })],
  });
  assert.deepEqual([reasons.size, [...objects.keys()].map((name) => name.replace(/-h.*/, "-HASH"))], [0, ["ServiceAccount shop/work", "Job shop/work-HASH"]]);
  const job = [...objects.values()].map(({ object }) => object).find(({ kind }) => kind === "Job") as WrittenObject & { readonly spec: unknown };
  assert.deepEqual(job.metadata.ownerReferences, [{ apiVersion: "weir.dev/v1alpha1", kind: "Job", name: "work", uid, controller: true }]);
  assert.deepEqual(job.spec, {
    backoffLimit: 2,
    activeDeadlineSeconds: 2,
    template: {
      metadata: {
        labels: {
          "weir.dev/job": "work",
          "app.kubernetes.io/name": "work",
          "weir.dev/mesh": "on",
          "weir.dev/hash": job.metadata.annotations?.["weir.dev/cause"],
        },
        annotations: { "weir.dev/restarts": "1" },
      },
      spec: {
        serviceAccountName: "work",
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 2,
        securityContext: { seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "main",
            image: "example.com/work:1",
            command: ["work"],
            env: [
              { name: "WEIR_NAMESPACE", value: "shop" },
              { name: "WEIR_JOB", value: "work" },
              { name: "WEIR_RUN", valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-name']" } } },
              { name: "A", value: "$$(B)" },
            ],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["NET_RAW"] } },
          },
        ],
      },
    },
  });
});

test("one with a schedule is a CronJob, whose runs are asked for one by one without another hash", () => {
  const job: Partial<Job> = { schedule: { cron: "*/5 * * * *", timeZone: "UTC" }, concurrency: "replace", keep: 4 };
  const { objects, hashes } = wanted({ declaredJobs: [jobObject("work", job)] });
  const cron = objects.get("CronJob shop/work")?.object["spec"] as Readonly<Record<string, unknown>>;
  const { jobTemplate: _jobTemplate, ...rest } = cron;
  assert.deepEqual(rest, {
    schedule: "*/5 * * * *",
    timeZone: "UTC",
    concurrencyPolicy: "Replace",
    successfulJobsHistoryLimit: 4,
    failedJobsHistoryLimit: 4,
    suspend: false,
  });
  assert.deepEqual([...objects.keys()], ["ServiceAccount shop/work", "CronJob shop/work"]);
  const asked = wanted({ declaredJobs: [jobObject("work", job, { restarts: 2 })] });
  assert.equal(asked.hashes.get(key), hashes.get(key));
  const one = [...asked.objects.values()].map(({ object }) => object).find(({ kind }) => kind === "Job");
  assert.equal(one?.metadata.annotations?.["weir.dev/cause"], "restart 2");
});

test("it runs once: what is there stays, and what was there is not made again", () => {
  const name = run?.metadata.name ?? "";
  assert.deepEqual(jobsOf({ declaredJobs: [once] }), { wanted: [`Job shop/${name}`], unwanted: [], begun: undefined });
  for (const state of [undefined, "succeeded"] as const) {
    const there = jobsOf({ declaredJobs: [once], jobs: [ran(name, { cause, ...(state === undefined ? {} : { state }) })] });
    assert.deepEqual(there, { wanted: [`Job shop/${name}`], unwanted: [], begun: cause });
  }
  const failed = jobsOf({ declaredJobs: [once], jobs: [ran(name, { cause, state: "failed" })] }, cause);
  assert.deepEqual(failed, { wanted: [`Job shop/${name}`], unwanted: [], begun: cause }, "a failure stays one");
  const taken = jobsOf({ declaredJobs: [jobObject("work", {}, { status: { begun: cause, state: "succeeded" } })] });
  assert.deepEqual(taken, { wanted: [], unwanted: [], begun: cause }, "the status remembers, whoever deleted it");
});

test("what failed and comes back makes room, then runs again; what succeeded does not", () => {
  const name = run?.metadata.name ?? "";
  const back = jobObject("work", {}, { status: { begun: "another" } });
  assert.deepEqual(jobsOf({ declaredJobs: [back], jobs: [ran(name, { cause, state: "failed" })] }), { wanted: [], unwanted: [name], begun: "another" });
  assert.deepEqual(jobsOf({ declaredJobs: [back] }).wanted, [`Job shop/${name}`]);
  const done = jobsOf({ declaredJobs: [back], jobs: [ran(name, { cause, state: "succeeded" })] });
  assert.deepEqual(done, { wanted: [`Job shop/${name}`], unwanted: [], begun: cause });
});

test("what runs for something else ends before this begins; so many that ended are kept", () => {
  const going = jobsOf({ declaredJobs: [once], jobs: [ran("work-old", { cause: "old" })] });
  assert.deepEqual([going.wanted, going.unwanted], [[], ["work-old"]]);
  const old = ["a", "b", "c", "d", "e"].map((one, at) => ran(`work-${one}`, { cause: one, state: at === 1 ? "failed" : "succeeded", at }));
  const many = jobsOf({ declaredJobs: [once], jobs: old });
  assert.deepEqual([many.wanted.length, many.unwanted], [1, ["work-a", "work-b"]]);
});

test("what a CronJob made is its own to keep", () => {
  const scheduled = jobObject("work", { schedule: { cron: "@daily", timeZone: "UTC" }, keep: 1 });
  const theirs = ["x", "y", "z"].map((name) => {
    const made = ran(`work-${name}`, { cause: "", state: "succeeded" });
    return { ...made, metadata: { ...made.metadata, ownerReferences: [{ uid: "uid-of-the-cronjob" }] } };
  });
  assert.deepEqual(jobsOf({ declaredJobs: [scheduled], jobs: theirs }).unwanted, []);
});

test("what cannot be here says why; of a job and an app of one name the older has it", () => {
  const { image: _image, ...spec } = once["spec"] as Readonly<Record<string, unknown>>;
  const none = wanted({ declaredJobs: [{ ...once, spec }] });
  assert.deepEqual([none.objects.size, none.reasons.get(key)], [0, "it has no image: on a cluster `image` says what its containers are made from"]);
  const both = wanted({ declaredJobs: [jobObject("work", {}, { age: 5 })], versions: [versionObject("work@v1")] });
  assert.equal(both.reasons.get(key), "it needs the name work, which is that of Version shop/work-v1");
});
