import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { FakeKubeApi, type FakeObject } from "../../test/support/fake-kube-api.ts";
import { serveObjects, statusAnswer } from "../../test/support/fake-kube-objects.ts";
import type { ApiError, ExecView, ServiceView, StackView, UpEvent, WeightsView } from "../api/contract.ts";
import { openFront } from "./connect.ts";

interface Rig {
  readonly api: FakeKubeApi;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what the API answers
  get<T>(path: string): Promise<T>;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what the API answers
  post<T>(path: string, body: unknown): Promise<T>;
}

interface RigOptions {
  readonly wide?: boolean;
  /** The user may see only this namespace. */
  readonly only?: string;
  /** What the control plane says of a version instead of that it is ready. */
  readonly failing?: string;
}

/** A front before an API server in memory, and a control plane that makes everything as declared at once. */
async function rig(t: TestContext, { wide = false, only, failing }: RigOptions = {}): Promise<Rig> {
  const api = new FakeKubeApi();
  serveObjects(api);
  const objects = api.answer;
  api.answer = (request) => {
    const { pathname } = request.url;
    if (pathname === "/version") return { status: 200, body: {} };
    if (/^\/api\/v1\/namespaces\/[^/]+$/.test(pathname)) return { status: 200, body: { status: { phase: "Active" } } };
    if (only !== undefined && !pathname.includes(`/namespaces/${only}/`)) return statusAnswer(403, "Forbidden", "you may not");
    return objects(request);
  };
  await api.start();
  const dir = mkdtempSync(path.join(tmpdir(), "weir-front-"));
  const file = path.join(dir, "kubeconfig.json");
  const context = { clusters: [{ name: "c", cluster: { server: api.url } }], contexts: [{ name: "x", context: { cluster: "c", user: "u" } }] };
  writeFileSync(file, JSON.stringify({ ...context, users: [{ name: "u", user: {} }], "current-context": "x" }));
  const controlling = setInterval(() => controlPlane(api, failing), 5);
  const front = await openFront({ cluster: { file, env: {} }, namespaces: ["shop"], wide, version: "test" });
  t.after(async () => {
    clearInterval(controlling);
    if (front.ok) front.value.close();
    await api.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  assert.ok(front.ok, JSON.stringify(front));
  const send = async (name: string, init?: RequestInit): Promise<unknown> => {
    const text = await (await front.value.fetch(new Request(`http://front${name}`, init))).text();
    const values = text
      .trim()
      .split("\n")
      .filter((line) => line !== "");
    return name === "/v1/up" ? values.map((line) => JSON.parse(line) as unknown) : JSON.parse(text);
  };
  return {
    api,
    get: (name) => send(name) as never,
    post: (name, body) => send(name, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } }) as never,
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Says of every object that it is in force, and has one ready pod for each version. */
function controlPlane(api: FakeKubeApi, failing: string | undefined): void {
  const say = (resource: string, status: (object: FakeObject, spec: Fields) => Fields): void => {
    for (const object of api.all(resource)) {
      const observedGeneration = object.metadata["generation"];
      if ((object["status"] as Fields | undefined)?.["observedGeneration"] === observedGeneration) continue;
      api.put(resource, { ...object, status: { observedGeneration, ...status(object, object["spec"] as Fields) } });
    }
  };
  say("apps", (_, spec) => ({ programmed: true, weights: spec["weights"] }));
  say("routers", () => ({ programmed: true }));
  say("versions", (object, spec) => {
    const { name, namespace } = object.metadata;
    if (failing !== undefined) return { hash: "h", state: "failing", ready: 0, wanted: 1, weight: 0, reason: failing };
    const labels = { "weir.dev/app": spec["app"], "weir.dev/version": spec["version"], "weir.dev/hash": "h" };
    const status = {
      phase: "Running",
      podIP: "10.1.0.1",
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }],
      containerStatuses: [{ name: "main", restartCount: 0, state: { running: { startedAt: "2026-01-01T00:00:00Z" } } }],
    };
    api.put("pods", {
      metadata: { name: `${name}-pod`, ...(namespace === undefined ? {} : { namespace }), labels },
      spec: { containers: [{ name: "main" }] },
      status,
    });
    return { hash: "h", state: "ready", ready: 1, wanted: 1, weight: 0 };
  });
}

const hello = {
  namespace: "shop",
  app: "hello",
  version: "v1",
  command: [],
  image: "hello:1",
  dir: "/home/me",
  env: {},
  ports: ["80:9000/http"],
  scale: 1,
  egress: false,
  wait: true,
};
const source = (text: string) => ({ file: "weir.yaml", text, dir: "/home/me/shop", files: {}, env: {} });
const up = { wait: true, timeoutMs: 20_000, namespace: "shop" };

test("the verbs of one machine, on objects of a cluster", { timeout: 60_000 }, async (t) => {
  const { api, get, post } = await rig(t, { wide: true });
  const first = await post<ServiceView>("/v1/run", hello);
  assert.deepEqual([first.state, first.ready, first.weight, first.url], ["ready", 1, 10_000, undefined]);
  const [version] = api.all("versions");
  const spec = version?.["spec"] as Fields | undefined;
  assert.deepEqual([version?.metadata.name, spec?.["image"], spec?.["dir"]], ["hello-v1", "hello:1", "/"]);
  const staged = await post<ServiceView>("/v1/stage", { namespace: "shop", app: "hello", version: "v2", image: "hello:2", env: {}, wait: true });
  assert.deepEqual([staged.state, staged.weight], ["ready", 0]);
  const moved = await post<WeightsView>("/v1/weight", { namespace: "shop", app: "hello", weights: { v2: 2_500 }, durationMs: 0, wait: true });
  assert.ok(moved.inEnvoyMs !== undefined && moved.target["v2"] === 2_500);
  const exec = await get<ExecView>("/v1/exec/shop/hello@v2");
  assert.deepEqual(exec, {
    kind: "pod",
    stdin: false,
    tty: false,
    workload: "hello-v2-pod",
    namespace: "shop",
    pod: "hello-v2-pod",
    container: "main",
    ports: [{ port: 80, containerPort: 9000 }],
  });
  const events = await post<readonly UpEvent[]>("/v1/up", { ...up, source: source("services: {web: {image: web:1}}\nrouters: {www: {rules: [{to: hello}]}}") });
  assert.equal(events.at(-1)?.kind, "done", JSON.stringify(events.at(-1)));
  assert.deepEqual(
    (await get<readonly StackView[]>("/v1/stacks")).map(({ name, objects }) => [name, objects]),
    [["shop", 2]],
  );
  const refused = await post<ApiError>("/v1/up", { ...up, source: source("services: {web: {command: x}}") }).catch((error: unknown) => error);
  assert.match(JSON.stringify(refused), /a service needs \\"image\\" on a cluster.*"line":1,"column":12/);
});

test("who may see one namespace only is shown that one", { timeout: 60_000 }, async (t) => {
  const { get, post } = await rig(t, { wide: true, only: "shop" });
  assert.equal((await post<ServiceView>("/v1/run", hello)).state, "ready");
  assert.deepEqual(
    (await get<readonly ServiceView[]>("/v1/services?namespace=*")).map(({ namespace, app }) => [namespace, app]),
    [["shop", "hello"]],
  );
});

test("what the control plane says cannot be is the reason of a failed up, and taken back", { timeout: 60_000 }, async (t) => {
  const { api, post } = await rig(t, { failing: "exceeded quota: none" });
  const events = await post<readonly UpEvent[]>("/v1/up", { ...up, source: source("services: {web: {image: web:1, ports: 80}}") });
  const last = events.at(-1);
  assert.ok(last?.kind === "failed" && last.restored);
  assert.deepEqual(
    last.failures.map(({ name, reason, notes }) => [name, reason, notes]),
    [["web@v1", "exceeded quota: none", []]],
  );
  assert.deepEqual([api.all("versions"), api.all("apps")], [[], []]);
});
