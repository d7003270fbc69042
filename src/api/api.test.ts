import assert from "node:assert/strict";
import { test } from "node:test";
import { service } from "../../test/support/declared.ts";
import { startFakeDaemon } from "../../test/support/fake-daemon.ts";
import type { VersionName } from "../model/names.ts";
import type { Service } from "../model/types.ts";
import { settle } from "../release/settle.ts";
import type { KeptVolume } from "./context.ts";
import type { ApiError, HistoryEntry, InspectView, LogLine, RemoveResult, ServiceView, SystemView, WeightsView } from "./contract.ts";

const hello = {
  namespace: "default",
  app: "hello",
  version: "v1",
  command: ["node", "hello.js"],
  dir: "/srv",
  env: { PORT: "9000" },
  ports: ["80:9000/http"],
  scale: 1,
  egress: false,
  wait: true,
};
const code = ({ body }: { readonly body: ApiError }) => body.problems[0]?.code;

test("run, stage, weight, promote, rollback, history", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const first = await daemon.post<ServiceView>("/v1/run", hello);
  assert.deepEqual(
    [first.status, first.body.state, first.body.ready, first.body.weight, first.body.url],
    [200, "ready", 1, 10_000, "http://hello.localhost:8080"],
  );
  const staged = await daemon.post<ServiceView>("/v1/stage", { namespace: "default", app: "hello", version: "v2", env: { BANNER: "new" }, wait: true });
  assert.deepEqual([staged.body.state, staged.body.weight, staged.body.versionUrl], ["ready", 0, "http://hello-v2.localhost:8080"]);
  const askedAt = performance.now();
  const tenth = await daemon.post<WeightsView>("/v1/weight", { namespace: "default", app: "hello", weights: { v2: 1000 }, durationMs: 250, wait: true });
  assert.deepEqual(
    [tenth.body.before, tenth.body.target],
    [
      { v1: 10_000, v2: 0 },
      { v1: 9000, v2: 1000 },
    ],
  );
  // By a watch of our own: what the answer says counts from when the change was kept, and keeping it takes its time, too.
  const tookMs = performance.now() - askedAt;
  assert.ok(tookMs >= 249 && tenth.body.inEnvoyMs !== undefined, `it is true only at the end of the rollout, not after ${tookMs} ms`);
  const world = daemon.registry.published.get()?.world;
  assert.deepEqual(Object.fromEntries([...(world?.apps.values() ?? [])][0]?.weights ?? []), { v1: 9000, v2: 1000 });
  await daemon.post("/v1/promote", { namespace: "default", app: "hello", version: "v2", durationMs: 0, wait: true });
  const back = await daemon.post<WeightsView>("/v1/rollback", { namespace: "default", app: "hello", wait: true });
  assert.deepEqual(back.body.target, { v1: 9000, v2: 1000 });
  const history = await daemon.get<readonly HistoryEntry[]>("/v1/apps/default/hello/history");
  assert.deepEqual(
    history.body.map((entry) => entry.change),
    ["rollback to 3", "promote v2", "weight v2=10%", "stage v2", "run v1"],
  );
  assert.deepEqual(daemon.complaints, []);
});

test("scale, restart, logs, exec, inspect, rm, down", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const before = await daemon.post<ServiceView>("/v1/run", hello);
  const scaled = await daemon.post<readonly ServiceView[]>("/v1/scale", { namespace: "default", targets: [{ app: "hello", scale: 3 }], wait: true });
  assert.deepEqual(
    scaled.body.map((view) => [view.ready, view.wanted]),
    [[3, 3]],
  );
  assert.ok(
    scaled.body[0]?.workloads.some((workload) => workload.id === before.body.workloads[0]?.id),
    "the first one stays",
  );
  const restarted = await daemon.post<readonly ServiceView[]>("/v1/restart", { namespace: "default", targets: [{ app: "hello", version: "v1" }], wait: true });
  const ids = new Set(scaled.body[0]?.workloads.map((workload) => workload.id));
  const running = restarted.body[0]?.workloads.filter((workload) => workload.phase === "ready") ?? [];
  assert.equal(running.filter((workload) => !ids.has(workload.id)).length, 3);
  assert.equal((await daemon.get<readonly LogLine[]>("/v1/logs?ref=hello&tail=1")).body[0]?.line, "the disk is on fire");
  const exec = await daemon.get<{ argv: readonly string[] }>("/v1/exec/default/hello@v1");
  assert.equal(exec.body.argv[0], "enter");
  const inspected = await daemon.get<InspectView>("/v1/inspect/default/hello@v1");
  assert.equal(inspected.body.kind, "service");
  assert.match(JSON.stringify(inspected.body), /9000/);
  assert.deepEqual((await daemon.post<RemoveResult>("/v1/rm", { namespace: "default", refs: ["hello"] })).body.removed, ["hello@v1"]);
  assert.deepEqual((await daemon.get("/v1/services")).body, []);
  await daemon.post("/v1/run", hello);
  await daemon.post("/v1/run", { ...hello, namespace: "team-a", version: "v2" });
  assert.deepEqual((await daemon.post<RemoveResult>("/v1/down", { all: true })).body.removed, ["hello@v1", "hello@v2"]);
  const observed = daemon.control.observed.get();
  assert.deepEqual(
    [observed?.replicas.workloads.size, observed?.world.apps.size, observed?.declared.objects.address.size, observed?.declared.objects.template.size],
    [0, 0, 0, 0],
  );
});

test("bad input is refused with problems, and leaves everything as it is", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await daemon.post("/v1/run", hello);
  const before = daemon.store.snapshot.get().version;
  const wrong: readonly (readonly [number, string, string, unknown])[] = [
    [400, "request-invalid", "/v1/run", {}],
    [400, "request-invalid", "/v1/run", { ...hello, app: "Not a label" }],
    [400, "port-invalid", "/v1/run", { ...hello, app: "other", ports: ["99999"] }],
    [400, "port-duplicate", "/v1/run", { ...hello, app: "other", ports: ["80", "80:90"] }],
    [409, "version-exists", "/v1/run", hello],
    [409, "name-taken", "/v1/run", { ...hello, app: "hello-v1" }],
    [404, "app-unknown", "/v1/weight", { namespace: "default", app: "helo", weights: { v1: 1 }, durationMs: 0, wait: false }],
    [404, "version-unknown", "/v1/weight", { namespace: "default", app: "hello", weights: { v9: 1 }, durationMs: 0, wait: false }],
    [400, "weights-sum", "/v1/weight", { namespace: "default", app: "hello", weights: { v1: 1 }, durationMs: 0, wait: false }],
    [422, "rollback-nothing", "/v1/rollback", { namespace: "default", app: "hello", wait: false }],
    [404, "version-unknown", "/v1/stage", { namespace: "default", app: "hello", version: "v2", from: "v7", env: {}, wait: false }],
    [404, "not-found", "/v1/rm", { namespace: "default", refs: ["nothing"] }],
    [400, "ref-invalid", "/v1/rm", { namespace: "default", refs: ["a/b/c"] }],
    [404, "stack-unknown", "/v1/down", { stack: "nothing", all: false }],
    [404, "not-found", "/v1/scale", { namespace: "default", targets: [{ app: "x", scale: 1 }], wait: false }],
  ];
  for (const [status, problem, path, body] of wrong) {
    const answer = await daemon.post<ApiError>(path, body);
    assert.deepEqual([answer.status, code(answer)], [status, problem], `${path} ${JSON.stringify(body)}`);
  }
  const raw = await daemon.api.request("/v1/weight", { method: "POST", body: "{" });
  assert.equal(raw.status, 400);
  const large = await daemon.api.request("/v1/run", { method: "POST", body: "x".repeat(17 * 1024 * 1024) });
  assert.equal(large.status, 413);
  assert.equal((await daemon.get<ApiError>("/v1/nothing")).status, 404);
  assert.equal((await daemon.get<ApiError>("/v1/services?namespace=A%20B")).status, 400);
  assert.equal(daemon.store.snapshot.get().version, before);
  assert.deepEqual(daemon.complaints, []);
});

test("what is accepted is answered at once without wait; with wait only when Envoy says so", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await daemon.post("/v1/run", hello);
  await daemon.post("/v1/stage", { namespace: "default", app: "hello", version: "v2", env: {}, wait: true });
  daemon.mute = true;
  const weight = { namespace: "default", app: "hello", weights: { v2: 5000 }, durationMs: 0 };
  assert.equal((await daemon.post<WeightsView>("/v1/weight", { ...weight, wait: false })).body.inEnvoyMs, undefined);
  let answered = false;
  const waiting = daemon.post("/v1/weight", { ...weight, weights: { v2: 6000 }, wait: true }).then((answer) => {
    answered = true;
    return answer.status;
  });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(answered, false);
  daemon.mute = false;
  assert.equal(await waiting, 200);
});

test("a service that ends again and again is failing, and says why", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t, ({ template }) => (template.service.app === "bad" ? "crash" : "ready"));
  const { body } = await daemon.post<ServiceView>("/v1/run", { ...hello, app: "bad" });
  assert.deepEqual([body.state, body.ready], ["failing", 0]);
  assert.match(body.reason ?? "", /^exited with code 1, \d+ times$/);
});

test("services and declarations can be watched; a stream ends with its reader", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await daemon.post("/v1/run", hello);
  const response = await daemon.api.request("/v1/services?watch=true");
  assert.ok(response.body);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const next = async () => JSON.parse(decoder.decode((await reader.read()).value)) as readonly ServiceView[];
  assert.equal((await next())[0]?.ready, 1);
  void daemon.post("/v1/scale", { namespace: "default", targets: [{ app: "hello", scale: 2 }], wait: false });
  while ((await next())[0]?.ready !== 2);
  await reader.cancel();
  const changes = await daemon.api.request("/v1/watch?from=0");
  const first = await changes.body?.getReader().read();
  const batch = JSON.parse(decoder.decode(first?.value)) as { kind: string; changes: readonly { kind: string; key: string; value?: unknown }[] };
  assert.ok(batch.changes.some((change) => change.kind === "service" && change.key === "default/hello@v1"));
  assert.doesNotMatch(JSON.stringify(batch), /hello\.js/, "names only");
});

test("logs that are followed have replicas that come later, too", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await daemon.post("/v1/run", hello);
  const reader = (await daemon.api.request("/v1/logs?ref=hello&follow=true")).body?.getReader();
  const read = async () => (JSON.parse(new TextDecoder().decode((await reader?.read())?.value)) as LogLine).workload;
  const first = await read();
  await daemon.post("/v1/scale", { namespace: "default", targets: [{ app: "hello", scale: 2 }], wait: false });
  assert.notEqual(await read(), first);
  await reader?.cancel();
});

test("system: status, stop, and a document that describes every route", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await daemon.post("/v1/run", hello);
  const system = await daemon.get<SystemView>("/v1/system");
  assert.deepEqual([system.body.version, system.body.counts], ["test", { services: 1, workloads: 1 }]);
  assert.equal((await daemon.post("/v1/system/stop", { purge: false })).status, 200);
  assert.equal(daemon.quits, 1);
  const document = await daemon.get<{ openapi: string; paths: Record<string, Record<string, { requestBody?: unknown; parameters: readonly unknown[] }>> }>(
    "/v1/openapi.json",
  );
  assert.match(document.body.openapi, /^3\.1/);
  assert.ok(Object.keys(document.body.paths).length > 20);
  assert.match(JSON.stringify(document.body.paths["/v1/weight"]?.["post"]?.requestBody), /basis points/);
  assert.equal(document.body.paths["/v1/apps/{namespace}/{app}/history"]?.["get"]?.parameters.length, 2);
});

test("scale: a range follows the load, a number does not, and one on every node has no number", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const put = async (changes: Partial<Service>): Promise<void> => {
    const value = { service: service("web", changes), origin: "file", restarts: 0 } as const;
    await daemon.store.commit(settle(daemon.store.snapshot.get(), [{ op: "put", kind: "service", key: "default/web@v1", value }], { now: 0, change: "up" }));
  };
  const scale = async (counts: object) => daemon.post<ApiError>("/v1/scale", { namespace: "default", targets: [{ app: "web", ...counts }], wait: false });
  const kept = () => {
    const found = daemon.store.snapshot.get().objects.service.get("default/web@v1")?.value.service;
    return [found?.scale, found?.autoscale];
  };
  await put({ scale: 1 });
  assert.equal(code(await scale({ scale: 2, max: 5 })), "autoscale-needs-cpu");
  await put({ scale: 1, resources: { cpu: "100m" } });
  assert.equal(code(await scale({ scale: 3, max: 2 })), "scale-range");
  assert.equal(code(await scale({ scale: 0, max: 2 })), "scale-range");
  assert.equal((await scale({ scale: 2, max: 5 })).status, 200);
  assert.deepEqual(kept(), [2, { max: 5, cpu: 80 }]);
  await put({ scale: 1, resources: { cpu: "100m" }, autoscale: { max: 3, cpu: 40 } });
  await scale({ scale: 2, max: 5 });
  assert.deepEqual(kept(), [2, { max: 5, cpu: 40 }], "of what it follows nobody said anything");
  await scale({ scale: 3 });
  assert.deepEqual(kept(), [3, undefined]);
  await put({ perNode: true });
  assert.equal(code(await scale({ scale: 3 })), "scale-per-node");
});

test("what versions leave behind is kept and named, until somebody asks for its end", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const put = async (): Promise<void> => {
    const value = { service: service("db", { volumes: [{ name: "data", path: "/data", size: "1Gi" }] }), origin: "file", restarts: 0 } as const;
    await daemon.store.commit(settle(daemon.store.snapshot.get(), [{ op: "put", kind: "service", key: "default/db@v1", value }], { now: 0, change: "up" }));
  };
  const volume = (name: string, version: string): KeptVolume => {
    const { namespace, app } = service("db");
    return { namespace, app, version: version as VersionName, name };
  };
  daemon.volumes = [volume("data-db-v0-0", "v0"), volume("data-db-v1-0", "v1")];
  const rm = async (refs: readonly string[], volumes?: boolean) =>
    daemon.post<RemoveResult>("/v1/rm", { namespace: "default", refs, ...(volumes === undefined ? {} : { volumes }) });
  const names = ({ body }: { readonly body: RemoveResult }) => [
    body.removed,
    body.volumes?.map(({ name, deleted }) => `${deleted ? "deleted" : "kept"} ${name}`),
  ];
  await put();
  assert.deepEqual(names(await rm(["db"])), [["db@v1"], ["kept data-db-v1-0"]]);
  assert.equal((await rm(["db"])).status, 404);
  assert.deepEqual(names(await rm(["db@v1"], true)), [[], ["deleted data-db-v1-0"]], "although nothing is declared by this name");
  assert.equal((await rm(["db@v1"], true)).status, 404, "now there is nothing at all");
  assert.deepEqual(names(await rm(["db"], true)), [[], ["deleted data-db-v0-0"]]);
  daemon.volumes = [volume("data-db-v1-0", "v1")];
  await put();
  assert.deepEqual(names(await daemon.post<RemoveResult>("/v1/down", { all: true })), [["db@v1"], ["kept data-db-v1-0"]]);
  await put();
  assert.deepEqual(names(await daemon.post<RemoveResult>("/v1/down", { all: true, volumes: true })), [["db@v1"], ["deleted data-db-v1-0"]]);
  assert.deepEqual(daemon.volumes, []);
});
