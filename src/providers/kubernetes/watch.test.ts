/** All kinds together, against an API server over real HTTP; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { namespaceObject, nodeObject, podEndpoint, podObject, serviceObject, sliceObject } from "../../../test/support/kube-objects.ts";
import { eventually, silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import { directAccess } from "./access.ts";
import { KubeClient } from "./client.ts";
import type { ClusterView } from "./objects.ts";
import { ClusterWatch } from "./watch.ts";

/** That a cluster is watched for. */
const kinds = 33;

interface Rig {
  readonly api: FakeKubeApi;
  readonly clock: VirtualClock;
  readonly watch: ClusterWatch;
  readonly views: ClusterView[];
}

async function started(t: TestContext, setUp: (api: FakeKubeApi) => void = () => {}): Promise<Rig> {
  const api = new FakeKubeApi();
  api.put("namespaces", namespaceObject("shop"));
  api.put("nodes", nodeObject("n1"));
  api.put("pods", podObject("shop/a"));
  api.put("services", serviceObject("shop/web", [{ port: 80 }]));
  api.put("endpointslices", sliceObject("shop/web-1", [podEndpoint(1)]));
  setUp(api);
  await api.start();
  const clock = new VirtualClock();
  const access = directAccess(api.url);
  const watch = new ClusterWatch({ client: new KubeClient({ access, clock }), clock, log: silentLog, random: () => 0.5 });
  const views: ClusterView[] = [];
  const stop = new AbortController();
  const listen = async (): Promise<void> => {
    for await (const view of watch.view.watch(stop.signal)) if (view !== undefined) views.push(view);
  };
  const work = Promise.all([watch.start(stop.signal), listen()]);
  t.after(async () => {
    stop.abort();
    await work;
    access.close();
    await api.stop();
    assert.equal(clock.sleeping, 0, "nothing sleeps on");
  });
  return { api, clock, watch, views };
}

/** Everything that was sent has arrived and was worked on. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

test("there is no view before everything was listed; the first one has everything", async (t) => {
  let open = (): void => {};
  const { api, watch, views, clock } = await started(t, (api) => {
    api.listGate = new Promise((resolve) => {
      open = resolve;
    });
  });
  await eventually(() => api.count("list") === kinds, "asked for");
  assert.equal(watch.view.get(), undefined);
  assert.match(watch.trouble ?? "", /not heard of yet/);
  open();
  await clock.until(() => api.watching === kinds, "watching", 50);
  const [view] = views;
  assert.deepEqual(
    [view?.namespaces, view?.nodes, view?.pods, view?.services, view?.endpointSlices].map((map) => [...(map?.keys() ?? [])].join()),
    ["shop", "n1", "shop/a", "shop/web", "shop/web-1"],
  );
  assert.deepEqual([view?.connected, view?.reason, watch.trouble], [true, undefined, undefined]);
});

test("the first event comes at once, a storm of them as one view after 50 ms", async (t) => {
  const { api, clock, views } = await started(t);
  await eventually(() => api.watching === kinds, "watching");
  await clock.advance(1_000);
  const before = views.length;
  api.put("pods", podObject("shop/b"));
  await eventually(() => views.length === before + 1, "no time passed");
  for (let i = 0; i < 300; i += 1) {
    api.put("pods", podObject(`shop/p${i % 100}`, { status: { phase: `Running${i}` } }));
    if (i % 60 === 0) await settled();
  }
  await settled();
  assert.equal(views.length, before + 1);
  await clock.advance(50);
  await settled();
  assert.equal(views.length, before + 2);
  assert.equal(views.at(-1)?.pods.size, 102);
  assert.equal(views.at(-1)?.services, views[0]?.services, "what did not change is the same");
});

test("what we do not read makes no view", async (t) => {
  const { api, clock, views } = await started(t);
  await eventually(() => api.watching === kinds, "watching");
  await clock.advance(1_000);
  const before = views.length;
  api.put("nodes", { ...nodeObject("n1"), heartbeat: "now" });
  api.bookmark();
  await settled();
  await clock.advance(1_000);
  assert.equal(views.length, before);
});

test("while the API server is gone the last view stays, marked with the reason; one kind that is refused is enough", async (t) => {
  const { api, clock, views, watch } = await started(t);
  await eventually(() => api.watching === kinds, "watching");
  const last = (): ClusterView | undefined => views.at(-1);
  await api.stop();
  await clock.until(() => last()?.connected === false, "lost", 50);
  await clock.advance(60_000);
  assert.equal(last()?.pods.size, 1);
  assert.match(last()?.reason ?? "", /^namespaces: /);
  api.answer = ({ url }) => (url.pathname.endsWith("/pods") ? { status: 403, body: { message: "pods is forbidden" } } : undefined);
  await api.start();
  await clock.until(() => last()?.reason === "pods: pods is forbidden", "others are back", 5_000);
  assert.equal(watch.trouble, "pods: pods is forbidden");
  api.answer = () => undefined;
  await clock.until(() => last()?.connected === true, "all are back", 5_000);
  assert.equal(last()?.reason, undefined);
});
