/** Objects are applied when they differ, put back when others change them, tried again when they are refused, and left alone when they are not ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { image, shop } from "../../../test/support/declarations.ts";
import { silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import type { ApiResult } from "./api-error.ts";
import { WorkloadWriter } from "./apply.ts";
import type { KubeWritten } from "./objects.ts";
import { writtenReader } from "./read-declarations.ts";
import { versionService } from "./translate-workloads.ts";
import { type WrittenObject, writtenKey, writtenObject } from "./workload-objects.ts";

const key = "Service shop/web-v1";

function serviceOf(port: number): WrittenObject {
  const service = image("web@v1", { ports: [{ port, containerPort: 8080, protocol: "http" }] });
  return versionService(service, { owners: [{ kind: "Version", name: "web-v1", uid: "uid-version" }] }) ?? assert.fail("no Service");
}

/** A cluster of one place, where everything that is applied gets an address; and a writer with what it hears of it. */
class Rig {
  readonly clock = new VirtualClock();
  readonly calls: string[] = [];
  /** What is there. */
  live: object | undefined;
  refusal: ApiResult<unknown> | undefined;
  readonly writer = new WorkloadWriter({ clock: this.clock, log: silentLog, client: this });

  get(): Promise<ApiResult<unknown>> {
    this.calls.push("get");
    return Promise.resolve(this.live === undefined ? { ok: false, error: { kind: "notFound", message: "none" } } : { ok: true, value: this.live });
  }

  apply(_place: unknown, object: unknown): Promise<ApiResult<unknown>> {
    this.calls.push("apply");
    if (this.refusal !== undefined) return Promise.resolve(this.refusal);
    const said = object as WrittenObject & { readonly spec: object };
    this.live = { ...said, metadata: { ...said.metadata, uid: "uid-service" }, spec: { clusterIP: "10.96.0.1", ...said.spec } };
    return Promise.resolve({ ok: true, value: this.live });
  }

  delete(_place: unknown, options: { readonly uid?: string }): Promise<ApiResult<unknown>> {
    this.calls.push(`delete ${options.uid}`);
    this.live = undefined;
    return Promise.resolve({ ok: true, value: {} });
  }

  /** What a watch says now. */
  held(): ReadonlyMap<string, KubeWritten> {
    return new Map(this.live === undefined ? [] : [[key, writtenReader("Service")(this.live)]]);
  }

  /** One round with what is `held`; answers what it did, and after how long it wants to be woken. */
  async round(wanted: readonly WrittenObject[], held = this.held(), unwanted: readonly KubeWritten[] = []): Promise<readonly [string, number | undefined]> {
    this.calls.length = 0;
    const wakeAt = await this.writer.round(wanted, { held, unwanted }, new AbortController().signal);
    return [this.calls.join(", "), wakeAt === undefined ? undefined : wakeAt - this.clock.now()];
  }
}

test("a new object is applied after a look whether its name is free; then there is nothing to do", async () => {
  const rig = new Rig();
  assert.deepEqual(await rig.round([serviceOf(80)]), ["get, apply", undefined]);
  assert.deepEqual(await rig.round([serviceOf(80)]), ["", undefined]);
  assert.deepEqual(await rig.round([serviceOf(81)]), ["apply", undefined], "it changed");
});

test("what is heard late is no change by others", async () => {
  const rig = new Rig();
  await rig.round([serviceOf(80)]);
  assert.deepEqual(await rig.round([serviceOf(80)], new Map()), ["", 5_000], "the watch has not shown it yet");
  const before = rig.held();
  await rig.round([serviceOf(81)]);
  assert.deepEqual(await rig.round([serviceOf(81)], before), ["", 5_000], "the watch shows the one before");
  assert.deepEqual(await rig.round([serviceOf(81)]), ["", undefined]);
});

test("what is applied and never seen, for it may not be read, is applied again ever more slowly", async () => {
  const rig = new Rig();
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 8; i += 1) {
    assert.equal((await rig.round([serviceOf(80)], new Map()))[0], "get, apply");
    const [calls, wait] = await rig.round([serviceOf(80)], new Map());
    assert.equal(calls, "");
    waits.push(wait);
    await rig.clock.advance(wait ?? 0);
  }
  assert.deepEqual(waits, [5_000, 5_000, 5_000, 5_000, 5_000, 8_000, 16_000, 30_000]);
});

test("a change by somebody is put back at once; who fights is met more slowly each time", async () => {
  const rig = new Rig();
  await rig.round([serviceOf(80)]);
  await rig.round([serviceOf(80)]);
  const edit = async (): Promise<readonly [string, number | undefined]> => {
    rig.live = { ...(rig.live as WrittenObject & { readonly spec: object }), spec: { ports: [] } };
    return rig.round([serviceOf(80)]);
  };
  assert.deepEqual(await edit(), ["apply", undefined]);
  await rig.round([serviceOf(80)]);
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 3; i += 1) {
    const [calls, wait] = await edit();
    assert.equal(calls, "", "not yet");
    waits.push(wait);
    await rig.clock.advance(wait ?? 0);
    assert.equal((await edit())[0], "apply");
    await rig.round([serviceOf(80)]);
  }
  assert.deepEqual(waits, [500, 1_000, 2_000]);
  await rig.clock.advance(61_000);
  assert.equal((await edit())[0], "apply", "after a calm minute at once again");
});

test("an annotation of ours that somebody takes over or away is put back, another's is not", async () => {
  const ours = (...keys: readonly string[]) => [
    { manager: "weir", operation: "Apply", fieldsV1: { "f:metadata": { "f:annotations": Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) } } },
  ];
  const digest = (annotations: object, managedFields: readonly object[]): string =>
    writtenReader("Service")({ metadata: { name: "web", annotations, managedFields } }).digest;
  assert.equal(digest({ a: "1" }, ours("a")), digest({ a: "1", b: "2" }, ours("a")));
  assert.notEqual(digest({ a: "1" }, ours("a")), digest({ a: "2" }, ours()));
});

test("what somebody deleted comes back", async () => {
  const rig = new Rig();
  await rig.round([serviceOf(80)]);
  await rig.round([serviceOf(80)]);
  rig.live = undefined;
  assert.equal((await rig.round([serviceOf(80)]))[0], "get, apply");
});

test("somebody else's account does as well as ours", async () => {
  const rig = new Rig();
  rig.live = { metadata: { name: "web", namespace: shop, labels: {} } };
  const account = writtenObject("ServiceAccount", { namespace: shop, name: "web", owners: [], labels: {}, fields: {} });
  const [calls, again] = await rig.round([account], new Map());
  assert.deepEqual([calls, (again ?? 0) >= 30_000, rig.writer.reasons.size], ["get", true, 0]);
});

test("somebody else's object is left alone, and the reason says so until its name is free", async () => {
  const rig = new Rig();
  rig.live = { metadata: { name: "web-v1", namespace: shop, labels: {} } };
  assert.deepEqual(await rig.round([serviceOf(80)], new Map()), ["get", 500]);
  assert.deepEqual([...rig.writer.reasons], [[key, "there is a Service web-v1 already, which Weir has not made: delete it, or choose another name"]]);
  rig.live = undefined;
  await rig.clock.advance(500);
  assert.deepEqual(await rig.round([serviceOf(80)]), ["get, apply", undefined]);
  assert.equal(rig.writer.reasons.size, 0);
});

test("a refusal is a reason and is tried again, ever more slowly; something else is tried at once", async () => {
  const rig = new Rig();
  rig.refusal = { ok: false, error: { kind: "forbidden", message: "exceeded quota: small" } };
  assert.deepEqual(await rig.round([serviceOf(80)]), ["get, apply", 500]);
  assert.deepEqual([...rig.writer.reasons.values()], ["Service web-v1: exceeded quota: small"]);
  assert.deepEqual(await rig.round([serviceOf(80)]), ["", 500]);
  await rig.clock.advance(500);
  assert.deepEqual(await rig.round([serviceOf(80)]), ["get, apply", 1_000]);
  assert.deepEqual(await rig.round([serviceOf(81)]), ["get, apply", 500]);
  rig.refusal = undefined;
  await rig.clock.advance(500);
  assert.deepEqual(await rig.round([serviceOf(81)]), ["get, apply", undefined]);
  assert.equal(rig.writer.reasons.size, 0);
});

test("what is unwanted is deleted, if it is still that one", async () => {
  const rig = new Rig();
  await rig.round([serviceOf(80)]);
  const [held] = rig.held().values();
  assert.equal((await rig.round([], rig.held(), held === undefined ? [] : [held]))[0], "delete uid-service");
});

test("keys are as messages call objects", () => {
  assert.equal(writtenKey(serviceOf(80)), key);
});
