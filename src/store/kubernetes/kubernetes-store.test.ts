/** The store against an API server over real HTTP; the same suite of promises as the other stores, then what only a cluster can do. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { namespace, router, service } from "../../../test/support/declared.ts";
import { FakeKubeApi } from "../../../test/support/fake-kube-api.ts";
import { serveObjects, statusAnswer, type Wanted } from "../../../test/support/fake-kube-objects.ts";
import { eventually, silentLog } from "../../../test/support/real.ts";
import { realClock } from "../../agent/real-clock.ts";
import type { DeclaredBatch, Write } from "../../model/declared.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { directAccess } from "../../providers/kubernetes/access.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import { type KubernetesStore, openKubernetesStore } from "./kubernetes-store.ts";

interface Rig {
  readonly api: FakeKubeApi;
  readonly store: KubernetesStore;
}

interface RigOptions {
  readonly refuse?: (wanted: Wanted) => ReturnType<typeof statusAnswer> | undefined;
  readonly setUp?: (api: FakeKubeApi) => void;
  readonly namespaces?: readonly string[];
}

async function rig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const api = new FakeKubeApi();
  options.setUp?.(api);
  serveObjects(api, options.refuse);
  await api.start();
  const access = directAccess(api.url);
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    access.close();
    await api.stop();
  });
  const client = new KubeClient({ access, clock: realClock });
  const scope = options.namespaces === undefined ? {} : { namespaces: options.namespaces };
  const opened = await openKubernetesStore({ client, clock: realClock, log: silentLog, random: () => 0, ...scope }, stop.signal);
  assert.ok(opened.ok, JSON.stringify(opened));
  return { api, store: opened.value };
}

function put(name: string, value = "1", extra: { stack?: string; expected?: number } = {}): Write {
  return { op: "put", kind: "config", key: `default/${name}`, value: { namespace, name, data: { key: value } }, ...extra };
}
function putVersion(ref: string, scale = 1): Write {
  const value = { service: service(ref, { scale }), origin: "command" as const, restarts: 0 };
  return { op: "put", kind: "service", key: `default/${ref}`, value };
}
const writes = (api: FakeKubeApi): readonly string[] =>
  api.requests.flatMap(({ method, url }) =>
    method === "GET" || url.searchParams.has("dryRun") ? [] : [`${method} ${url.pathname.split("/").slice(-2).join("/")}`],
  );

test("puts, replaces and deletes; what it answers has it", async (t) => {
  const { api, store } = await rig(t);
  assert.ok((await store.commit([put("a"), put("b", "1", { stack: "shop" })])).ok);
  const first = store.snapshot.get();
  assert.equal(first.objects.config.get("default/b")?.stack, "shop");
  assert.deepEqual(first.objects.stack.get("shop")?.value, { name: "shop", namespaces: ["default"] });
  const second = await store.commit([put("a", "2")]);
  assert.ok(second.ok && second.value.version > first.version);
  assert.equal(second.value.objects.config.get("default/a")?.value.data["key"], "2");
  assert.equal(second.value.objects.config.get("default/b"), first.objects.config.get("default/b"), "what did not change is identical");
  const third = await store.commit([{ op: "delete", kind: "config", key: "default/a" }]);
  assert.ok(third.ok && third.value.version > second.value.version);
  assert.deepEqual([...third.value.objects.config.keys()], ["default/b"]);
  assert.deepEqual(
    api.all("configmaps").map(({ metadata }) => metadata["labels"]),
    [{ "weir.dev/stack": "shop", "weir.dev/kind": "config" }],
  );
});

test("a commit is all or nothing and names every conflict; an equal put is silent", async (t) => {
  const { api, store } = await rig(t);
  await store.commit([put("a")]);
  const before = store.snapshot.get();
  const version = before.objects.config.get("default/a")?.version ?? 0;
  const result = await store.commit([
    put("new"),
    put("a", "2", { expected: version + 1 }),
    put("a", "3", { expected: 0 }),
    { op: "delete", kind: "config", key: "default/none" },
  ]);
  assert.deepEqual(result.ok ? [] : result.problems.map(({ code }) => code), ["conflict", "conflict", "not-found"]);
  assert.ok((await store.commit([put("a")])).ok);
  assert.equal(store.snapshot.get(), before);
  assert.deepEqual(writes(api), ["POST default/configmaps"]);
  assert.ok((await store.commit([put("a", "2", { expected: version })])).ok);
});

test("somebody else's change that was not seen yet is a conflict; a new status is none", async (t) => {
  const { api, store } = await rig(t);
  await store.commit([putVersion("web@v1")]);
  const seen = store.snapshot.get().objects.service.get("default/web@v1");
  const [live] = api.all("versions");
  assert.ok(live);
  api.put("versions", { ...live, status: { state: "ready", ready: 1, wanted: 1, weight: 10_000, hash: "h" } });
  assert.ok((await store.commit([putVersion("web@v1", 2)])).ok, "only its status changed, whether that was seen or not");
  await eventually(() => store.view.get().statuses.service.get("default/web@v1")?.state === "ready", "the status");
  assert.deepEqual([seen?.version === undefined, store.snapshot.get().objects.service.get("default/web@v1")?.generation], [false, 2]);
  api.deafen();
  const [now] = api.all("versions");
  assert.ok(now);
  api.put("versions", { ...now, metadata: { ...now.metadata, generation: 3 }, spec: { ...(now["spec"] as object), scale: 7 } });
  const late = await store.commit([putVersion("web@v1", 3)]);
  assert.deepEqual(late.ok ? [] : late.problems.map(({ code, message }) => `${code}: ${message}`), ["conflict: Version default/web-v1 has changed meanwhile"]);
});

test("a status is no change of what is declared", async (t) => {
  const { api, store } = await rig(t);
  await store.commit([putVersion("web@v1")]);
  const before = store.snapshot.get();
  const [live] = api.all("versions");
  assert.ok(live);
  api.put("versions", { ...live, status: { state: "failing", ready: 0, wanted: 1, weight: 0, hash: "h", reason: "ErrImagePull" } });
  await eventually(() => store.view.get().statuses.service.size === 1, "the status");
  assert.equal(store.snapshot.get(), before);
  assert.equal(store.view.get().declared, before);
});

test("when a later write fails, those before it are taken back", async (t) => {
  let armed = false;
  const refuse = ({ method, resource, dryRun }: Wanted) =>
    armed && resource === "routers" && method === "POST" && !dryRun ? statusAnswer(500, "InternalError", "etcd is away") : undefined;
  const { api, store } = await rig(t, { refuse });
  await store.commit([put("old"), put("gone"), putVersion("web@v1")]);
  const before = api.all("configmaps").map((object) => [object.metadata.name, object["data"], object.metadata["labels"]]);
  armed = true;
  const result = await store.commit([
    put("old", "2", { stack: "shop" }),
    put("fresh"),
    putVersion("web@v2"),
    { op: "put", kind: "router", key: "default/www", value: router("www") },
    { op: "delete", kind: "config", key: "default/gone" },
  ]);
  assert.deepEqual(result.ok ? [] : result.problems.map(({ code }) => code), ["cluster-unreachable"]);
  assert.deepEqual(
    api
      .all("configmaps")
      .map((object) => [object.metadata.name, object["data"], object.metadata["labels"]])
      .toSorted(),
    before.toSorted(),
  );
  assert.deepEqual(
    api.all("versions").map(({ metadata }) => metadata.name),
    ["web-v1"],
  );
});

test("a write whose answer was lost, but which arrived, is a write", async (t) => {
  const { api, store } = await rig(t);
  const usual = api.answer;
  api.answer = (request) => {
    const said = usual(request);
    const isWrite = request.method !== "GET" && !request.url.searchParams.has("dryRun");
    return isWrite ? statusAnswer(504, "Timeout", "the answer was lost") : said;
  };
  const put1 = await store.commit([put("a"), put("b")]);
  assert.ok(put1.ok, JSON.stringify(put1));
  const gone = await store.commit([put("a", "2"), { op: "delete", kind: "config", key: "default/b" }]);
  assert.deepEqual(gone.ok ? [...gone.value.objects.config.values()].map(({ value }) => value.data) : gone, [{ key: "2" }]);
});

test("what cannot be taken back is said", async (t) => {
  let armed = false;
  const refuse = ({ method, resource, dryRun }: Wanted) => {
    if (!armed || dryRun) return undefined;
    return (resource === "routers" && method === "POST") || method === "DELETE" ? statusAnswer(403, "Forbidden", "no") : undefined;
  };
  const { store } = await rig(t, { refuse });
  armed = true;
  const result = await store.commit([put("fresh"), { op: "put", kind: "router", key: "default/www", value: router("www") }]);
  assert.deepEqual(result.ok ? [] : result.problems.map(({ code }) => code), ["cluster-forbidden", "undo-incomplete"]);
});

test("what the API server refuses when it tries is written nowhere, and all of it is told", async (t) => {
  const refuse = ({ method, key, dryRun }: Wanted) =>
    method === "POST" && dryRun && key !== "default/ok" ? statusAnswer(422, "Invalid", `${key} is invalid`) : undefined;
  const { api, store } = await rig(t, { refuse });
  const result = await store.commit([put("ok"), put("bad"), put("worse")]);
  assert.deepEqual(result.ok ? [] : result.problems.map(({ message }) => message), [
    "writing ConfigMap default/bad: default/bad is invalid",
    "writing ConfigMap default/worse: default/worse is invalid",
  ]);
  assert.deepEqual([writes(api), api.all("configmaps")], [[], []]);
});

test("a ConfigMap that is not Weir's is left alone", async (t) => {
  const { api, store } = await rig(t, { setUp: (fake) => fake.put("other", { metadata: { name: "x", namespace: "default" } }) });
  api.deafen();
  api.put("configmaps", { metadata: { name: "a", namespace: "default" }, data: { theirs: "1" } });
  const result = await store.commit([put("a")]);
  assert.deepEqual(result.ok ? [] : result.problems.map(({ code }) => code), ["object-foreign"]);
});

test("what others wrote into an object's metadata stays, its data is what was put", async (t) => {
  const { api, store } = await rig(t);
  await store.commit([put("a", "1", { stack: "shop" })]);
  const [live] = api.all("configmaps");
  assert.ok(live);
  const labels = { ...(live.metadata["labels"] as object), team: "x" };
  api.put("configmaps", { ...live, metadata: { ...live.metadata, labels, annotations: { note: "keep" } }, data: { key: "1", extra: "2" } });
  await eventually(() => store.snapshot.get().objects.config.get("default/a")?.value.data["extra"] === "2", "their change");
  assert.ok((await store.commit([put("a", "3")])).ok);
  const [now] = api.all("configmaps");
  assert.deepEqual(
    [now?.["data"], now?.metadata["labels"], now?.metadata["annotations"]],
    [{ key: "3" }, { "weir.dev/kind": "config", team: "x" }, { note: "keep" }],
  );
});

test("a store of some namespaces changes no other", async (t) => {
  const { api, store } = await rig(t, { namespaces: ["default"] });
  const other = { op: "put", kind: "config", key: "other/a", value: { namespace: "other" as Namespace, name: "a", data: {} } } as const;
  const result = await store.commit([put("a"), other]);
  assert.deepEqual(result.ok ? [] : result.problems.map(({ code }) => code), ["namespace-unseen"]);
  assert.deepEqual(api.all("configmaps"), []);
});

test("a secret's contents are whole after a put", async (t) => {
  const { api, store } = await rig(t);
  const secret = (data: Readonly<Record<string, string>>): Write => ({ op: "put", kind: "secret", key: "default/s", value: { namespace, name: "s", data } });
  await store.commit([secret({ a: "1", b: "ü" })]);
  const result = await store.commit([secret({ b: "3" })]);
  assert.deepEqual(result.ok ? result.value.objects.secret.get("default/s")?.value.data : result, { b: "3" });
  assert.deepEqual(api.all("secrets")[0]?.["data"], { b: Buffer.from("3").toString("base64") });
});

test("apps hold what their versions say, and can be put although nobody declared them", async (t) => {
  const { store } = await rig(t);
  await store.commit([putVersion("web@v1"), putVersion("web@v2")]);
  const app = store.snapshot.get().objects.app.get("default/web");
  assert.deepEqual([app?.value.weights, app?.version], [{ v1: 10_000, v2: 0 }, 0]);
  const value = { namespace, app: "web" as AppName, weights: { v1: 4000, v2: 6000 }, history: [] };
  const result = await store.commit([{ op: "put", kind: "app", key: "default/web", value, expected: 0 }]);
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.value.objects.app.get("default/web")?.value.weights, { v1: 4000, v2: 6000 });
  const gone = await store.commit([{ op: "delete", kind: "service", key: "default/web@v2" }]);
  assert.deepEqual(gone.ok ? gone.value.objects.app.get("default/web")?.value.weights : gone, { v1: 10_000 });
});

test("stacks, addresses and places in files are nothing to write", async (t) => {
  const { api, store } = await rig(t);
  await store.commit([{ op: "put", kind: "router", key: "default/www", value: router("www", { where: { file: "weir.yaml", line: 1, column: 1 } }) }]);
  const before = writes(api).length;
  const result = await store.commit([
    { op: "put", kind: "router", key: "default/www", value: router("www", { where: { file: "weir.yaml", line: 9, column: 1 } }) },
    { op: "put", kind: "stack", key: "shop", value: { name: "shop", namespaces: ["default"] } },
    { op: "put", kind: "address", key: "default/www", value: { ip: "100.100.0.2" } },
  ]);
  assert.ok(result.ok);
  assert.equal(writes(api).length, before);
});

test("a watch has no gaps, late and live, also for what others apply", { timeout: 20_000 }, async (t) => {
  const { api, store } = await rig(t);
  await store.commit([put("a", "0")]);
  const from = store.snapshot.get().version;
  await store.commit([put("a", "1")]);
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const batch of store.watch(from, stop.signal)) {
      assert.equal(batch.kind, "changes");
      if (batch.kind === "changes") for (const { kind, key, object } of batch.changes) seen.push(`${kind} ${key}${object === undefined ? " gone" : ""}`);
      if (seen.includes("config default/theirs gone")) stop.abort();
    }
  })();
  api.put("configmaps", { metadata: { name: "theirs", namespace: "default", labels: { "weir.dev/kind": "config" } }, data: {} });
  await eventually(() => store.snapshot.get().objects.config.has("default/theirs"), "theirs");
  api.remove("configmaps", "default/theirs");
  await watching;
  assert.deepEqual(seen, ["config default/a", "config default/theirs", "config default/theirs gone"]);
  const far = await store.watch(store.snapshot.get().version + 1000, AbortSignal.timeout(1000)).next();
  assert.deepEqual(far.value, { kind: "expired", version: store.snapshot.get().version } satisfies DeclaredBatch);
});

test("an object that does not fit is a problem, and can be put right", async (t) => {
  const { store } = await rig(t, {
    setUp: (api) => api.put("versions", { metadata: { name: "web-v1", namespace: "default", generation: 1 }, spec: { app: "web", version: "v1" } }),
  });
  assert.equal(store.snapshot.get().objects.service.size, 0);
  assert.deepEqual([...new Set(store.view.get().problems.map(({ code }) => code))], ["kube-object-invalid"]);
  assert.ok((await store.commit([putVersion("web@v1")])).ok);
  assert.deepEqual(store.view.get().problems, []);
});

test("a cluster without weir.dev, and one that we may not read, say so at once", async (t) => {
  const api = new FakeKubeApi();
  await api.start();
  const access = directAccess(api.url);
  t.after(async () => {
    access.close();
    await api.stop();
  });
  const client = new KubeClient({ access, clock: realClock });
  const codes: (string | undefined)[] = [];
  for (const [status, reason] of [
    [404, "NotFound"],
    [403, "Forbidden"],
  ] as const) {
    api.answer = () => statusAnswer(status, reason, "no");
    const opened = await openKubernetesStore({ client, clock: realClock, log: silentLog, random: () => 0 }, AbortSignal.timeout(5000));
    codes.push(opened.ok ? undefined : opened.problems[0]?.code);
  }
  assert.deepEqual(codes, ["weir-not-installed", "cluster-forbidden"]);
});
