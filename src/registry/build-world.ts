/** Declared objects + what runs = World. Whatever did not change is the identical value of the World before. */
import { sameFields, shareList, shareMap } from "../lib/memoize.ts";
import type { Declared, DeclaredSnapshot } from "../model/declared.ts";
import { type AppKey, appKey, type ObjectKey, type VersionKey, type VersionName } from "../model/names.ts";
import type { Service } from "../model/types.ts";
import type { Weights } from "../model/weights.ts";
import type { Workload } from "../model/workload.ts";
import type { App, CapturePoint, Endpoint, GatewaySettings, World } from "../model/world.ts";

export interface WorldInput {
  readonly declared: DeclaredSnapshot;
  /** What every app's versions get now, basis points. */
  readonly weights: ReadonlyMap<AppKey, Weights>;
  /** Replicas that get traffic. */
  readonly serving: ReadonlyMap<VersionKey, readonly Workload[]>;
  /** Everything that has a network, with whether it may call outside. */
  readonly captured: readonly { readonly workload: Workload; readonly egress: boolean }[];
  readonly gateway: GatewaySettings;
}

/** The next World after `before`; the identical one when nothing in it changed. */
export function buildWorld(before: World | undefined, input: WorldInput): World {
  const { objects } = input.declared;
  const apps = shareMap(before?.apps, buildApps(before, input));
  const next: Omit<World, "revision"> = {
    apps,
    routers: shareMap(before?.routers, valuesOf<ObjectKey, "router">(objects.router)),
    serviceRoutes: before?.serviceRoutes ?? new Map(),
    externals: shareMap(before?.externals, valuesOf<ObjectKey, "external">(objects.external)),
    endpoints: shareMap(before?.endpoints, buildEndpoints(before, input)),
    captures: shareList(before?.captures, input.captured.map(capturePoint).toSorted(byWorkload), sameFields),
    addresses: shareMap(before?.addresses, new Map([...objects.address].map(([name, { value }]) => [name, value.ip]))),
    gateway: before !== undefined && sameFields(before.gateway, input.gateway) ? before.gateway : input.gateway,
  };
  if (before !== undefined && sameFields({ ...next, revision: before.revision }, before)) return before;
  return { ...next, revision: (before?.revision ?? 0) + 1 };
}

function valuesOf<Key extends string, K extends "router" | "external">(objects: ReadonlyMap<string, Declared<K>>): ReadonlyMap<Key, Declared<K>["value"]> {
  return new Map([...objects].map(([key, object]) => [key as Key, object.value]));
}

function buildApps(before: World | undefined, { declared, weights }: WorldInput): ReadonlyMap<AppKey, App> {
  const versions = new Map<AppKey, Map<VersionName, Service>>();
  for (const { value } of declared.objects.service.values()) {
    const { service } = value;
    const key = appKey(service.namespace, service.app);
    const known = versions.get(key) ?? new Map<VersionName, Service>();
    versions.set(key, known.set(service.version, service));
  }
  const apps = [...versions].map(([key, services]): [AppKey, App] => {
    const [first] = services.values();
    if (first === undefined) throw new Error(`${key} has no version`);
    const old = before?.apps.get(key);
    const app: App = {
      namespace: first.namespace,
      name: first.app,
      versions: shareMap(old?.versions, services),
      weights: shareMap(old?.weights, weights.get(key) ?? new Map<VersionName, number>()),
    };
    return [key, old !== undefined && sameFields(old, app) ? old : app];
  });
  return new Map(apps);
}

function buildEndpoints(before: World | undefined, { serving, declared }: WorldInput): ReadonlyMap<VersionKey, readonly Endpoint[]> {
  const result = new Map<VersionKey, readonly Endpoint[]>();
  for (const [key, workloads] of serving) {
    // What is no longer declared has no route: its endpoints would lead nowhere.
    if (!declared.objects.service.has(key)) continue;
    const endpoints = workloads.flatMap(({ id, network }): Endpoint[] => (network === undefined ? [] : [{ id, address: network.address, ready: true }]));
    result.set(key, shareList(before?.endpoints.get(key), endpoints, sameFields));
  }
  return result;
}

function capturePoint({ workload, egress }: { readonly workload: Workload; readonly egress: boolean }): CapturePoint {
  const { id, namespace, app, version, network } = workload;
  if (network === undefined) throw new Error(`${id} has no network`);
  const { networkNamespace, captureAddress, capturePort } = network;
  return { workload: id, namespace, app, version, networkNamespace, address: captureAddress, port: capturePort, egress };
}

function byWorkload(a: CapturePoint, b: CapturePoint): number {
  return a.workload < b.workload ? -1 : 1;
}
