/** What statuses say of versions, apps, routers and external services. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { adoptedObject, appObject, externalObject, ownService, podOf, routerObject, versionObject } from "../../../test/support/declarations.ts";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, type Raw, sliceObject } from "../../../test/support/kube-objects.ts";
import { rule } from "../../../test/support/stacks.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { translateCluster } from "../../providers/kubernetes/translate.ts";
import { clusterGateway, clusterWorld } from "./cluster-world.ts";
import { type DeclaredStatus, declaredStatuses, type StatusInput } from "./declared-statuses.ts";
import type { InForce } from "./in-force.ts";

const now = 1_000_000;
const raw: Raw = {
  apps: [appObject("web", { v1: 9_000, v2: 1_000 }, { generation: 7 })],
  versions: [versionObject("web@v1", { scale: 2 }, { generation: 3 }), versionObject("web@v2")],
  services: [
    ownService("shop/web", { app: "web" }, "10.96.0.1"),
    ownService("shop/web-v1", { app: "web", version: "v1" }, "10.96.0.2"),
    ownService("shop/web-v2", { app: "web", version: "v2" }, "10.96.0.3"),
  ],
};
const hashes = new Map([
  ["Version shop/web-v1", "new"],
  ["Version shop/web-v2", "new"],
]);
const generations = new Map([
  ["Version shop/web-v1", 3],
  ["Version shop/web-v2", 1],
]);

function inForceOf(view: ClusterView, at = now): InForce {
  const translation = translateCluster(view);
  return { world: clusterWorld(translation, at, clusterGateway("localhost"), undefined), view, declaredApps: translation.declaredApps, refusals: [] };
}

function said(changes: Raw, more: Partial<StatusInput> = {}): ReadonlyMap<string, DeclaredStatus> {
  const view = clusterView({ ...raw, ...changes });
  return declaredStatuses({
    view,
    workloads: { reasons: new Map(), hashes, generations, begun: new Map() },
    inForce: inForceOf(view),
    now,
    before: new Map(),
    ...more,
  });
}

/** `STATE READY/WANTED REASON` of the version `v1`. */
function stateOf(changes: Raw, more: Partial<StatusInput> = {}): string {
  const found = said(changes, more).get("Version shop/web-v1");
  const { state, ready, wanted, reason = "" } = found?.kind === "service" ? found.status : assert.fail("no status");
  return `${state} ${ready}/${wanted} ${reason}`.trim();
}

const ready = (name: string, hash = "new"): FakeObject => podOf(`shop/${name}`, "web@v1", hash);
const sick = (name: string, state: object, restartCount = 0, hash = "new"): FakeObject =>
  podOf(`shop/${name}`, "web@v1", hash, { conditions: [], containerStatuses: [{ restartCount, ...state }] });
const crashing = { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: { exitCode: 3 } } };
/** The endpoints that these pods are. */
const slices = (...names: readonly string[]): readonly FakeObject[] => {
  const endpoints = names.map((name, at) => ({
    addresses: [`10.1.0.${at}`],
    conditions: { ready: true },
    targetRef: { kind: "Pod", uid: `uid-shop/${name}` },
  }));
  return [sliceObject("shop/web-v1-1", endpoints, [{ name: "http-80", port: 8080 }])];
};

test("a version is ready when all its pods are, and Envoys know them, and none of before is left", () => {
  assert.equal(stateOf({}), "starting 0/2");
  assert.equal(stateOf({ pods: [ready("a"), ready("b")] }), "starting 2/2 waits for Envoy");
  assert.equal(stateOf({ pods: [ready("a"), ready("b")], slices: slices("a") }), "starting 2/2 waits for Envoy");
  assert.equal(stateOf({ pods: [ready("a"), ready("b"), ready("c", "old")], slices: slices("a", "b") }), "starting 2/2 replaces pods of before");
  assert.equal(stateOf({ pods: [ready("a"), ready("b")], slices: slices("a", "b") }), "ready 2/2");
  const going = podOf("shop/c", "web@v1", "old", {}, true);
  assert.equal(stateOf({ pods: [ready("a"), ready("b"), going], slices: slices("a", "b") }), "ready 2/2", "who ends is not counted");
});

test("why a version does not come up", () => {
  assert.equal(stateOf({ pods: [sick("a", crashing, 1)] }), "starting 0/2 exited with code 3, 2 times");
  assert.equal(stateOf({ pods: [sick("a", crashing, 2)] }), "failing 0/2 exited with code 3, 3 times");
  assert.equal(stateOf({ pods: [sick("a", crashing, 2), ready("b", "old")] }), "failing 0/2 exited with code 3, 3 times; 1 of before still serves");
  const pull = { state: { waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "nowhere"\nmore' } } };
  assert.equal(stateOf({ pods: [sick("a", pull)] }), 'failing 0/2 ImagePullBackOff: Back-off pulling image "nowhere"');
  assert.equal(stateOf({ pods: [sick("a", { state: { waiting: { reason: "ContainerCreating" } } })] }), "starting 0/2");
  const oom = { state: { terminated: { exitCode: 137, reason: "OOMKilled" } } };
  assert.equal(stateOf({ pods: [sick("a", oom, 4)] }), "failing 0/2 killed: it used more memory than it may, 5 times");
  const unscheduled = podOf("shop/a", "web@v1", "new", { conditions: [{ type: "PodScheduled", status: "False", message: "0/2 nodes are available" }] });
  assert.equal(stateOf({ pods: [unscheduled] }), "starting 0/2 no node takes it: 0/2 nodes are available");
  const deployment = {
    metadata: { name: "web-v1", namespace: "shop", generation: 1 },
    status: { conditions: [{ type: "ReplicaFailure", status: "True", message: "exceeded quota" }] },
  };
  assert.equal(stateOf({ deployments: [deployment] }), "failing 0/2 exceeded quota");
  const reasons = new Map([["Version shop/web-v1", "it has no image"]]);
  assert.equal(stateOf({}, { workloads: { reasons, hashes, generations, begun: new Map() } }), "failing 0/2 it has no image");
});

test("what was ready and is no longer is degraded; more of it than before is starting", () => {
  const full: Raw = { pods: [ready("a"), ready("b")], slices: slices("a", "b") };
  const before = said(full);
  assert.equal(stateOf({ pods: [ready("a"), sick("b", crashing, 1)], slices: slices("a") }, { before }), "degraded 1/2 exited with code 3, 2 times");
  assert.equal(stateOf({ ...full, versions: [versionObject("web@v1", { scale: 5 }, { generation: 3 })] }, { before }), "starting 2/5");
});

test("of a generation that nothing was done about yet nothing is said", () => {
  const full: Raw = { pods: [ready("a"), ready("b")], slices: slices("a", "b") };
  const before = said(full);
  const newer = new Map([["Version shop/web-v1", 0]]);
  const still = said({ ...full, pods: [ready("a")] }, { before, workloads: { reasons: new Map(), hashes, generations: newer, begun: new Map() } }).get(
    "Version shop/web-v1",
  );
  assert.equal(still?.status, before.get("Version shop/web-v1")?.status);
});

test("of an adopted Deployment all pods count that it has", () => {
  const versions = [adoptedObject("web@v1", { app: "web" }, { scale: 9 })];
  const theirs = (name: string, status: Readonly<Record<string, unknown>> = {}): FakeObject => {
    const made = podOf(`shop/${name}`, "web@v1", "new", status);
    return { ...made, metadata: { ...made.metadata, labels: { app: "web", team: "x" } } };
  };
  const adoptedHashes = { reasons: new Map(), hashes: new Map([["Version shop/web-v1", "adopted"]]), generations, begun: new Map() };
  const state = (changes: Raw): string => stateOf({ versions, ...changes }, { workloads: adoptedHashes });
  assert.equal(state({}), "stopped 0/0");
  assert.equal(state({ pods: [theirs("a"), theirs("b")], slices: slices("a", "b") }), "ready 2/2");
  assert.equal(state({ pods: [theirs("a"), theirs("b", { conditions: [] })], slices: slices("a") }), "starting 1/2");
  assert.equal(state({ pods: [ready("a")] }), "stopped 0/0", "pods that its selector does not take are not its own");
});

test("how many pods there should be: as the nodes, or the autoscaler, say", () => {
  const full: Raw = { pods: [ready("a"), ready("b"), ready("c")], slices: slices("a", "b", "c") };
  const meta = { name: "web-v1", namespace: "shop", generation: 2 };
  const perNode = [versionObject("web@v1", { perNode: true }, { generation: 3 })];
  assert.equal(stateOf({ versions: perNode }), "starting 0/1", "nobody counted the nodes yet");
  const daemonSet = (observedGeneration: number, desiredNumberScheduled: number): FakeObject => ({
    metadata: meta,
    status: { observedGeneration, desiredNumberScheduled },
  });
  assert.equal(stateOf({ ...full, versions: perNode, daemonSets: [daemonSet(2, 3)] }), "ready 3/3");
  assert.equal(stateOf({ ...full, versions: perNode, daemonSets: [daemonSet(2, 4)] }), "starting 3/4");
  assert.equal(stateOf({ versions: perNode, daemonSets: [daemonSet(2, 0)] }), "stopped 0/0");
  const elastic = [versionObject("web@v1", { scale: 2, autoscale: { max: 4, cpu: 50 } }, { generation: 3 })];
  const deployment = (replicas: number): FakeObject => ({ metadata: meta, spec: { replicas }, status: { observedGeneration: 2 } });
  assert.equal(stateOf({ versions: elastic, deployments: [deployment(1)] }), "starting 0/2", "before the autoscaler came");
  assert.equal(stateOf({ ...full, versions: elastic, deployments: [deployment(3)] }), "ready 3/3");
  assert.equal(stateOf({ ...full, versions: elastic, deployments: [deployment(9)] }), "starting 3/4", "somebody asked for more than is allowed");
  const autoscaler: FakeObject = { metadata: meta, status: { conditions: [{ type: "ScalingActive", status: "False", message: "no metrics" }] } };
  const state = stateOf({ ...full, versions: elastic, deployments: [deployment(3)], autoscalers: [autoscaler] });
  assert.equal(state, "ready 3/3 its number does not follow its use of the processor: no metrics");
});

test("a version without replicas drains, then it is stopped", () => {
  const versions = [versionObject("web@v1", { scale: 0 })];
  assert.equal(stateOf({ versions, pods: [podOf("shop/a", "web@v1", "new", {}, true)] }), "draining 0/0");
  assert.equal(stateOf({ versions }), "stopped 0/0");
});

test("an app's shares are those in force; it is programmed when what is declared is, and nothing moves", () => {
  const app = (more: Partial<StatusInput> = {}, changes: Raw = {}): unknown => {
    const found = said(changes, more).get("App shop/web");
    const { observedGeneration, weights, programmed, reason } = found?.kind === "app" ? found.status : assert.fail("no status");
    return [observedGeneration, weights, programmed, reason];
  };
  assert.deepEqual(app(), [7, { v1: 9_000, v2: 1_000 }, true, undefined]);
  const older = inForceOf(clusterView({ ...raw, apps: [appObject("web", { v1: 10_000, v2: 0 }, { generation: 6 })] }));
  assert.deepEqual(app({ inForce: older }), [7, { v1: 10_000, v2: 0 }, false, undefined]);
  const rollout = { from: { v1: 10_000, v2: 0 }, startedAt: now, durationMs: 10_000 };
  const moving: Raw = { apps: [appObject("web", { v1: 0, v2: 10_000 }, { rollout })] };
  assert.deepEqual(app({}, moving), [1, { v1: 10_000, v2: 0 }, false, undefined]);
  const end = clusterView({ ...raw, ...moving });
  assert.deepEqual(app({ inForce: inForceOf(end, now + 10_000), view: end, now: now + 10_000 }, moving), [1, { v1: 0, v2: 10_000 }, true, undefined]);
  assert.deepEqual(app({}, { versions: [] }), [7, {}, false, "it has no versions"]);
  const refusals = [{ node: "n1", resource: "web@v2.shop:80" }];
  const refused = "the Envoy of node n1 refused web@v2.shop:80; what it had before stays in force";
  const view = clusterView(raw);
  assert.deepEqual(app({ view, inForce: { ...inForceOf(view), refusals } }), [7, { v1: 9_000, v2: 1_000 }, false, refused]);
});

test("routers and external services are programmed once they have an address; a rule that leads nowhere is told", () => {
  const changes: Raw = {
    routers: [routerObject("www", { rules: [rule("lost")] })],
    externals: [externalObject("db")],
    services: [...(raw.services ?? []), ownService("shop/www", {}, "10.96.1.1", { selector: undefined })],
  };
  const found = said(changes);
  const of = (key: string): unknown => {
    const one = found.get(key);
    const { programmed, reason } = one?.kind === "router" || one?.kind === "external" ? one.status : assert.fail("no status");
    return [programmed, reason];
  };
  assert.deepEqual(of("Router shop/www"), [true, "rule 1 leads to the app lost, which is not there"]);
  assert.deepEqual(of("ExternalService shop/db"), [false, undefined]);
});
