import assert from "node:assert/strict";
import { test } from "node:test";
import { readComponent, readPodState } from "./read-state.ts";

const daemonSet = (status: object, generation = 2): object => ({ metadata: { name: "weir-node", generation }, spec: { updateStrategy: {} }, status });

test("a DaemonSet is done when every node has an available pod of the newest template", () => {
  const all = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2, numberReady: 2 };
  assert.deepEqual(readComponent(daemonSet(all)), { name: "weir-node", ready: 2, wanted: 2, done: true });
  for (const less of [{ observedGeneration: 1 }, { updatedNumberScheduled: 1 }, { numberAvailable: 1 }])
    assert.equal(readComponent(daemonSet({ ...all, ...less })).done, false, JSON.stringify(less));
  assert.equal(readComponent(daemonSet({ observedGeneration: 2 })).done, false, "nobody looked at the nodes yet");
});

test("a Deployment without a status is not done", () => {
  const deployment = { metadata: { name: "weir-control", generation: 1 }, spec: { replicas: 1 } };
  assert.deepEqual(readComponent(deployment), { name: "weir-control", ready: 0, wanted: 1, done: false });
});

const pod = (status: object): object => ({ metadata: { name: "weir-node-x" }, spec: { nodeName: "node-1" }, status });

test("a pod's reason is the cluster's own", () => {
  const waiting = { state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } }, lastState: { terminated: { exitCode: 1 } }, restartCount: 2 };
  const state = readPodState(pod({ phase: "Running", containerStatuses: [waiting] }));
  assert.equal(state.reason, "CrashLoopBackOff: back-off 10s; it ended with 1 before");
  assert.deepEqual([state.ready, state.restarts, state.node], [false, 2, "node-1"]);
  const unscheduled = { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message: "0/2 nodes are available" }] };
  assert.equal(readPodState(pod(unscheduled)).reason, "0/2 nodes are available");
});

test("how a container ended is read", () => {
  const ended = { state: { terminated: { exitCode: 137, reason: "Error" } } };
  const state = readPodState(pod({ phase: "Failed", containerStatuses: [ended] }));
  assert.deepEqual([state.exitCode, state.reason], [137, "ended with 137 (Error)"]);
});

test("nonsense is no crash", () => {
  for (const value of [undefined, null, 7, "x", [], { status: 3 }]) assert.equal(readPodState(value).ready, false);
});
