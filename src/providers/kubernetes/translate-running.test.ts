import assert from "node:assert/strict";
import { test } from "node:test";
import { readRunningPod, runningPods } from "./translate-running.ts";

type Fields = Readonly<Record<string, unknown>>;

const labels = { "weir.dev/app": "web", "weir.dev/version": "v1", "weir.dev/hash": "h1" };

function pod(container: Fields, status: Fields = {}, meta: Fields = {}): unknown {
  return {
    metadata: { namespace: "shop", name: "web-v1-abc-xyz", labels, creationTimestamp: "2026-01-01T00:00:00Z", ...meta },
    spec: { nodeName: "n1", serviceAccountName: "web", containers: [{ name: "main" }] },
    status: { phase: "Running", podIP: "10.1.0.9", containerStatuses: [{ name: "other" }, { name: "main", restartCount: 0, ...container }], ...status },
  };
}

const running = { state: { running: { startedAt: "2026-01-01T00:00:05Z" } } };
const ready = (status: string, at: string) => ({ conditions: [{ type: "Ready", status, lastTransitionTime: at }] });

test("a pod of a version is a workload", () => {
  const read = readRunningPod(pod(running, ready("True", "2026-01-01T00:00:07Z")));
  assert.deepEqual(read, {
    id: "web-v1-abc-xyz",
    pod: "web-v1-abc-xyz",
    container: "main",
    stdin: false,
    tty: false,
    ending: false,
    key: "shop/web@v1",
    namespace: "shop",
    app: "web",
    version: "v1",
    hash: "h1",
    phase: "ready",
    since: Date.parse("2026-01-01T00:00:07Z"),
    restarts: 0,
    startedAt: Date.parse("2026-01-01T00:00:05Z"),
    network: { address: "10.1.0.9", captureAddress: "", capturePort: 0, networkNamespace: "" },
    node: "n1",
    serviceAccount: "web",
  });
  assert.equal(readRunningPod({ metadata: { namespace: "shop", name: "x", labels: {} } }), undefined, "somebody else's");
});

const exit = (code: number, reason = "Error") => ({ terminated: { exitCode: code, reason } });
const waiting = (reason: string, message?: string) => ({ waiting: { reason, ...(message === undefined ? {} : { message }) } });

/** What a pod says → its phase, its reason, and whether waiting helps. */
const phases: readonly (readonly [string, unknown, readonly [string, string | undefined, true | undefined]])[] = [
  ["starting", pod(running, ready("False", "2026-01-01T00:00:00Z")), ["starting", "its ready check has not passed yet", undefined]],
  ["no longer ready", pod(running, ready("False", "2026-01-01T00:01:00Z")), ["unready", "its ready check fails", undefined]],
  ["deleted", pod(running, ready("True", "2026-01-01T00:01:00Z"), { deletionTimestamp: "2026-01-01T01:00:00Z" }), ["draining", undefined, undefined]],
  [
    "nowhere to go",
    pod({}, { phase: "Pending", containerStatuses: [], conditions: [{ type: "PodScheduled", status: "False", message: "0/2 nodes are available" }] }),
    ["pending", "0/2 nodes are available", undefined],
  ],
  ["being made", pod({ state: waiting("ContainerCreating") }), ["pending", undefined, undefined]],
  ["image tried once", pod({ state: waiting("ErrImagePull", "not found") }), ["pending", "ErrImagePull: not found", undefined]],
  ["image given up", pod({ state: waiting("ImagePullBackOff", "Back-off\npulling") }), ["pending", "ImagePullBackOff: Back-off pulling", true]],
  [
    "config missing",
    pod({ state: waiting("CreateContainerConfigError", 'secret "a" not found') }),
    ["pending", 'CreateContainerConfigError: secret "a" not found', true],
  ],
  ["crashed just now", pod({ state: exit(3) }), ["backoff", "exited with code 3", undefined]],
  ["crashes again and again", pod({ state: waiting("CrashLoopBackOff"), lastState: exit(1), restartCount: 4 }), ["backoff", "exited with code 1", undefined]],
  [
    "out of memory",
    pod({ state: waiting("CrashLoopBackOff"), lastState: exit(137, "OOMKilled") }),
    ["backoff", "was killed: it used more memory than it may", undefined],
  ],
  ["no such program", pod({ state: exit(128, "StartError") }), ["backoff", "exited with code 128: StartError", undefined]],
  ["evicted", pod({}, { phase: "Failed", reason: "Evicted", message: "The node was low on memory." }), ["exited", "The node was low on memory.", undefined]],
];

for (const [name, raw, expected] of phases) {
  test(`the phase of a pod: ${name}`, () => {
    const read = readRunningPod(raw);
    assert.deepEqual([read?.phase, read?.reason, read?.cannotStart], expected);
  });
}

test("ids are unique on the cluster", () => {
  const one = readRunningPod(pod(running));
  const other = readRunningPod(pod(running, {}, { namespace: "team" }));
  assert.deepEqual([...runningPods([one]).keys()], ["web-v1-abc-xyz"]);
  assert.deepEqual(
    [...runningPods([one, undefined, other])].map(([id, found]) => [id, found.id, found.namespace]),
    [
      ["web-v1-abc-xyz.shop", "web-v1-abc-xyz.shop", "shop"],
      ["web-v1-abc-xyz.team", "web-v1-abc-xyz.team", "team"],
    ],
  );
});
