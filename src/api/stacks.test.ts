import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeDaemon, startFakeDaemon } from "../../test/support/fake-daemon.ts";
import type { ApiError, DataView, InspectView, Plan, RouterView, ServiceView, StackView, UpEvent } from "./contract.ts";

function source(text: string, more: { files?: Record<string, string>; dir?: string } = {}) {
  return { file: "shop/weir.yaml", text, dir: more.dir ?? "/work/shop", files: more.files ?? {}, env: {} };
}
const shop = `
services:
  web: {command: node web.js, ports: "80:8080/http", env: {TOKEN: {secret: db, key: password}, MODE: {config: app, key: mode}}}
  cart: {command: node cart.js, ports: 80, public: false, scale: 2}
routers:
  www: {hosts: [shop.example], rules: [{match: {path: /cart*}, to: cart}, {to: web}]}
configs: {app: {mode: fast}}
secrets: {db: {password: {file: pw.txt}}}
`;
const files = { "pw.txt": "hunter2" };

async function up(
  daemon: FakeDaemon,
  text: string,
  more: { files?: Record<string, string>; dir?: string; timeoutMs?: number } = {},
): Promise<readonly UpEvent[]> {
  const { status, body } = await daemon.post<readonly UpEvent[]>("/v1/up", { source: source(text, more), wait: true, timeoutMs: more.timeoutMs ?? 10_000 });
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}
function last(events: readonly UpEvent[]): UpEvent {
  const event = events.at(-1);
  assert.ok(event);
  return event;
}
async function services(daemon: FakeDaemon) {
  return (await daemon.get<readonly ServiceView[]>("/v1/services")).body;
}

test("up says what it changes, applies it, and is done when Envoy has it; again it changes nothing", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const plan = await daemon.post<Plan>("/v1/plan", { source: source(shop, { files }) });
  assert.deepEqual(
    plan.body.changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`),
    ["create config app", "create secret db", "create service cart@v1", "create service web@v1", "create router www"],
  );
  assert.equal(daemon.store.snapshot.get().version, 0, "a plan changes nothing");
  const events = await up(daemon, shop, { files });
  assert.deepEqual(
    events.slice(0, 2).map((event) => event.kind),
    ["plan", "applied"],
  );
  const done = last(events);
  assert.ok(done.kind === "done", JSON.stringify(done));
  assert.deepEqual(
    done.services.map((view) => [view.app, view.state, view.ready]),
    [
      ["web", "ready", 1],
      ["cart", "ready", 2],
    ],
  );
  assert.deepEqual(done.urls, [
    { name: "web", url: "http://web.localhost:8080" },
    { name: "www", url: "http://www.localhost:8080" },
  ]);
  const workloads = (await services(daemon)).flatMap((view) => view.workloads.map((workload) => workload.id));
  const again = await up(daemon, shop, { files });
  assert.ok(again[0]?.kind === "plan" && again[0].plan.changes.length === 0);
  assert.equal(last(again).kind, "done");
  assert.deepEqual(
    (await services(daemon)).flatMap((view) => view.workloads.map((workload) => workload.id)),
    workloads,
    "nothing was restarted",
  );
  assert.doesNotMatch(JSON.stringify([events, plan.body]), /hunter2/);
});

test("secrets show their keys only, and reach the replica", { timeout: 20_000 }, async (t) => {
  const seen: string[] = [];
  const daemon = startFakeDaemon(t, (replica) => {
    seen.push(JSON.stringify(replica.template.secrets));
    return "ready";
  });
  await up(daemon, shop, { files });
  assert.match(seen.join(), /hunter2/);
  const answers = await Promise.all(
    ["/v1/secrets", "/v1/inspect/default/secret/db", "/v1/inspect/default/web@v1", "/v1/inspect/default/web", "/v1/services", "/v1/system"].map((path) =>
      daemon.get<unknown>(path),
    ),
  );
  assert.deepEqual(
    answers.map((answer) => answer.status),
    [200, 200, 200, 200, 200, 200],
  );
  assert.doesNotMatch(JSON.stringify(answers), /hunter2/);
  assert.deepEqual((answers[0]?.body as readonly DataView[] | undefined)?.[0]?.keys, ["password"]);
  assert.deepEqual((answers[1]?.body as InspectView | undefined)?.spec, { namespace: "default", name: "db", keys: ["password"] });
  const inUse = await daemon.post<ApiError>("/v1/rm", { namespace: "default", refs: ["secret/db"] });
  assert.deepEqual([inUse.status, inUse.body.problems[0]?.code], [409, "in-use"]);
});

test("a changed secret or config replaces exactly the replicas that use it", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await up(daemon, shop, { files });
  const before = await services(daemon);
  await up(daemon, shop, { files: { "pw.txt": "correct horse" } });
  const after = await services(daemon);
  const ready = (views: readonly ServiceView[], app: string) =>
    views
      .find((view) => view.app === app)
      ?.workloads.filter((workload) => workload.phase === "ready")
      .map((workload) => workload.id);
  assert.deepEqual(ready(after, "cart"), ready(before, "cart"));
  assert.equal(
    ready(after, "web")?.some((id) => ready(before, "web")?.includes(id) === false),
    true,
  );
});

test("a failing change says why, and what was before is as it was", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t, ({ template }) => (template.service.command.includes("broken.js") ? "crash" : "ready"));
  await up(daemon, shop, { files });
  const before = daemon.store.snapshot.get().objects;
  const web = (await services(daemon)).find((view) => view.app === "web")?.workloads[0]?.id;
  const failed = last(await up(daemon, shop.replace("node web.js", "node broken.js").replace("scale: 2", "scale: 3"), { files }));
  assert.ok(failed.kind === "failed", JSON.stringify(failed));
  assert.deepEqual(
    [failed.restored, failed.failures.length, failed.failures[0]?.name, failed.failures[0]?.lastLog],
    [true, 1, "web@v1", ["the disk is on fire"]],
  );
  assert.match(failed.failures[0]?.reason ?? "", /^exited with code 1, \d+ times$/);
  const after = daemon.store.snapshot.get().objects;
  for (const kind of ["service", "router", "config", "secret", "address", "stack"] as const) {
    assert.deepEqual(
      [...after[kind]].map(([key, object]) => [key, object.value]),
      [...before[kind]].map(([key, object]) => [key, object.value]),
      kind,
    );
  }
  const serving = daemon.registry.published.get()?.world.endpoints.get("default/web@v1" as never);
  assert.deepEqual(
    serving?.map((endpoint) => endpoint.id),
    [web],
    "it never stopped serving",
  );
});

test("a first up that fails leaves nothing; one that hangs fails in time", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t, () => "hang");
  const failed = last(await up(daemon, shop, { files, timeoutMs: 300 }));
  assert.ok(failed.kind === "failed");
  assert.equal(failed.timedOut, true);
  assert.deepEqual(failed.failures.map((failure) => failure.name).toSorted(), ["cart@v1", "web@v1"]);
  const { service, router, app, address, stack } = daemon.store.snapshot.get().objects;
  assert.deepEqual(
    [service, router, app, address, stack].map((objects) => objects.size),
    [0, 0, 0, 0, 0],
  );
});

test("what left the file goes, what was staged stays, down takes both", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await up(daemon, shop, { files });
  await daemon.post("/v1/stage", { namespace: "default", app: "web", version: "v2", env: {}, wait: true });
  const smaller = `services:\n  web: {command: node web.js, ports: "80:8080/http"}\n`;
  const events = await up(daemon, smaller);
  assert.equal(last(events).kind, "done");
  assert.deepEqual(
    (await services(daemon)).map((view) => `${view.app}@${view.version} ${view.weight}`),
    ["web@v1 10000", "web@v2 0"],
  );
  assert.equal(daemon.control.observed.get()?.world.apps.size, 1);
  assert.deepEqual(
    (await daemon.get<readonly StackView[]>("/v1/stacks")).body.map((view) => [view.name, view.objects]),
    [["shop", 2]],
  );
  assert.equal((await daemon.post("/v1/down", { stack: "shop", all: false })).status, 200);
  assert.deepEqual([await services(daemon), (await daemon.get("/v1/stacks")).body], [[], []]);
});

test("every mistake of a file at once, with its place; another stack's names are taken", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  const wrong = await daemon.post<ApiError>("/v1/plan", { source: source("services:\n  hello:\n    comand: node hello.js\n    ports: 80:9000/htp\n") });
  assert.equal(wrong.status, 400);
  assert.deepEqual(
    wrong.body.problems.slice(0, 2).map((problem) => [problem.where?.file, problem.where?.line]),
    [
      ["shop/weir.yaml", 2],
      ["shop/weir.yaml", 3],
    ],
  );
  await up(daemon, shop, { files });
  const other = await daemon.post<ApiError>("/v1/up", {
    source: source("services:\n  web: {command: x, ports: 80}\n", { dir: "/work/other" }),
    wait: false,
    timeoutMs: 1000,
  });
  assert.deepEqual([other.status, other.body.problems[0]?.code], [409, "owned-by-other"]);
  const uses = await daemon.post<Plan>("/v1/plan", { source: source("routers:\n  all: {rules: [{to: web@v1}]}\n", { dir: "/work/other" }) });
  assert.equal(uses.status, 200, "a file may refer to what another one declares");
});

test("routers as people read them", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await up(daemon, shop, { files });
  const [router] = (await daemon.get<readonly RouterView[]>("/v1/routers")).body;
  assert.deepEqual([router?.name, router?.hosts, router?.url], ["www", ["shop.example"], "http://www.localhost:8080"]);
  assert.deepEqual(router?.rules, [
    { match: "/cart*", action: "forward", target: "cart" },
    { match: "everything", action: "forward", target: "web" },
  ]);
});

test("what Envoy refuses fails the change that brought it, in Envoy's own words", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await up(daemon, shop, { files });
  daemon.refuses = "regex too large";
  const failed = last(await up(daemon, shop.replace("path: /cart*", "path: /basket*"), { files }));
  assert.ok(failed.kind === "failed", JSON.stringify(failed));
  assert.match(failed.failures[0]?.reason ?? "", /the node Envoy refused mesh: regex too large/);
  assert.equal(failed.restored, true);
  assert.match(JSON.stringify((await daemon.get("/v1/routers")).body), /\/cart\*/);
  await daemon.post("/v1/stage", { namespace: "default", app: "web", version: "v2", env: {}, wait: true });
  const weight = await daemon.post<ApiError>("/v1/weight", { namespace: "default", app: "web", weights: { v2: 1000 }, durationMs: 0, wait: true });
  assert.deepEqual([weight.status, weight.body.problems[0]?.code], [422, "envoy-refused"]);
});

test("a file that declares nothing, as one that was cut off, takes nothing down", { timeout: 20_000 }, async (t) => {
  const daemon = startFakeDaemon(t);
  await up(daemon, shop, { files });
  const refused = await daemon.post<ApiError>("/v1/plan", { source: source("# services:\n") });
  assert.deepEqual(
    [refused.status, refused.body.problems[0]?.code, refused.body.problems[0]?.hint],
    [400, "stack-empty", "to take the stack down: weir down shop"],
  );
  assert.equal((await services(daemon)).length, 2);
});
