/** Statuses against an API server over real HTTP; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { appObject, versionObject } from "../../../test/support/declarations.ts";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { clusterView, type Raw } from "../../../test/support/kube-objects.ts";
import { silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { Cell } from "../../lib/cell.ts";
import { directAccess } from "../../providers/kubernetes/access.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import type { GatewayApiStatus } from "../../providers/kubernetes/gateway-api-status.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { translateCluster } from "../../providers/kubernetes/translate.ts";
import { clusterGateway, clusterWorld } from "./cluster-world.ts";
import type { InForce } from "./in-force.ts";
import { StatusReporter } from "./status-reporter.ts";
import type { WorkloadState } from "./workload-controller.ts";

interface Write {
  readonly path: string;
  readonly query: string;
  readonly status: Readonly<Record<string, unknown>> & { readonly conditions: readonly { readonly status: string; readonly lastTransitionTime: string }[] };
}

interface Rig {
  readonly view: Cell<ClusterView | undefined>;
  readonly inForce: Cell<InForce | undefined>;
  readonly gatewayApi: Cell<readonly GatewayApiStatus[]>;
  readonly clock: VirtualClock;
  readonly writes: Write[];
  failures: number;
  /** All of it is done and in force. */
  declare(raw: Raw): void;
}

const raw: Raw = { apps: [appObject("web", { v1: 10_000 })], versions: [versionObject("web@v1", { scale: 0 })] };

/** `there`: the status that every object has already. */
async function started(t: TestContext, there: object = {}): Promise<Rig> {
  const api = new FakeKubeApi();
  const clock = new VirtualClock();
  const view = new Cell<ClusterView | undefined>(undefined);
  const inForce = new Cell<InForce | undefined>(undefined);
  const workloads = new Cell<WorkloadState>({ reasons: new Map(), hashes: new Map(), generations: new Map(), begun: new Map() });
  const gatewayApi = new Cell<readonly GatewayApiStatus[]>([]);
  const declare = (objects: Raw): void => {
    const next = clusterView(objects);
    const generations = new Map([...next.versions].map(([key, { generation }]) => [`Version ${key}`, generation]));
    workloads.set({ reasons: new Map(), hashes: new Map([["Version shop/web-v1", "h"]]), generations, begun: new Map() });
    const translation = translateCluster(next);
    inForce.set({
      world: clusterWorld(translation, clock.now(), clusterGateway("localhost"), undefined),
      view: next,
      declaredApps: translation.declaredApps,
      refusals: [],
    });
    view.set(next);
  };
  const rig: Rig = { view, inForce, gatewayApi, clock, writes: [], failures: 0, declare };
  api.answer = ({ method, url, body }) => {
    if (method === "GET") return { status: 200, body: { metadata: {}, status: there } };
    if (rig.failures > 0) {
      rig.failures -= 1;
      return { status: 500, body: { message: "not now" } };
    }
    rig.writes.push({ path: url.pathname, query: url.search, status: (JSON.parse(body) as { readonly status: Write["status"] }).status });
    return { status: 200, body: {} };
  };
  await api.start();
  const access = directAccess(api.url);
  const reporter = new StatusReporter({ client: new KubeClient({ access, clock }), view, inForce, workloads, gatewayApi, clock, log: silentLog });
  const stop = new AbortController();
  const work = reporter.start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
    access.close();
    await api.stop();
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  });
  return rig;
}

test("each status is written once, in the name of its writer; a change of it again, with the time of the last change", async (t) => {
  const rig = await started(t);
  rig.declare(raw);
  await rig.clock.until(() => rig.writes.length === 2, "written", 100);
  assert.deepEqual(rig.writes.map(({ path }) => path).toSorted(), [
    "/apis/weir.dev/v1alpha1/namespaces/shop/apps/web/status",
    "/apis/weir.dev/v1alpha1/namespaces/shop/versions/web-v1/status",
  ]);
  assert.match(rig.writes[0]?.query ?? "", /fieldManager=weir-status&force=true/);
  const [version, app] = ["versions", "apps"].map((kind) => rig.writes.find(({ path }) => path.includes(`/${kind}/`))?.status);
  assert.deepEqual([version?.["state"], version?.["hash"], app?.["programmed"], app?.["weights"]], ["stopped", "h", true, { v1: 10_000 }]);
  rig.declare(raw);
  await rig.clock.advance(1_000);
  assert.equal(rig.writes.length, 2, "the same again");
  rig.declare({ ...raw, versions: [versionObject("web@v1", { scale: 1 }, { generation: 2 })] });
  await rig.clock.until(() => rig.writes.length === 3, "the version alone", 100);
  const [condition] = rig.writes[2]?.status.conditions ?? [];
  assert.deepEqual([condition?.status, condition?.lastTransitionTime], ["False", new Date(rig.clock.now()).toISOString().replace(/\.\d+Z$/, "Z")]);
});

test("before any Envoy answered nothing is said; the times of conditions of before are kept", async (t) => {
  const lastTransitionTime = "2026-01-02T03:04:05Z";
  const condition = { type: "Programmed", status: "True", reason: "Programmed", message: "", observedGeneration: 1, lastTransitionTime };
  const rig = await started(t, { conditions: [condition, { ...condition, type: "Ready" }] });
  rig.view.set(clusterView(raw));
  await rig.clock.advance(1_000);
  assert.equal(rig.writes.length, 0);
  rig.declare(raw);
  await rig.clock.until(() => rig.writes.length === 2, "written", 100);
  for (const { status } of rig.writes) assert.equal(status.conditions[0]?.lastTransitionTime, lastTransitionTime);
});

test("statuses of Gateway API's objects wait for no Envoy", async (t) => {
  const rig = await started(t);
  const condition = { type: "Accepted", status: "True", reason: "Accepted", message: "", generation: 1 };
  rig.gatewayApi.set([{ kind: "GatewayClass", namespace: "", uid: "u1", name: "weir", reported: "", status: { conditions: [condition] } }]);
  await rig.clock.until(() => rig.writes.length === 1, "written", 100);
  assert.equal(rig.writes[0]?.path, "/apis/gateway.networking.k8s.io/v1/gatewayclasses/weir/status");
});

test("a write that fails is tried again", async (t) => {
  const rig = await started(t);
  rig.failures = 3;
  rig.declare(raw);
  await rig.clock.until(() => rig.writes.length === 2, "written in the end", 1_000);
  assert.equal(rig.failures, 0);
});

test("the end of a rollout is said when it is there, though nothing else happened", async (t) => {
  const rig = await started(t);
  const rollout = { from: { v1: 10_000 }, startedAt: rig.clock.now(), durationMs: 60_000 };
  rig.declare({ ...raw, apps: [appObject("web", { v1: 10_000 }, { rollout })] });
  const programmed = (): unknown => rig.writes.findLast(({ path }) => path.includes("/apps/"))?.status["programmed"];
  await rig.clock.until(() => programmed() === false, "it moves", 100);
  await rig.clock.until(() => programmed() === true, "it has ended", 1_000);
});
