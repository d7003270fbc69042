/** Statuses of routes written over real HTTP; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { directAccess } from "./access.ts";
import { KubeClient } from "./client.ts";
import { gatewayApiStatuses } from "./gateway-api-status.ts";
import { meshController } from "./route-objects.ts";
import { StatusWriter } from "./status-writer.ts";
import type { RouteStatus } from "./translate-routes.ts";

const parentRef = { group: "", kind: "Service", name: "web" };

function wanted(said: Partial<RouteStatus> = {}, status = "True"): RouteStatus {
  const conditions = [{ type: "Accepted", status, reason: "Accepted", message: "", generation: 2 }];
  return {
    kind: "HTTPRoute",
    namespace: "shop",
    name: "r",
    uid: "u1",
    reported: [],
    parents: [{ controller: meshController, parentRef, conditions }],
    ...said,
  };
}

const others = { parentRef: { name: "gw" }, controllerName: "other", conditions: [] };
const ours = (lastTransitionTime: string, status = "True") => ({
  parentRef,
  controllerName: "weir.dev/mesh",
  conditions: [{ type: "Accepted", status, reason: "Accepted", message: "", observedGeneration: 2, lastTransitionTime }],
});

interface Rig {
  readonly clock: VirtualClock;
  /** What was written: the query, and the object. */
  readonly writes: { readonly query: string; readonly object: { readonly metadata: object; readonly status: { readonly parents: readonly object[] } } }[];
  /** HTTP statuses of the next answers, before writes are taken. */
  readonly refusals: number[];
  /** One round with these; answers how many writes it made, and after how long it wants to be called again. */
  round(...statuses: readonly RouteStatus[]): Promise<readonly [number, number | undefined]>;
}

async function started(t: TestContext, parents: readonly object[]): Promise<Rig> {
  const api = new FakeKubeApi();
  const clock = new VirtualClock();
  const [writes, refusals]: [Rig["writes"], number[]] = [[], []];
  api.answer = ({ method, url, body }) => {
    if (method === "GET") return { status: 200, body: { apiVersion: "gateway.networking.k8s.io/v1", metadata: { resourceVersion: "7" }, status: { parents } } };
    const refusal = refusals.shift();
    if (refusal !== undefined) return { status: refusal, body: { message: "not now" } };
    writes.push({ query: url.search, object: JSON.parse(body) as Rig["writes"][number]["object"] });
    return { status: 200, body: {} };
  };
  await api.start();
  const access = directAccess(api.url);
  const writer = new StatusWriter({ client: new KubeClient({ access, clock }), clock, log: silentLog });
  t.after(async () => {
    access.close();
    await api.stop();
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  });
  return {
    clock,
    writes,
    refusals,
    async round(...statuses) {
      const before = writes.length;
      const { wakeAt } = await writer.round(gatewayApiStatuses(statuses), new AbortController().signal);
      return [writes.length - before, wakeAt === undefined ? undefined : wakeAt - clock.now()];
    },
  };
}

test("a status is written once, with the others' words in it, and again when it is about something else", async (t) => {
  const { round, writes, clock } = await started(t, [others]);
  assert.deepEqual(await round(wanted()), [1, undefined]);
  const [write] = writes;
  const at = new Date(clock.now()).toISOString().slice(0, 10);
  assert.match(write?.query ?? "", /fieldManager=weir&force=true/);
  assert.deepEqual([write?.object.metadata, write?.object.status.parents[0]], [{ name: "r", namespace: "shop", resourceVersion: "7" }, others]);
  assert.match(JSON.stringify(write?.object.status.parents[1]), new RegExp(`"lastTransitionTime":"${at}T[0-9:]+Z"`));
  assert.deepEqual(await round(wanted()), [0, undefined], "the same again");
  assert.deepEqual(await round(wanted({}, "False")), [1, undefined], "another");
  assert.deepEqual(await round(wanted({ uid: "u2" }, "False")), [1, undefined], "made anew under its name before its words were heard of");
});

test("what is there already is not written; the time of a change stays; words about nothing of ours go", async (t) => {
  const { parents } = wanted();
  const { round, writes } = await started(t, [ours("2026-01-02T03:04:05Z"), others]);
  assert.deepEqual(await round(wanted({ reported: parents })), [0, undefined]);
  assert.deepEqual(await round(wanted({ reported: [] })), [1, undefined], "somebody wrote over it");
  assert.deepEqual(writes[0]?.object.status.parents, [others, ours("2026-01-02T03:04:05Z")]);
  assert.deepEqual(await round(wanted({ reported: parents, parents: [] })), [1, undefined]);
  assert.deepEqual(writes[1]?.object.status.parents, [others]);
});

test("a write that fails is tried again, ever more slowly; other words at once", async (t) => {
  const { round, refusals, clock } = await started(t, []);
  refusals.push(409, 500, 500);
  assert.deepEqual(await round(wanted()), [0, 500]);
  assert.deepEqual(await round(wanted()), [0, 500], "not yet");
  await clock.advance(500);
  assert.deepEqual(await round(wanted()), [0, 1_000]);
  assert.deepEqual(await round(wanted({}, "False")), [0, 500]);
  await clock.advance(500);
  assert.deepEqual(await round(wanted({}, "False")), [1, undefined]);
});

test("of an object that is gone there is nothing to say", async (t) => {
  const { round, refusals } = await started(t, []);
  refusals.push(404);
  assert.deepEqual(await round(wanted()), [0, undefined]);
  assert.deepEqual(await round(wanted()), [1, undefined], "it is there after all");
});
