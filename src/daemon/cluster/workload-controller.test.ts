/** The controller of what is declared and of what gateways need, with a cluster of its own in memory; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { appObject, shop, versionObject } from "../../../test/support/declarations.ts";
import { clusterView } from "../../../test/support/kube-objects.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { Cell } from "../../lib/cell.ts";
import type { ApiResult } from "../../providers/kubernetes/api-error.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { type GatewayClaims, noGatewayClaims } from "../../providers/kubernetes/translate-wanted.ts";
import { type WrittenKind, type WrittenObject, writtenKey, writtenObject } from "../../providers/kubernetes/workload-objects.ts";
import { WorkloadController } from "./workload-controller.ts";

interface Rig {
  readonly view: Cell<ClusterView | undefined>;
  readonly gateways: Cell<GatewayClaims>;
  readonly controller: WorkloadController;
  readonly clock: VirtualClock;
  /** Keys of what was applied, in order. */
  readonly applied: string[];
  readonly told: string[];
}

function started(t: TestContext): Rig {
  const [view, gateways] = [new Cell<ClusterView | undefined>(undefined), new Cell(noGatewayClaims)];
  const [applied, told]: [string[], string[]] = [[], []];
  const client = {
    get: (): Promise<ApiResult<unknown>> => Promise.resolve({ ok: false, error: { kind: "notFound", message: "none" } }),
    apply: (_place: unknown, object: unknown): Promise<ApiResult<unknown>> => {
      applied.push(writtenKey(object as WrittenObject));
      return Promise.resolve({ ok: true, value: object });
    },
    delete: (): Promise<ApiResult<unknown>> => Promise.resolve({ ok: true, value: {} }),
  };
  const clock = new VirtualClock();
  const log = {
    debug: () => {},
    info: (message: string, fields: object = {}) => told.push(`${message} ${JSON.stringify(fields)}`),
    warn: () => {},
    error: () => {},
  };
  const controller = new WorkloadController({ view, gateways, client, clock, log });
  const stop = new AbortController();
  const work = controller.start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  });
  return { view, gateways, controller, clock, applied, told };
}

function claims(...kinds: readonly WrittenKind[]): GatewayClaims {
  const objects = kinds.map((kind) => writtenObject(kind, { namespace: shop, name: "web-v1", owners: [], labels: {}, fields: {} }));
  return { claims: [{ by: ["Gateway shop/web"], since: 9_000, objects }], ownerless: new Set() };
}

test("before the cluster is known, and while it is silent, nothing is written", async (t) => {
  const { view, gateways, clock, applied } = started(t);
  gateways.set(claims("ConfigMap"));
  await clock.advance(1_000);
  view.set({ ...clusterView({}), connected: false });
  await clock.advance(1_000);
  assert.deepEqual(applied, []);
  view.set(clusterView({}));
  await clock.until(() => applied.length === 1, "heard of again", 0);
});

test("what is declared and what gateways need is written by one hand: of two that want a name the older has it, and it is said once", async (t) => {
  const { view, gateways, controller, clock, applied, told } = started(t);
  const raw = { apps: [appObject("web", { v1: 10_000 })], versions: [versionObject("web@v1", {}, { age: 5 })] };
  view.set(clusterView(raw));
  gateways.set(claims("ConfigMap", "Deployment"));
  await clock.until(() => applied.includes("ConfigMap shop/web-v1"), "the gateway's own", 0);
  const wanted = ["ConfigMap shop/web-v1", "Deployment shop/web-v1", "Service shop/web", "Service shop/web-v1", "ServiceAccount shop/web"];
  assert.deepEqual([...new Set(applied)].toSorted(), wanted);
  assert.match(controller.state.get().reasons.get("Gateway shop/web") ?? "", /that of Version shop\/web-v1/);
  view.set(clusterView(raw));
  await clock.advance(100);
  assert.equal(told.filter((text) => text.startsWith("cannot be as declared")).length, 1);
  assert.deepEqual([...controller.state.get().generations], [["Version shop/web-v1", 1]]);
});
