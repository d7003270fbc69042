/** What makes the pods of a version: who says how many there are, and how one kind takes the place of another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { image, shop, versionObject } from "../../../test/support/declarations.ts";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, type Raw } from "../../../test/support/kube-objects.ts";
import { silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import type { Service } from "../../model/types.ts";
import type { ApiResult } from "./api-error.ts";
import { WorkloadWriter } from "./apply.ts";
import type { ObjectPlace } from "./client.ts";
import { readAutoscaler, runnerReader } from "./read-declarations.ts";
import { runnerObjects } from "./translate-runners.ts";
import { heldObjects, unwanted, wantedObjects } from "./translate-wanted.ts";
import { managedLabel, type WrittenObject, writtenKey } from "./workload-objects.ts";

function runner(service: Service): WrittenObject {
  const [object] = runnerObjects({ service, restarts: 0, contents: new Map() }, "0", { owners: [{ kind: "Version", name: "web-v1", uid: "uid-v1" }] });
  return object ?? assert.fail("nothing makes its pods");
}

/** A Deployment as the API server has it. `manager` last said how many there are. */
function live(replicas: number, manager = "weir", subresource?: string): FakeObject {
  const operation = manager.startsWith("weir") ? "Apply" : "Update";
  const managedFields = [{ manager, operation, ...(subresource === undefined ? {} : { subresource }), fieldsV1: { "f:spec": { "f:replicas": {} } } }];
  return {
    metadata: { name: "web-v1", namespace: shop, uid: "uid-d", generation: 1, labels: { [managedLabel.key]: managedLabel.value }, managedFields },
    spec: { replicas, strategy: {} },
    status: { observedGeneration: 1 },
  };
}

test("another number of pods is a change of ours that was undone, unless somebody else says the number", () => {
  const read = runnerReader("Deployment");
  assert.notEqual(read(live(2)).digest, read(live(3)).digest);
  assert.notEqual(read(live(2)).digest, read(live(3, "kubectl", "scale")).digest, "kubectl scale took it over");
  assert.equal(read(live(2, "kube-controller-manager", "scale")).digest, read(live(3, "kube-controller-manager", "scale")).digest);
  assert.equal(read(live(2, "weir-replicas")).digest, read(live(3, "kube-controller-manager", "scale")).digest, "from our last word to the autoscaler's first");
  assert.deepEqual([read(live(2)).saysReplicas, read(live(2, "weir-replicas")).saysReplicas], [true, false]);
});

test("who stops saying how many pods there are leaves the number with somebody first", async () => {
  const applied: (readonly [string, unknown])[] = [];
  const client = {
    get: (): Promise<ApiResult<unknown>> => Promise.resolve({ ok: false, error: { kind: "notFound", message: "none" } }),
    delete: (): Promise<ApiResult<unknown>> => Promise.resolve({ ok: true, value: {} }),
    apply: (_place: ObjectPlace, object: unknown, { manager = "weir" }: { readonly manager?: string } = {}): Promise<ApiResult<unknown>> => {
      applied.push([manager, (object as { readonly spec: { readonly replicas?: number } }).spec.replicas]);
      return Promise.resolve({ ok: true, value: object });
    },
  };
  const round = async (service: Service, there?: FakeObject): Promise<unknown> => {
    applied.length = 0;
    const object = runner(service);
    const held = there === undefined ? [] : [[writtenKey(object), runnerReader("Deployment")(there)] as const];
    const writer = new WorkloadWriter({ client, clock: new VirtualClock(), log: silentLog });
    await writer.round([object], { held: new Map(held), unwanted: [] }, new AbortController().signal);
    return applied;
  };
  const elastic = image("web@v1", { autoscale: { max: 9, cpu: 50 } });
  assert.deepEqual(await round(elastic, live(4)), [
    ["weir-replicas", 4],
    ["weir", undefined],
  ]);
  assert.deepEqual(await round(elastic, live(4, "kube-controller-manager", "scale")), [["weir", undefined]], "the autoscaler has it");
  assert.deepEqual(await round(elastic), [["weir", undefined]]);
  assert.deepEqual(await round(image("web@v1", { scale: 3 }), live(4, "kube-controller-manager", "scale")), [["weir", 3]]);
});

const volumes = [{ name: "data", path: "/data", size: "1Gi" }];
const owned = (object: FakeObject): FakeObject => ({ ...object, metadata: { ...object.metadata, ownerReferences: [{ uid: "uid-Version-shop/web-v1" }] } });

test("when another kind makes a version's pods, those of before stay until the new ones are ready", () => {
  const gone = (changes: Partial<Service>, raw: Raw): readonly string[] => {
    const view = clusterView({ versions: [versionObject("web@v1", { scale: 2, ...changes })], ...raw });
    return unwanted(
      heldObjects(view),
      wantedObjects(view, (text) => text),
    ).map((object) => writtenKey({ kind: object.kind, metadata: object }));
  };
  const deployments = [owned(live(2))];
  const set = (status: object, replicas = 2): FakeObject => owned({ ...live(replicas), status: { observedGeneration: 1, ...status } });
  assert.deepEqual(gone({}, { deployments }), [], "it is wanted");
  assert.deepEqual(gone({ volumes }, { deployments }), [], "the StatefulSet is not there yet");
  assert.deepEqual(gone({ volumes }, { deployments, statefulSets: [set({ readyReplicas: 1, updatedReplicas: 2 })] }), []);
  assert.deepEqual(gone({ volumes }, { deployments, statefulSets: [set({ observedGeneration: 0, readyReplicas: 2, updatedReplicas: 2 })] }), []);
  assert.deepEqual(gone({ volumes }, { deployments, statefulSets: [set({ readyReplicas: 2, updatedReplicas: 2 })] }), ["Deployment shop/web-v1"]);
  const few = [set({ readyReplicas: 1, updatedReplicas: 1 }, 1)];
  assert.deepEqual(gone({ volumes, autoscale: { max: 5, cpu: 50 } }, { deployments, statefulSets: few }), [], "the autoscaler has not raised it yet");
  const daemons = [owned({ ...live(0), status: { observedGeneration: 1, desiredNumberScheduled: 2, numberReady: 2, updatedNumberScheduled: 2 } })];
  assert.deepEqual(gone({ perNode: true }, { deployments, daemonSets: daemons }), ["Deployment shop/web-v1"]);
  assert.deepEqual(gone({}, { deployments, statefulSets: [set({ readyReplicas: 2, updatedReplicas: 2 })] }), [], "back again: not before its own are ready");
});

test("why an autoscaler does not work", () => {
  const read = (...conditions: readonly object[]) => readAutoscaler({ metadata: { name: "web-v1", namespace: shop }, status: { conditions } }).failure;
  assert.equal(read({ type: "AbleToScale", status: "True", message: "fine" }), undefined);
  assert.equal(read({ type: "AbleToScale", status: "True", message: "fine" }, { type: "ScalingActive", status: "False", message: "no metrics" }), "no metrics");
});
