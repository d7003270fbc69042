import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, config, namespace, router, service, stack } from "../../test/support/declared.ts";
import type { AppName, VersionName } from "../model/names.ts";
import type { Service, Stack } from "../model/types.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { changeWeights } from "./app-weights.ts";
import { planStack, type StackPlan } from "./plan.ts";
import { settle } from "./settle.ts";
import { stageVersion } from "./stage.ts";
import { templateText } from "./template.ts";

function newStore(): MemoryStore {
  return new MemoryStore({ now: () => 0 });
}
function plan(store: MemoryStore, wanted: Stack): StackPlan {
  const result = planStack(store.snapshot.get(), wanted, 1);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}
function up(store: MemoryStore, wanted: Stack): StackPlan {
  const planned = plan(store, wanted);
  commit(store, planned.writes);
  return planned;
}
function said(planned: StackPlan): readonly string[] {
  return planned.changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);
}
function weight(app: string, version: string, weight: number) {
  return { namespace, app: app as AppName, version: version as VersionName, weight };
}
function stage(store: MemoryStore, app: string, version: string): void {
  const put = stageVersion(store.snapshot.get(), { namespace, app: app as AppName, version: version as VersionName, env: { BANNER: "new" } });
  assert.ok(put.ok, JSON.stringify(put));
  commit(store, settle(store.snapshot.get(), [put.value], { now: 2, change: `stage ${version}` }));
}
function weights(store: MemoryStore, app = "web"): unknown {
  return store.snapshot.get().objects.app.get(`default/${app}`)?.value.weights;
}

const shop = stack({
  services: [service("web"), service("cart")],
  routers: [router("www")],
  configs: [config("texts", { banner: "hi" })],
  secrets: [config("db", { password: "hunter2" })],
});

test("the first up creates everything, the second nothing", () => {
  const store = newStore();
  assert.deepEqual(said(up(store, shop)), ["create config texts", "create secret db", "create service cart@v1", "create service web@v1", "create router www"]);
  const again = plan(store, shop);
  assert.deepEqual([again.changes, again.weights, again.writes], [[], [], []]);
  const { objects } = store.snapshot.get();
  assert.deepEqual(weights(store), { v1: 10_000 });
  assert.deepEqual(
    [...objects.address].map(([name, address]) => [name, address.value.ip]),
    [
      ["default/cart", "100.100.0.2"],
      ["default/cart-v1", "100.100.0.3"],
      ["default/web", "100.100.0.4"],
      ["default/web-v1", "100.100.0.5"],
      ["default/www", "100.100.0.6"],
    ],
  );
});

test("an update names its fields, a secret's without values", () => {
  const store = newStore();
  up(store, shop);
  const planned = plan(store, {
    ...shop,
    services: [
      service("web", { scale: 3, env: { MODE: { kind: "literal", value: "x" }, DB: { kind: "secret", name: "db", key: "password" } } }),
      service("cart"),
    ],
    secrets: [config("db", { password: "correct horse", extra: "1" })],
  });
  assert.deepEqual(planned.changes, [
    { action: "update", kind: "secret", namespace: "default", name: "db", fields: [{ path: "data.extra" }, { path: "data.password" }] },
    {
      action: "update",
      kind: "service",
      namespace: "default",
      name: "web@v1",
      fields: [
        { path: "env.DB", after: "secret db/password" },
        { path: "env.MODE", after: "x" },
        { path: "scale", before: "1", after: "3" },
      ],
    },
  ]);
  assert.doesNotMatch(JSON.stringify([planned.changes, planned.weights]), /hunter2|horse/);
});

test("a place in the file is no difference, a type is", () => {
  const store = newStore();
  const where = (line: number) => ({ file: "weir.yaml", line, column: 1 });
  up(
    store,
    stack({ routers: [router("www", { where: where(3) })], services: [service("web", { env: { A: { kind: "literal", value: "config app/level" } } })] }),
  );
  assert.deepEqual(
    said(
      plan(
        store,
        stack({ routers: [router("www", { where: where(9) })], services: [service("web", { env: { A: { kind: "config", name: "app", key: "level" } } })] }),
      ),
    ),
    ["update service web@v1"],
  );
});

test("what left the file goes; what others own stays", () => {
  const store = newStore();
  commit(
    store,
    settle(
      store.snapshot.get(),
      [{ op: "put", kind: "service", key: "default/hello@v1", value: { service: service("hello"), origin: "command", restarts: 0 } }],
      { now: 0, change: "run v1" },
    ),
  );
  up(store, shop);
  up(store, stack({ name: "other", services: [service("far")] }));
  const planned = up(store, stack({ services: [service("web")] }));
  assert.deepEqual(said(planned), ["delete config texts", "delete secret db", "delete service cart@v1", "delete router www"]);
  const { objects } = store.snapshot.get();
  assert.deepEqual([...objects.service.keys()].toSorted(), ["default/far@v1", "default/hello@v1", "default/web@v1"]);
  assert.deepEqual([...objects.app.keys()].toSorted(), ["default/far", "default/hello", "default/web"]);
  assert.equal(objects.address.has("default/cart"), false);
});

test("a freed address is given again, a kept one never moves", () => {
  const store = newStore();
  up(store, shop);
  up(store, stack({ services: [service("web")] }));
  up(store, stack({ services: [service("web"), service("zoo")] }));
  const { address } = store.snapshot.get().objects;
  assert.deepEqual([address.get("default/web")?.value.ip, address.get("default/zoo")?.value.ip], ["100.100.0.4", "100.100.0.2"]);
});

test("a staged version outlives the next up, until its app leaves the file", () => {
  const store = newStore();
  up(store, shop);
  stage(store, "web", "v2");
  assert.deepEqual(weights(store), { v1: 10_000, v2: 0 });
  const staged = store.snapshot.get().objects.service.get("default/web@v2");
  assert.deepEqual([staged?.stack, staged?.value.service.env["BANNER"]], ["shop", { kind: "literal", value: "new" }]);
  assert.deepEqual(plan(store, shop).changes, []);
  assert.deepEqual(
    said(plan(store, stack({ services: [service("cart")] }))).filter((line) => line.includes("web")),
    ["delete service web@v1", "delete service web@v2"],
  );
});

test("stage says what is wrong", () => {
  const store = newStore();
  up(store, shop);
  const code = (app: string, version: string, from?: string) => {
    const result = stageVersion(store.snapshot.get(), {
      namespace,
      app: app as AppName,
      version: version as VersionName,
      env: {},
      ...(from === undefined ? {} : { from: from as VersionName }),
    });
    return result.ok ? "ok" : `${result.problems[0]?.code} ${result.problems[0]?.hint}`;
  };
  assert.equal(code("wep", "v2"), 'app-unknown did you mean "web"?');
  assert.match(code("web", "v1"), /^version-exists /);
  assert.match(code("web", "v2", "v9"), /^version-unknown /);
});

test("weights of the file win, silence keeps what is, and one up is one line of history", () => {
  const store = newStore();
  const two = stack({ services: [service("web"), service("web@v2")] });
  up(store, { ...two, weights: [weight("web", "v2", 1000)] });
  assert.deepEqual(weights(store), { v1: 9000, v2: 1000 });
  const app = store.snapshot.get().objects.app.get("default/web")?.value;
  assert.deepEqual(
    app?.history.map((entry) => [entry.revision, entry.change]),
    [[1, "up shop"]],
  );
  assert.ok(app);
  const moved = changeWeights(app, new Map([["v2" as VersionName, 5000]]), { now: 3, durationMs: 0, change: "weight v2=50%" });
  assert.ok(moved.ok);
  commit(store, [{ op: "put", kind: "app", key: "default/web", value: moved.value }]);
  assert.deepEqual(plan(store, two).weights, []);
  assert.deepEqual(plan(store, { ...two, weights: [weight("web", "v2", 1000)] }).weights, [
    { namespace: "default", app: "web", before: { v1: 5000, v2: 5000 }, after: { v1: 9000, v2: 1000 } },
  ]);
  const tooMuch = planStack(store.snapshot.get(), { ...two, weights: [weight("web", "v1", 6000), weight("web", "v2", 6000)] }, 1);
  assert.ok(!tooMuch.ok);
});

test("another stack's object is not taken over; nobody's is", () => {
  const store = newStore();
  up(store, shop);
  const stolen = planStack(store.snapshot.get(), stack({ name: "thief", services: [service("web")], routers: [router("www")] }), 1);
  assert.ok(!stolen.ok);
  assert.deepEqual(
    stolen.problems.map((problem) => problem.code),
    ["owned-by-other", "owned-by-other"],
  );
  const own = newStore();
  commit(
    own,
    settle(own.snapshot.get(), [{ op: "put", kind: "service", key: "default/web@v1", value: { service: service("web"), origin: "command", restarts: 4 } }], {
      now: 0,
      change: "run v1",
    }),
  );
  const adopted = up(own, stack({ services: [service("web")] }));
  assert.deepEqual(adopted.changes[0]?.fields, [{ path: "stack", after: "shop" }]);
  assert.equal(own.snapshot.get().objects.service.get("default/web@v1")?.value.restarts, 4, "and it is not restarted");
});

const data = { name: "data", path: "/data", size: "1Gi" };

test("a version's volumes stay what they are; that there are none, or the first ones, is another matter", () => {
  const store = newStore();
  const refused = (volumes: Service["volumes"]): string | undefined => {
    const result = planStack(store.snapshot.get(), stack({ services: [service("db", volumes === undefined ? {} : { volumes })] }), 1);
    return result.ok ? undefined : result.problems[0]?.code;
  };
  up(store, stack({ services: [service("db")] }));
  assert.equal(refused([data]), undefined);
  up(store, stack({ services: [service("db", { volumes: [data] })] }));
  assert.deepEqual([refused([data]), refused([{ ...data, path: "/else" }]), refused(undefined)], [undefined, undefined, undefined]);
  const others = [[{ ...data, size: "2Gi" }], [{ ...data, class: "fast" }], [{ ...data, name: "other" }], [data, { ...data, name: "more" }]];
  assert.deepEqual(others.map(refused), ["volumes-fixed", "volumes-fixed", "volumes-fixed", "volumes-fixed"]);
});

test("notes say what becomes of data, and what one machine does not do", () => {
  const store = newStore();
  const v1 = service("db@v1", { volumes: [data] });
  const v2 = service("db@v2", { volumes: [data], autoscale: { max: 3, cpu: 80 } });
  const notes = (wanted: Stack, runs: "commands" | "images" = "images"): readonly string[] => {
    const result = planStack(store.snapshot.get(), wanted, 1, runs);
    return result.ok ? result.value.notes : assert.fail(JSON.stringify(result.problems));
  };
  assert.deepEqual(notes(stack({ services: [v1] })), []);
  up(store, stack({ services: [v1] }));
  assert.deepEqual(notes(stack({ services: [v1, v2] })), ["db@v2 has volumes of its own: it does not see the data of v1"]);
  assert.deepEqual(notes(stack({ services: [service("db@v1")] })), ["db@v1 no longer sees its volumes; they stay, and are there again when it has them again"]);
  const gone = "the volumes of db@v1 stay when it goes; `weir rm --volumes db@v1` deletes them, before or after";
  assert.deepEqual(notes(stack({ services: [service("web")] })), [gone]);
  const here = notes(stack({ services: [v1, service("logs", { perNode: true }), service("api", { autoscale: { max: 3, cpu: 80 } })] }), "commands");
  assert.deepEqual(here, ["logs@v1 runs once: this machine is the only node", "api@v1 runs 1, not up to 3: the number follows the load on a cluster only"]);
});

test("how many there are and how big volumes may grow is no reason for new processes on one machine", () => {
  const text = (changes: Partial<Service>): string => templateText({ service: service("db", changes), restarts: 0, configs: [], secrets: [] });
  assert.equal(text({}), text({ scale: 3, autoscale: { max: 9, cpu: 1 }, perNode: false, resources: { cpu: "1" } }));
  assert.equal(text({ volumes: [data] }), text({ volumes: [{ ...data, class: "fast" }] }));
  assert.notEqual(text({ volumes: [data] }), text({ volumes: [{ ...data, path: "/else" }] }));
  assert.notEqual(text({}), text({ volumes: [data] }));
});
