/** Objects of weir.dev, and what Weir writes for them, as an API server sends them. */

import type { DeclaredApp } from "../../src/model/declared.ts";
import { type AppName, appKey, type Namespace, objectKey, versionKey } from "../../src/model/names.ts";
import type { ExternalService, Job, Router, Service } from "../../src/model/types.ts";
import { declaredObject } from "../../src/providers/kubernetes/translate-declared.ts";
import { hashLabel, managedLabel } from "../../src/providers/kubernetes/workload-objects.ts";
import { job as declaredJob, service } from "./declared.ts";
import type { FakeObject } from "./fake-kube-api.ts";
import { podObject, serviceObject } from "./kube-objects.ts";

export const shop = "shop" as Namespace;

interface Said {
  /** In the order of their age. */
  readonly age?: number;
  readonly generation?: number;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function stored(object: ReturnType<typeof declaredObject>, { age = 0, generation = 1, uid, labels = {} }: Said): FakeObject {
  const { namespace, name } = object.metadata;
  const metadata = {
    ...object.metadata,
    labels: { ...object.metadata.labels, ...labels },
    uid: uid ?? `uid-${object.kind}-${namespace}/${name}`,
    generation,
    creationTimestamp: new Date(age * 1_000).toISOString(),
  };
  return JSON.parse(JSON.stringify({ ...object, metadata })) as FakeObject;
}

/** A service `web@v1` with an image, in the namespace `shop`. */
export function image(ref: string, changes: Partial<Service> = {}): Service {
  return service(ref, { namespace: shop, image: "example.com/web:1", command: [], ...changes });
}

/** The Version `web@v1`. */
export function versionObject(ref: string, changes: Partial<Service> = {}, said: Said & { readonly restarts?: number } = {}): FakeObject {
  const own = image(ref, changes);
  const key = versionKey(own.namespace, own.app, own.version);
  return stored(declaredObject({ op: "put", kind: "service", key, value: { service: own, origin: "file", restarts: said.restarts ?? 0 } }), said);
}

/** The Version `web@v1` of the pods with these labels, which somebody else's Deployment makes. */
export function adoptedObject(ref: string, selector: Readonly<Record<string, string>>, changes: Partial<Service> = {}): FakeObject {
  const { image: _image, ...own } = image(ref, { adopted: { deployment: "theirs", selector }, ...changes });
  const key = versionKey(own.namespace, own.app, own.version);
  return stored(declaredObject({ op: "put", kind: "service", key, value: { service: own, origin: "command", restarts: 0 } }), {});
}

export function appObject(name: string, weights: DeclaredApp["weights"], said: Said & Pick<Partial<DeclaredApp>, "rollout"> = {}): FakeObject {
  const app = name as AppName;
  const rollout = said.rollout === undefined ? {} : { rollout: said.rollout };
  return stored(declaredObject({ op: "put", kind: "app", key: appKey(shop, app), value: { namespace: shop, app, weights, history: [], ...rollout } }), said);
}

/** The Job `NAME` of weir.dev, and what its status says was begun. */
export function jobObject(name: string, changes: Partial<Job> = {}, said: Said & { readonly restarts?: number; readonly status?: object } = {}): FakeObject {
  const job = declaredJob(name, { namespace: shop, image: "example.com/work:1", ...changes });
  const value = { job, restarts: said.restarts ?? 0 };
  const object = stored(declaredObject({ op: "put", kind: "job", key: objectKey(shop, name), value }), said);
  return said.status === undefined ? object : { ...object, status: said.status };
}

export function routerObject(name: string, changes: Partial<Router> = {}, said: Said = {}): FakeObject {
  const value = { namespace: shop, name, hosts: [], public: false, rules: [], ...changes };
  return stored(declaredObject({ op: "put", kind: "router", key: objectKey(shop, name), value }), said);
}

export function externalObject(name: string, changes: Partial<ExternalService> = {}, said: Said = {}): FakeObject {
  const value: ExternalService = {
    namespace: shop,
    name,
    endpoints: [{ host: "db.example.com", port: 5432 }],
    ports: [{ port: 5432, containerPort: 5432, protocol: "tcp" }],
    ...changes,
  };
  return stored(declaredObject({ op: "put", kind: "external", key: objectKey(shop, name), value }), said);
}

/** A Service that Weir wrote: `shop/web` of an app, `shop/web-v1` with `app: web, version: v1`. */
export function ownService(place: string, labels: Readonly<Record<string, string>>, address: string, spec: Readonly<Record<string, unknown>> = {}): FakeObject {
  const own = Object.fromEntries(Object.entries(labels).map(([name, value]) => [`weir.dev/${name}`, value]));
  const plain = serviceObject(place, [{ name: "http-80", port: 80, targetPort: "http", appProtocol: "http" }], {
    clusterIP: address,
    clusterIPs: [address],
    ...spec,
  });
  return { ...plain, metadata: { ...plain.metadata, labels: { ...own, [managedLabel.key]: managedLabel.value } } };
}

/** A pod of `web@v1` made from what has this hash. */
export function podOf(place: string, ref: string, hash: string, status: Readonly<Record<string, unknown>> = {}, deleted = false): FakeObject {
  const [app = "", version = ""] = ref.split("@");
  const labels = { "weir.dev/app": app, "weir.dev/version": version, [hashLabel]: hash };
  return podObject(place, { meta: { labels, ...(deleted ? { deletionTimestamp: "2026-11-30T00:00:00Z" } : {}) }, status });
}
