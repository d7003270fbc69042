/** The World of a cluster: its own Services and what is declared, weights by the clock; what did not change is shared. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { appObject, ownService, routerObject, versionObject } from "../../../test/support/declarations.ts";
import { clusterView, type Raw, serviceObject } from "../../../test/support/kube-objects.ts";
import type { AppKey } from "../../model/names.ts";
import type { World } from "../../model/world.ts";
import { translateCluster } from "../../providers/kubernetes/translate.ts";
import { clusterGateway, clusterWorld, nextChangeAt } from "./cluster-world.ts";

const rollout = { from: { v1: 10_000, v2: 0 }, startedAt: 1_000, durationMs: 10_000 };
const raw: Raw = {
  apps: [appObject("web", { v1: 0, v2: 10_000 }, { rollout })],
  versions: [versionObject("web@v1", {}, { age: 1 }), versionObject("web@v2", {}, { age: 2 })],
  services: [ownService("shop/web", { app: "web" }, "10.96.0.1"), serviceObject("shop/old", [{ name: "http", port: 80, targetPort: 8080 }])],
};
const gateway = clusterGateway("localhost");
const web = "shop/web" as AppKey;
const weights = (world: World): unknown => Object.fromEntries(world.apps.get(web)?.weights ?? []);

test("weights go by the clock, and say when they change next", () => {
  const translation = translateCluster(clusterView(raw));
  const at = (now: number, before?: World): World => clusterWorld(translation, now, gateway, before);
  assert.deepEqual(weights(at(0)), { v1: 10_000, v2: 0 });
  assert.deepEqual(weights(at(6_000)), { v1: 5_000, v2: 5_000 });
  assert.deepEqual(weights(at(11_000)), { v1: 0, v2: 10_000 });
  assert.deepEqual([nextChangeAt(translation.declaredApps, 6_000), nextChangeAt(translation.declaredApps, 11_000)], [6_100, undefined]);
});

test("what did not change is the same: a step of a rollout leaves all but the app itself", () => {
  const translation = translateCluster(clusterView(raw));
  const before = clusterWorld(translation, 6_000, gateway, undefined);
  assert.equal(clusterWorld(translation, 6_050, gateway, before), before, "between two steps");
  const after = clusterWorld(translation, 6_100, gateway, before);
  assert.deepEqual([after.revision, after.endpoints === before.endpoints, after.addresses === before.addresses], [2, true, true]);
  assert.equal(after.apps.get("shop/old" as AppKey), before.apps.get("shop/old" as AppKey));
  assert.equal(after.apps.get(web)?.versions, before.apps.get(web)?.versions);
});

test("routers are in it, and Services that nobody declared are apps of one version", () => {
  const services = [...(raw.services ?? []), ownService("shop/www", {}, "10.96.0.9", { selector: undefined })];
  const { routers, apps } = clusterWorld(translateCluster(clusterView({ ...raw, services, routers: [routerObject("www")] })), 0, gateway, undefined);
  assert.deepEqual([[...routers.keys()], [...apps.keys()]], [["shop/www"], ["shop/old", "shop/web"]]);
});
