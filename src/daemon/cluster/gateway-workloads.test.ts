/** What runs for Gateways, applied: once, again when it is due, and never over what somebody else made. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually, VirtualClock } from "../../../test/support/virtual-clock.ts";
import { Cell } from "../../lib/cell.ts";
import type { ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { GatewayObject } from "../../providers/kubernetes/translate-gateway-workloads.ts";
import { GatewayWorkloads, type WantedObjects } from "./gateway-workloads.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function service(name: string, port = 80): GatewayObject {
  return { group: "", version: "v1", resource: "services", namespace: "shop", name, object: { kind: "Service", spec: { port } } };
}

interface Rig {
  readonly cell: Cell<WantedObjects>;
  readonly clock: VirtualClock;
  readonly applied: string[];
  /** Labels of the object that is there already. */
  there: object | undefined;
}

function started(t: TestContext, first: readonly GatewayObject[], there?: object): Rig {
  const clock = new VirtualClock();
  const rig: Rig = { cell: new Cell<WantedObjects>({ objects: first, unwanted: [] }), clock, applied: [], there };
  const client = {
    get: (): Promise<ApiResult<unknown>> =>
      Promise.resolve(
        rig.there === undefined
          ? { ok: false, error: { kind: "notFound", message: "there is none" } }
          : { ok: true, value: { metadata: { labels: rig.there } } },
      ),
    apply: ({ name }: { readonly name: string }, object: unknown): Promise<ApiResult<unknown>> => {
      rig.applied.push(`${name} ${JSON.stringify((object as { readonly spec: unknown }).spec)}`);
      return Promise.resolve({ ok: true, value: object });
    },
    delete: ({ name }: { readonly name: string }): Promise<ApiResult<unknown>> => {
      rig.applied.push(`${name} deleted`);
      rig.there = undefined;
      return Promise.resolve({ ok: true, value: {} });
    },
  };
  const stop = new AbortController();
  const work = new GatewayWorkloads({ client, clock, log: quiet, wanted: rig.cell }).start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
  });
  return rig;
}

test("each object once, again when it is another, and all of them every minute", async (t) => {
  const { cell, clock, applied } = started(t, [service("a"), service("b")]);
  await eventually(() => applied.length === 2, "both");
  cell.set({ objects: [service("a"), service("b", 81)], unwanted: [] });
  await eventually(() => applied.length === 3, "the changed one");
  assert.deepEqual(applied, ['a {"port":80}', 'b {"port":80}', 'b {"port":81}']);
  await clock.advance(60_000);
  await eventually(() => applied.length === 5, "again");
});

test("what somebody else made is left alone, until it is gone", async (t) => {
  const rig = started(t, [service("a")], { "weir.dev/managed-by": "weir" });
  await eventually(() => rig.clock.sleeping > 0, "it waits");
  await rig.clock.advance(5_000);
  assert.deepEqual(rig.applied, []);
  rig.there = { "weir.dev/part-of": "gateway" };
  await rig.clock.advance(5_000);
  await eventually(() => rig.applied.length === 1, "applied");
});

test("what must not be there is deleted, if it is ours", async (t) => {
  const rig = started(t, []);
  rig.there = { "weir.dev/part-of": "somebody" };
  rig.cell.set({ objects: [], unwanted: [service("a")] });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(rig.applied, []);
  rig.there = { "weir.dev/part-of": "gateway" };
  rig.cell.set({ objects: [], unwanted: [service("a"), service("b")] });
  await eventually(() => rig.applied.length > 0, "deleted");
  assert.deepEqual(rig.applied, ["b deleted"]);
});
