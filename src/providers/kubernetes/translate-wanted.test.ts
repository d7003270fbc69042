/** All objects that should be on a cluster, who has a name, and what may go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { adoptedObject, appObject, externalObject, routerObject, versionObject } from "../../../test/support/declarations.ts";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, type Raw, serviceObject } from "../../../test/support/kube-objects.ts";
import type { Service } from "../../model/types.ts";
import { heldObjects, unwanted, type Wanted, wantedObjects } from "./translate-wanted.ts";
import { managedLabel, writtenKinds } from "./workload-objects.ts";

const hash = (text: string): string => Buffer.from(text).toString("base64");
const wanted = (raw: Raw): Wanted => wantedObjects(clusterView(raw), hash);
const web = appObject("web", { v1: 10_000 });
const v1 = versionObject("web@v1", { scale: 2 });

test("an app with a version is a Deployment, two Services, a ServiceAccount and a budget, each of its owner", () => {
  const { objects, reasons, hashes } = wanted({ apps: [web], versions: [v1] });
  assert.deepEqual(Object.fromEntries([...objects].map(([key, { by }]) => [key, by.join()])), {
    "Deployment shop/web-v1": "Version shop/web-v1",
    "Service shop/web-v1": "Version shop/web-v1",
    "ServiceAccount shop/web": "App shop/web",
    "Service shop/web": "App shop/web",
    "PodDisruptionBudget shop/web": "App shop/web",
  });
  assert.deepEqual([reasons.size, hashes.size], [0, 1]);
});

test("of an adopted Deployment nothing is written but a Service of the version's own, on its pods", () => {
  const adopted = adoptedObject("web@v1", { app: "web", tier: "front" });
  const alone = wanted({ apps: [web], versions: [adopted] });
  assert.deepEqual([...alone.objects.keys()].toSorted(), ["Service shop/web", "Service shop/web-v1"]);
  const spec = alone.objects.get("Service shop/web-v1")?.object["spec"] as {
    readonly selector: object;
    readonly ports: readonly { readonly targetPort: unknown }[];
  };
  assert.deepEqual([spec.selector, spec.ports[0]?.targetPort], [{ app: "web", tier: "front" }, 8080]);
  const theirs = serviceObject("shop/web", [{ name: "http", port: 80, targetPort: 8080 }]);
  const beside = wanted({ apps: [web], versions: [adopted, versionObject("web@v2", {}, { age: 2 })], services: [theirs] });
  assert.deepEqual([...beside.objects.keys()].toSorted(), ["Deployment shop/web-v2", "Service shop/web-v1", "Service shop/web-v2", "ServiceAccount shop/web"]);
  assert.deepEqual([beside.reasons.size, beside.hashes.get("Version shop/web-v1")], [0, "adopted"]);
});

test("an app that nobody declared belongs to its versions", () => {
  const { objects } = wanted({ versions: [v1, versionObject("web@v2", {}, { age: 5 })] });
  assert.deepEqual(objects.get("Service shop/web")?.by, ["Version shop/web-v1", "Version shop/web-v2"]);
  assert.equal(objects.get("Service shop/web")?.object.metadata.ownerReferences.length, 2);
});

test("of two that want a name the older has it, the other says why not", () => {
  const { objects, reasons } = wanted({ versions: [versionObject("web@v2", {}, { age: 5 })], routers: [routerObject("web-v2", {}, { age: 1 })] });
  assert.deepEqual(objects.get("Service shop/web-v2")?.by, ["Router shop/web-v2"]);
  assert.deepEqual([...reasons], [["Version shop/web-v2", "it needs the name web-v2, which is that of Router shop/web-v2"]]);
});

test("what cannot be here says why, and asks for nothing", () => {
  const noImage = versionObject("web@v1", { image: undefined } as unknown as Partial<Service>);
  const local = externalObject("mine", { endpoints: [{ host: "127.0.0.1", port: 1 }] });
  const { objects, reasons } = wanted({ versions: [noImage], externals: [local, externalObject("db")] });
  assert.deepEqual([...objects.keys()].toSorted(), ["Service shop/db", "Service shop/web", "ServiceAccount shop/web"]);
  assert.match(reasons.get("Version shop/web-v1") ?? "", /no image/);
  assert.match(reasons.get("ExternalService shop/mine") ?? "", /localhost means another machine/);
});

test("new contents of what a version uses are a new hash, others' are not", () => {
  const uses = versionObject("web@v1", { env: { A: { kind: "config", name: "settings", key: "a" } } });
  const configMap = (name: string, a: string): FakeObject => ({ metadata: { name, namespace: "shop", labels: { "weir.dev/kind": "config" } }, data: { a } });
  const hashOf = (...configs: readonly FakeObject[]): string | undefined => wanted({ versions: [uses], configs }).hashes.get("Version shop/web-v1");
  assert.equal(hashOf(configMap("settings", "1")), hashOf(configMap("settings", "1"), configMap("other", "2")));
  assert.notEqual(hashOf(configMap("settings", "1")), hashOf(configMap("settings", "2")));
  assert.notEqual(hashOf(configMap("settings", "1")), hashOf());
});

test("what a declaration no longer wants may go; what is nobody's, or of one that is not understood, stays", () => {
  const budget = (name: string, uid: string): FakeObject => ({
    apiVersion: writtenKinds.PodDisruptionBudget.apiVersion,
    metadata: { name, namespace: "shop", labels: { [managedLabel.key]: managedLabel.value }, ownerReferences: [{ uid }] },
  });
  const uid = String(web.metadata.uid);
  const odd = { ...appObject("odd", {}), spec: { weights: "all" } };
  const budgets = [budget("web", uid), budget("gone", "uid-of-nobody"), budget("odd", String(odd.metadata["uid"]))];
  const few = clusterView({ apps: [web, odd], versions: [versionObject("web@v1")], budgets });
  assert.deepEqual(
    unwanted(heldObjects(few), wantedObjects(few, hash)).map(({ name }) => name),
    ["web"],
  );
  const many = clusterView({ apps: [web, odd], versions: [v1], budgets });
  assert.deepEqual(unwanted(heldObjects(many), wantedObjects(many, hash)), []);
});
