import assert from "node:assert/strict";
import { test } from "node:test";
import { commit, router, service, stack } from "../../test/support/declared.ts";
import type { AppKey, VersionKey, VersionName } from "../model/names.ts";
import type { Workload } from "../model/workload.ts";
import { planStack } from "../release/plan.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { WorldInput } from "./build-world.ts";
import { Registry } from "./registry.ts";

const gateway = { address: "127.0.0.1", port: 8080, socketDir: "/run", domain: "localhost" };

function workload(id: string): Workload {
  const { namespace, app, version } = service("web");
  const network = { address: `100.64.0.${id.length}`, captureAddress: `100.64.0.${id.length}`, capturePort: 15001, networkNamespace: `/ns/${id}` };
  return { id, key: "default/web@v1" as VersionKey, namespace, app, version, hash: "h", phase: "ready", since: 0, restarts: 0, network };
}

function input(changes: Partial<WorldInput> = {}): WorldInput {
  const store = new MemoryStore({ now: () => 0 });
  const plan = planStack(store.snapshot.get(), stack({ services: [service("web"), service("cart")], routers: [router("www")] }), 0);
  assert.ok(plan.ok);
  const weights = new Map(["default/web", "default/cart"].map((key) => [key as AppKey, new Map([["v1" as VersionName, 10_000]])]));
  const web = workload("web-0");
  return {
    declared: commit(store, plan.value.writes),
    weights,
    serving: new Map([[web.key, [web]]]),
    captured: [{ workload: web, egress: false }],
    gateway,
    ...changes,
  };
}

test("a World has everything declared and everything that runs", () => {
  const { world, declaredVersion } = new Registry().update(input());
  assert.deepEqual([world.revision, declaredVersion], [1, 1]);
  assert.deepEqual([...world.apps.keys()].toSorted(), ["default/cart", "default/web"]);
  assert.deepEqual([...world.routers.keys()], ["default/www"]);
  assert.deepEqual(world.endpoints.get("default/web@v1" as VersionKey), [{ id: "web-0", address: "100.64.0.5", ready: true }]);
  assert.deepEqual(
    world.captures.map((capture) => [capture.workload, capture.networkNamespace, capture.port]),
    [["web-0", "/ns/web-0", 15001]],
  );
  assert.equal(world.addresses.get("default/web"), "100.100.0.4");
});

test("the same again is the same World and wakes nobody", async () => {
  const registry = new Registry();
  const first = registry.update(input());
  const same = input();
  const again = registry.update({ ...same, serving: new Map([["default/web@v1" as VersionKey, [workload("web-0")]]]) });
  assert.equal(again.world.endpoints, first.world.endpoints);
  assert.equal(registry.update({ ...same }), again);
  // Not AbortSignal.timeout: its timer keeps no process alive, and nothing else does here.
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  const seen: unknown[] = [];
  for await (const value of registry.published.watch(stop.signal)) seen.push(value);
  assert.equal(seen.length, 1);
});

test("a change shares all that did not change", () => {
  const registry = new Registry();
  const start = input();
  const { world: before } = registry.update(start);
  const { world: after } = registry.update({
    ...start,
    weights: new Map([...start.weights, ["default/web" as AppKey, new Map([["v1" as VersionName, 9999]])]]),
  });
  assert.equal(after.revision, 2);
  assert.notEqual(after.apps.get("default/web" as AppKey), before.apps.get("default/web" as AppKey));
  assert.equal(after.apps.get("default/web" as AppKey)?.versions, before.apps.get("default/web" as AppKey)?.versions);
  assert.equal(after.apps.get("default/cart" as AppKey), before.apps.get("default/cart" as AppKey));
  for (const part of ["routers", "externals", "endpoints", "captures", "addresses", "gateway"] as const) assert.equal(after[part], before[part], part);
  const { world: more } = registry.update({ ...start, serving: new Map([["default/web@v1" as VersionKey, [workload("web-0"), workload("web-10")]]]) });
  assert.equal(more.endpoints.get("default/web@v1" as VersionKey)?.length, 2);
});

test("endpoints of what is no longer declared are gone, its capture stays while it drains", () => {
  const registry = new Registry();
  const start = input();
  registry.update(start);
  const store = new MemoryStore({ now: () => 0 }, start.declared);
  const declared = commit(store, [{ op: "delete", kind: "service", key: "default/web@v1" }]);
  const { world, declaredVersion } = registry.update({ ...start, declared });
  assert.deepEqual([world.endpoints.size, world.captures.length, declaredVersion], [0, 1, 2]);
  assert.equal(world.apps.has("default/web" as AppKey), false);
});
