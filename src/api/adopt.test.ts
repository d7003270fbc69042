/** Workloads that are there already, as the API takes them over. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type FakeDaemon, startFakeDaemon } from "../../test/support/fake-daemon.ts";
import { failed, ok } from "../lib/problem.ts";
import type { ApiContext } from "./context.ts";
import type { AdoptView } from "./contract.ts";

const request = { namespace: "default", name: "theirs", app: "web", version: "v1", wait: true };
const found = {
  adopted: { deployment: "theirs", selector: { app: "web" } },
  ports: [{ port: 80, containerPort: 8080, protocol: "http" }],
  replicas: 2,
} as const;

function rig(t: TestContext, traits: Partial<ApiContext["platform"]> = {}): FakeDaemon {
  return startFakeDaemon(t, undefined, { findAdoptable: async () => ok(found), ...traits });
}

const codes = (body: unknown): unknown => (body as { readonly problems?: readonly { readonly code: string }[] }).problems?.map(({ code }) => code);

test("a Deployment becomes a version with all traffic of its app, and is in Envoy when the answer comes", async (t) => {
  const daemon = rig(t);
  const { status, body } = await daemon.post<AdoptView>("/v1/adopt", request);
  assert.equal(status, 200, JSON.stringify(body));
  const { inEnvoyMs, ...view } = body;
  assert.ok(inEnvoyMs !== undefined);
  assert.deepEqual(view, {
    namespace: "default",
    app: "web",
    version: "v1",
    adopted: { kind: "Deployment", name: "theirs" },
    ports: ["80:8080/http"],
    replicas: 2,
    weight: 10_000,
  });
  const { service, origin } = daemon.store.snapshot.get().objects.service.get("default/web@v1")?.value ?? {};
  assert.deepEqual([service?.adopted, service?.image, service?.scale, service?.public, origin], [found.adopted, undefined, 2, false, "command"]);
  assert.equal(daemon.store.snapshot.get().objects.app.get("default/web")?.value.history.at(-1)?.change, "adopt v1");
  const again = await daemon.post("/v1/adopt", request);
  assert.deepEqual([again.status, codes(again.body)], [409, ["version-exists"]]);
});

test("where there are no Deployments, and where this one is not, nothing is declared", async (t) => {
  const here = startFakeDaemon(t);
  const refused = await here.post("/v1/adopt", request);
  assert.deepEqual([refused.status, codes(refused.body)], [400, ["adopt-nothing"]]);
  const lost = rig(t, { findAdoptable: async () => failed({ code: "deployment-unknown", message: "none" }) });
  const unknown = await lost.post("/v1/adopt", request);
  assert.deepEqual([unknown.status, codes(unknown.body)], [404, ["deployment-unknown"]]);
  assert.equal(lost.store.snapshot.get().objects.service.size, 0);
});

test("what is adopted is not scaled, restarted or copied", async (t) => {
  const daemon = rig(t);
  await daemon.post("/v1/adopt", request);
  const scaled = await daemon.post("/v1/scale", { namespace: "default", targets: [{ app: "web", version: "v1", scale: 5 }], wait: false });
  const restarted = await daemon.post("/v1/restart", { namespace: "default", targets: [{ app: "web" }], wait: false });
  assert.deepEqual([scaled.status, codes(scaled.body), codes(restarted.body)], [422, ["adopted"], ["adopted"]]);
  const staged = await daemon.post("/v1/stage", { namespace: "default", app: "web", version: "v2", env: {}, wait: false });
  assert.deepEqual(codes(staged.body), ["command-missing"], "a copy has nothing that could run");
});

test("of what is adopted the refusals say the kind, and what kubectl calls it", async (t) => {
  const said: unknown[] = [];
  for (const [kind, adopted] of [
    ["StatefulSet", { statefulSet: "theirs", selector: { app: "web" } }],
    ["DaemonSet", { daemonSet: "theirs", selector: { app: "web" } }],
  ] as const) {
    let wished: unknown;
    const daemon = rig(t, { findAdoptable: async (wish) => ((wished = wish), ok({ ...found, adopted })) });
    const { body } = await daemon.post<AdoptView>("/v1/adopt", { ...request, kind });
    assert.deepEqual(
      [wished, body.adopted],
      [
        { namespace: "default", kind, name: "theirs", app: "web" },
        { kind, name: "theirs" },
      ],
    );
    const scaled = await daemon.post("/v1/scale", { namespace: "default", targets: [{ app: "web", version: "v1", scale: 5 }], wait: false });
    const restarted = await daemon.post("/v1/restart", { namespace: "default", targets: [{ app: "web" }], wait: false });
    said.push(...[scaled, restarted].map((one) => (one.body as { readonly problems: readonly { readonly hint: string }[] }).problems[0]?.hint));
  }
  assert.deepEqual(said, [
    "kubectl scale -n default statefulset theirs",
    "kubectl rollout restart -n default statefulset theirs",
    "it has a pod on every node that it selects",
    "kubectl rollout restart -n default daemonset theirs",
  ]);
});

test("its Service is not given back to it while other versions have the traffic", async (t) => {
  let others = true;
  const daemon = rig(t, { hasOtherService: async () => others });
  await daemon.post("/v1/adopt", request);
  const v2 = {
    namespace: "default",
    app: "web",
    version: "v2",
    command: ["serve"],
    dir: "/",
    env: {},
    ports: ["80:8080/http"],
    scale: 1,
    egress: false,
    wait: false,
  };
  assert.equal((await daemon.post("/v1/run", v2)).status, 200);
  const refused = await daemon.post("/v1/rm", { namespace: "default", refs: ["web@v1"] });
  assert.deepEqual([refused.status, codes(refused.body)], [409, ["in-use"]]);
  others = false;
  assert.equal((await daemon.post("/v1/rm", { namespace: "default", refs: ["web@v1"] })).status, 200);
});
