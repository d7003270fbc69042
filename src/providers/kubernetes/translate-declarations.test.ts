/** Declared apps in what a cluster is made into: versions, endpoints, addresses, and whose name it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { adoptedObject, appObject, externalObject, image, ownService, routerObject, versionObject } from "../../../test/support/declarations.ts";
import { clusterView, podEndpoint, type Raw, serviceObject, sliceObject } from "../../../test/support/kube-objects.ts";
import type { AppKey, ObjectKey, VersionKey } from "../../model/names.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";

const web = "shop/web" as AppKey;
const raw: Raw = {
  apps: [appObject("web", { v1: 9_000, v2: 1_000 })],
  versions: [versionObject("web@v2", {}, { age: 2 }), versionObject("web@v1", {}, { age: 1 })],
  services: [
    ownService("shop/web", { app: "web" }, "10.96.0.1"),
    ownService("shop/web-v1", { app: "web", version: "v1" }, "10.96.0.2"),
    ownService("shop/web-v2", { app: "web", version: "v2" }, "10.96.0.3"),
  ],
  slices: [
    sliceObject("shop/web-1", [podEndpoint(1), podEndpoint(2)], [{ name: "http-80", port: 8080 }]),
    sliceObject("shop/web-v1-1", [podEndpoint(1)], [{ name: "http-80", port: 8080 }]),
    sliceObject("shop/web-v2-1", [podEndpoint(2)], [{ name: "http-80", port: 9090 }]),
  ],
};

function translate(changes: Raw = {}, before?: ClusterTranslation): ClusterTranslation {
  return translateCluster(clusterView({ ...raw, ...changes }), before);
}

test("an app has the versions that are declared, each with its own pods; its Services are its addresses, and no apps", () => {
  const { declaredApps, apps, endpoints, addresses } = translate();
  const declared = declaredApps.get(web);
  assert.deepEqual([declared?.app.weights, [...(declared?.versions.keys() ?? [])]], [{ v1: 9_000, v2: 1_000 }, ["v1", "v2"]]);
  assert.deepEqual([...apps.keys()], []);
  assert.deepEqual(Object.fromEntries(addresses), { "shop/web": "10.96.0.1", "shop/web-v1": "10.96.0.2", "shop/web-v2": "10.96.0.3" });
  assert.deepEqual(
    ["v1", "v2"].map((version) => endpoints.get(`shop/web@${version}` as VersionKey)?.map(({ id, ports }) => [id, ports?.get(80)])),
    [[["pod-1", undefined]], [["pod-2", 9090]]],
    "a pod that listens elsewhere than declared is met there",
  );
});

test("an app that nobody declared gives its oldest version everything; versions that it does not name get nothing", () => {
  assert.deepEqual(translate({ apps: [] }).declaredApps.get(web)?.app.weights, { v1: 10_000, v2: 0 });
  assert.deepEqual(translate({ apps: [appObject("web", { v2: 10_000 })] }).declaredApps.get(web)?.app.weights, { v1: 0, v2: 10_000 });
  assert.deepEqual(translate({ versions: [versionObject("web@v2")] }).declaredApps.get(web)?.app.weights, { v2: 10_000 });
  assert.equal(translate({ versions: [] }).declaredApps.size, 0);
});

test("somebody else's Service keeps its name: it is what it was, and the declared app is not called", () => {
  const services = [serviceObject("shop/web", [{ name: "http", port: 80, targetPort: 8080 }]), ...(raw.services ?? []).slice(1)];
  const { declaredApps, apps, addresses } = translate({ services });
  assert.deepEqual([declaredApps.size, [...apps.keys()].includes(web), addresses.get("shop/web")], [0, true, "10.96.0.7"]);
});

test("the Service in front of what an app adopted is the app's, and its address stays", () => {
  const theirs = serviceObject("shop/web", [{ name: "http", port: 80, targetPort: 8080 }]);
  const versions = [adoptedObject("web@v1", { app: "web" }), versionObject("web@v2", {}, { age: 2 })];
  const { declaredApps, apps, addresses, endpoints } = translate({ versions, services: [theirs, ...(raw.services ?? []).slice(1)] });
  assert.deepEqual([[...declaredApps.keys()], apps.has(web), addresses.get("shop/web")], [[web], false, "10.96.0.7"]);
  assert.equal(endpoints.get("shop/web@v1" as VersionKey)?.length, 1);
});

test("what an app adopted has the pods that its callers reached so far, until Kubernetes says which ones its own Service has", () => {
  const theirs = serviceObject("shop/web", [{ name: "http-80", port: 80, targetPort: 8080 }]);
  const own = ownService("shop/web-v1", { app: "web", version: "v1" }, "10.96.0.2");
  const ports = [{ name: "http-80", port: 8080 }];
  const before = sliceObject("shop/web-1", [podEndpoint(1), podEndpoint(2)], ports);
  const pods = (services: Raw["services"] & object, ...slices: Raw["slices"] & object): readonly string[] | undefined => {
    const versions = [adoptedObject("web@v1", { app: "web" }), versionObject("web@v2", {}, { age: 2 })];
    const { endpoints } = translate({ versions, services, slices });
    assert.deepEqual(endpoints.get("shop/web@v2" as VersionKey), [], "a version beside it has its own");
    return endpoints.get("shop/web@v1" as VersionKey)?.map(({ id }) => id);
  };
  assert.deepEqual(pods([theirs], before), ["pod-1", "pod-2"], "its own Service is not there");
  assert.deepEqual(pods([theirs, own], before), ["pod-1", "pod-2"], "nothing is said of it");
  assert.deepEqual(pods([theirs, own], before, sliceObject("shop/web-v1-1", [podEndpoint(1)], ports)), ["pod-1"]);
  assert.deepEqual(pods([theirs, own], before, sliceObject("shop/web-v1-1", [], [])), [], "it has none");
});

test("a version of another app does not give its Service away to an app of its name", () => {
  const clash = translate({ versions: [...(raw.versions ?? []), versionObject("web-v1@x")] });
  assert.deepEqual([...clash.declaredApps.keys()], [web]);
});

test("routers and external services have the addresses of their own Services; localhost and others' names are left out", () => {
  const services = [
    ownService("shop/www", {}, "10.96.1.1", { selector: undefined }),
    ownService("shop/db", {}, "10.96.1.2", { selector: undefined }),
    serviceObject("shop/taken", [{ port: 80 }]),
  ];
  const { routers, externals, addresses, apps } = translate({
    services,
    routers: [routerObject("www"), routerObject("taken")],
    externals: [externalObject("db"), externalObject("mine", { endpoints: [{ host: "localhost", port: 1 }] })],
  });
  assert.deepEqual([[...routers.keys()], [...externals.keys()]], [["shop/www"], ["shop/db"]]);
  assert.deepEqual([addresses.get("shop/www"), addresses.get("shop/db")], ["10.96.1.1", "10.96.1.2"]);
  assert.deepEqual([...apps.keys()], ["shop/taken"]);
  assert.equal(routers.get("shop/www" as ObjectKey)?.name, "www");
});

test("what goes is no longer there, what is not understood neither", () => {
  const [first, second] = raw.versions as readonly [object, { readonly metadata: object }];
  const going = { ...second, metadata: { ...second.metadata, deletionTimestamp: "2026-11-30T00:00:00Z" } };
  const { declaredApps } = translate({ versions: [first, going] as NonNullable<Raw["versions"]> });
  assert.deepEqual([...(declaredApps.get(web)?.versions.keys() ?? [])], ["v2"]);
  const odd = { ...versionObject("web@v1"), spec: { app: "web", version: "v1" } };
  assert.deepEqual([...(translate({ versions: [odd] }).declaredApps.keys() ?? [])], []);
});

test("the same again is the identical translation, and what did not change is shared", () => {
  const before = translate();
  assert.equal(translate({}, before).declaredApps.get(web)?.versions.get(image("web").version)?.image, "example.com/web:1");
  const view = clusterView(raw);
  const first = translateCluster(view);
  assert.equal(translateCluster({ ...view }, first), first);
  const more = translateCluster({ ...view, apps: clusterView({ apps: [appObject("web", { v1: 0, v2: 10_000 })] }).apps }, first);
  assert.equal(more.endpoints, first.endpoints);
  assert.equal(more.addresses, first.addresses);
});
