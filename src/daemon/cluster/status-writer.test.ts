/** Statuses of routes against an API server over real HTTP; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { eventually, VirtualClock } from "../../../test/support/virtual-clock.ts";
import { Cell } from "../../lib/cell.ts";
import { directAccess } from "../../providers/kubernetes/access.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import { meshController } from "../../providers/kubernetes/route-objects.ts";
import type { RouteStatus } from "../../providers/kubernetes/translate-routes.ts";
import { StatusWriter } from "./status-writer.ts";

const parentRef = { group: "", kind: "Service", name: "web" };

function wanted(said: Partial<RouteStatus> = {}, status = "True"): RouteStatus {
  const conditions = [{ type: "Accepted", status, reason: "Accepted", message: "", generation: 2 }];
  return { kind: "HTTPRoute", namespace: "shop", name: "r", reported: [], parents: [{ controller: meshController, parentRef, conditions }], ...said };
}

const others = { parentRef: { name: "gw" }, controllerName: "other", conditions: [] };
const ours = (lastTransitionTime: string, status = "True") => ({
  parentRef,
  controllerName: "weir.dev/mesh",
  conditions: [{ type: "Accepted", status, reason: "Accepted", message: "", observedGeneration: 2, lastTransitionTime }],
});

interface Rig {
  readonly cell: Cell<readonly RouteStatus[]>;
  readonly clock: VirtualClock;
  /** What was written: the query, and the object. */
  readonly writes: { readonly query: string; readonly object: { readonly metadata: object; readonly status: { readonly parents: readonly object[] } } }[];
  failures: number;
}

async function started(t: TestContext, parents: readonly object[], first: readonly RouteStatus[]): Promise<Rig> {
  const api = new FakeKubeApi();
  const clock = new VirtualClock();
  const rig: Rig = { cell: new Cell(first), clock, writes: [], failures: 0 };
  api.answer = ({ method, url, body }) => {
    if (method === "GET") return { status: 200, body: { apiVersion: "gateway.networking.k8s.io/v1", metadata: { resourceVersion: "7" }, status: { parents } } };
    if (rig.failures > 0) {
      rig.failures -= 1;
      return { status: 409, body: { message: "changed meanwhile" } };
    }
    rig.writes.push({ query: url.search, object: JSON.parse(body) as Rig["writes"][number]["object"] });
    return { status: 200, body: {} };
  };
  await api.start();
  const access = directAccess(api.url);
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const writer = new StatusWriter({ client: new KubeClient({ access, clock }), clock, log, wanted: rig.cell });
  const stop = new AbortController();
  const work = writer.start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
    access.close();
    await api.stop();
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  });
  return rig;
}

test("a status is written once, with the others' words in it, and again when it is about something else", async (t) => {
  const rig = await started(t, [others], [wanted()]);
  await eventually(() => rig.writes.length === 1, "written", rig.clock, 20);
  const [write] = rig.writes;
  const at = new Date(rig.clock.now()).toISOString().slice(0, 10);
  assert.match(write?.query ?? "", /fieldManager=weir&force=true/);
  assert.deepEqual([write?.object.metadata, write?.object.status.parents[0]], [{ name: "r", namespace: "shop", resourceVersion: "7" }, others]);
  assert.match(JSON.stringify(write?.object.status.parents[1]), new RegExp(`"lastTransitionTime":"${at}T[0-9:]+Z"`));
  rig.cell.set([wanted()]);
  await rig.clock.advance(1_000);
  assert.equal(rig.writes.length, 1, "the same again");
  rig.cell.set([wanted({}, "False")]);
  await eventually(() => rig.writes.length === 2, "another", rig.clock, 20);
});

test("what is there already is not written; the time of a change stays; words about nothing of ours go", async (t) => {
  const { parents } = wanted();
  const rig = await started(t, [ours("2026-01-02T03:04:05Z"), others], [wanted({ reported: parents })]);
  await rig.clock.advance(1_000);
  assert.equal(rig.writes.length, 0);
  rig.cell.set([wanted({ reported: [] })]);
  await eventually(() => rig.writes.length === 1, "written", rig.clock, 20);
  assert.deepEqual(rig.writes[0]?.object.status.parents, [others, ours("2026-01-02T03:04:05Z")]);
  rig.cell.set([wanted({ reported: parents, parents: [] })]);
  await eventually(() => rig.writes.length === 2, "written", rig.clock, 20);
  assert.deepEqual(rig.writes[1]?.object.status.parents, [others]);
});

test("a write that fails is tried again", async (t) => {
  const rig = await started(t, [], []);
  rig.failures = 2;
  rig.cell.set([wanted()]);
  await eventually(() => rig.writes.length === 1, "written in the end", rig.clock, 1_000);
  assert.equal(rig.failures, 0);
});
