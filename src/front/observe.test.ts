import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, service } from "../../test/support/declared.ts";
import { serviceView } from "../api/views.ts";
import { areGone, areSettled, isHopeless, isInEnvoy } from "../api/waiting.ts";
import type { DeclaredSnapshot, Write } from "../model/declared.ts";
import type { VersionKey } from "../model/names.ts";
import type { VersionStatus } from "../providers/kubernetes/declared-status.ts";
import { readRunningPod, runningPods } from "../providers/kubernetes/translate-running.ts";
import { settle } from "../release/settle.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { observe, type Seen } from "./observe.ts";

const key = "default/web@v1" as VersionKey;
const app = "default/web";

function declared(...refs: readonly string[]): DeclaredSnapshot {
  const store = new MemoryStore({ now: () => 0 });
  const puts = refs.map(
    (ref): Write => ({ op: "put", kind: "service", key: `default/${ref}`, value: { service: service(ref, { scale: 2 }), origin: "file", restarts: 0 } }),
  );
  return commit(store, settle(store.snapshot.get(), puts, { now: 0, change: "up" }));
}

function pod(name: string, said: { readonly hash?: string; readonly ready?: boolean; readonly ending?: boolean; readonly waiting?: string } = {}): unknown {
  const { hash = "h1", ready = true, ending = false, waiting } = said;
  const state = waiting === undefined ? { running: { startedAt: "2026-01-01T00:00:00Z" } } : { waiting: { reason: waiting } };
  return {
    metadata: {
      namespace: "default",
      name,
      labels: { "weir.dev/app": "web", "weir.dev/version": "v1", "weir.dev/hash": hash },
      ...(ending ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: { containers: [{ name: "main" }] },
    status: {
      phase: "Running",
      podIP: "10.1.0.1",
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
      containerStatuses: [{ name: "main", state, restartCount: 0 }],
    },
  };
}

const versionStatus: VersionStatus = { observedGeneration: 1, hash: "h1", state: "ready", ready: 2, wanted: 2, weight: 10_000, conditions: [] };
const appStatus = { observedGeneration: 1, weights: { v1: 10_000 }, programmed: true, conditions: [] };

function seen(pods: readonly unknown[], said: Partial<Seen> = {}): Seen {
  return {
    declared: declared("web@v1"),
    statuses: { service: new Map([[key, versionStatus]]), app: new Map([[app, appStatus]]), job: new Map(), router: new Map(), external: new Map() },
    pods: runningPods(pods.map(readRunningPod)),
    stale: new Set(),
    ...said,
  };
}

const view = (state: Seen) => {
  const observed = observe(state, 0);
  const object = observed.declared.objects.service.get(key);
  assert.ok(object !== undefined);
  return serviceView(observed, object, 0);
};
const settled = (state: Seen) => areSettled(observe(state, 0), 0, [key]);

test("ready is: as many pods of the newest hash as are declared, and Envoy has the app", () => {
  const good = seen([pod("a"), pod("b")]);
  assert.deepEqual([view(good).state, view(good).ready, view(good).url], ["ready", 2, undefined]);
  assert.ok(settled(good));
  assert.ok(!settled(seen([pod("a"), pod("b", { ready: false })])), "one is not ready");
  assert.equal(view(seen([pod("a"), pod("b", { hash: "h0" })])).state, "starting");
  assert.ok(!settled(seen([pod("a"), pod("b"), pod("c", { hash: "h0" })])), "one of before still serves");
  assert.ok(settled(seen([pod("a"), pod("b"), pod("c", { hash: "h0", ending: true })])), "one of before that is ending gets nothing new");
  const unseen = { ...good.statuses, app: new Map([[app, { ...appStatus, programmed: false }]]) };
  assert.ok(!settled({ ...good, statuses: unseen }), "Envoy has not acknowledged");
  const older = { ...good.statuses, service: new Map([[key, { ...versionStatus, observedGeneration: 0 }]]) };
  assert.ok(!settled({ ...good, statuses: older }), "pods may be of what was declared before");
  assert.ok(!settled({ ...good, silentBecause: "no route" }) || view({ ...good, silentBecause: "no route" }).state === "degraded");
});

test("what Envoy does not have concerns only those who ask for it", () => {
  const two = declared("web@v1", "cart@v1");
  const observed = observe(seen([], { declared: two }), 0);
  assert.ok(isInEnvoy(observed, [`app ${app}`]));
  assert.ok(!isInEnvoy(observed, ["app default/cart"]), "nobody said anything of it yet");
  assert.deepEqual([...(observed.world.apps.get(app as never)?.weights ?? [])], [["v1", 10_000]]);
});

test("an app whose weights move is where it should be; once they stand still, Envoy must say so", () => {
  const base = declared("web@v1");
  const record = base.objects.app.get(app);
  assert.ok(record !== undefined);
  const moving = { ...record, value: { ...record.value, rollout: { from: { v1: 10_000 }, startedAt: 0, durationMs: 1_000 } } };
  const state = seen([], {
    declared: { ...base, objects: { ...base.objects, app: new Map([[app, moving]]) } },
    statuses: { ...seen([]).statuses, app: new Map([[app, { ...appStatus, programmed: false }]]) },
  });
  assert.ok(isInEnvoy(observe(state, 500), [`app ${app}`]));
  assert.ok(!isInEnvoy(observe(state, 1_000), [`app ${app}`]));
});

test("hope ends with an image that cannot be had, or with the word of the control plane; a word about another generation counts for nothing", () => {
  assert.ok(isHopeless(observe(seen([pod("a", { waiting: "ImagePullBackOff" })]), 0), key));
  assert.ok(!isHopeless(observe(seen([pod("a", { waiting: "ErrImagePull" })]), 0), key));
  const failing = (observedGeneration: number) => ({
    ...seen([]).statuses,
    service: new Map([[key, { ...versionStatus, observedGeneration, state: "failing" as const, reason: "the name web is somebody else's" }]]),
  });
  const judged = seen([], { statuses: failing(1) });
  assert.ok(isHopeless(observe(judged, 0), key));
  assert.deepEqual([view(judged).state, view(judged).reason], ["failing", "the name web is somebody else's"]);
  assert.ok(!isHopeless(observe(seen([], { statuses: failing(0) }), 0), key));
  const moment = { ...seen([]).statuses, app: new Map([[app, { ...appStatus, programmed: false, reason: "it has no versions" }]]) };
  assert.ok(!isHopeless(observe(seen([], { statuses: moment }), 0), key), "what is said of the app may be over in a moment");
});

test("what is no longer declared is late as long as a pod of it may answer, and gone with its last pod", () => {
  const nothing = declared();
  const left = (pods: readonly unknown[]) => observe(seen(pods, { declared: nothing }), 0);
  assert.ok(!isInEnvoy(left([pod("a")]), [`service ${key}`]));
  assert.ok(isInEnvoy(left([pod("a", { ending: true })]), [`service ${key}`]));
  assert.ok(!areGone(left([pod("a", { ending: true })]), 0, new Set([key])));
  assert.ok(areGone(left([]), 0, new Set([key])));
});

test("the number of pods is the control plane's where it is not the version's to say, and what it remarks is shown", () => {
  const store = new MemoryStore({ now: () => 0 });
  const elastic = service("web@v1", { scale: 1, autoscale: { max: 5, cpu: 50 }, resources: { cpu: "100m" } });
  const put: Write = { op: "put", kind: "service", key, value: { service: elastic, origin: "file", restarts: 0 } };
  const state = seen([pod("a"), pod("b")], {
    declared: commit(store, settle(store.snapshot.get(), [put], { now: 0, change: "up" })),
    statuses: { ...seen([]).statuses, service: new Map([[key, { ...versionStatus, reason: "no metrics" }]]) },
  });
  const shown = view(state);
  assert.deepEqual([shown.ready, shown.wanted, shown.state, shown.reason], [2, 2, "ready", "no metrics"]);
});
