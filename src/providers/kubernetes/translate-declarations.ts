/** Declared apps, routers and external services → apps of several versions, their endpoints and addresses. */
import { memoizeLast } from "../../lib/memoize.ts";
import type { DeclaredApp } from "../../model/declared.ts";
import {
  type AppKey,
  type AppName,
  appKey,
  type Namespace,
  type ObjectKey,
  objectKey,
  type VersionKey,
  type VersionName,
  versionKey,
} from "../../model/names.ts";
import type { ExternalService, Router, Service } from "../../model/types.ts";
import type { Endpoint } from "../../model/world.ts";
import type { ClusterView, DeclarationKind, KubeDeclaration, KubeEndpointSlice, KubeService, Objects } from "./objects.ts";
import { serviceEndpoints } from "./translate-endpoints.ts";
import { isIpv4Address, slicesByService } from "./translate-services.ts";
import { versionName } from "./translate-workloads.ts";
import { appLabel, managedLabel, versionLabel } from "./workload-objects.ts";

/** A declared app with the versions that there are; what each gets depends on the time. */
export interface DeclaredVersions {
  readonly app: DeclaredApp;
  /** Oldest first. */
  readonly versions: ReadonlyMap<VersionName, Service>;
}

export interface TranslatedDeclarations {
  readonly declaredApps: ReadonlyMap<AppKey, DeclaredVersions>;
  readonly routers: ReadonlyMap<ObjectKey, Router>;
  readonly externals: ReadonlyMap<ObjectKey, ExternalService>;
  /** Of the versions of declared apps. */
  readonly endpoints: ReadonlyMap<VersionKey, readonly Endpoint[]>;
  readonly addresses: ReadonlyMap<string, string>;
  /** Services that are parts of all that, and no apps of their own. */
  readonly parts: ReadonlySet<string>;
}

type Input = Pick<ClusterView, "apps" | "versions" | "routers" | "externals" | "services" | "endpointSlices">;

/**
 * Everything declared that has its name to itself. Where somebody else's Service has the name of an app, router or external service, that Service is what
 * callers of the name meant so far, and stays it.
 */
export function translateDeclarations(view: Input): TranslatedDeclarations {
  return translate(view.versions, view.apps, view.routers, view.externals, view.services, view.endpointSlices);
}

const translate = memoizeLast(
  (
    versions: Input["versions"],
    apps: Input["apps"],
    routers: Input["routers"],
    externals: Input["externals"],
    services: Objects<KubeService>,
    slices: Objects<KubeEndpointSlice>,
  ): TranslatedDeclarations => {
    const declaredApps = translateApps(apps, versions, services);
    const fitting = <K extends "router" | "external">(objects: Objects<KubeDeclaration<K>>): readonly KubeDeclaration<K>[] =>
      [...objects.values()].filter((object) => isThere(object) && whyNotCalled(object) === undefined && isFree(object, services)).toSorted(byName);
    const [ownRouters, ownExternals] = [fitting(routers), fitting(externals)];
    const all = [...declaredApps.values()].flatMap(({ versions: own }) => [...own.values()]);
    const versionNames = all.map(({ namespace, app, version }) => `${namespace}/${versionName(app, version)}`);
    const parts = new Set([...declaredApps.keys(), ...versionNames, ...[...ownRouters, ...ownExternals].map(keyOf)].filter((key) => isOurs(services.get(key))));
    return {
      declaredApps,
      routers: new Map(ownRouters.flatMap((object) => (object.value === undefined ? [] : [[keyOf(object), object.value] as const]))),
      externals: new Map(ownExternals.flatMap((object) => (object.value === undefined ? [] : [[keyOf(object), object.value] as const]))),
      endpoints: new Map(
        all.map((service, at) => [versionKey(service.namespace, service.app, service.version), endpointsOf(service, services.get(versionNames[at] ?? ""), slices)]),
      ),
      addresses: new Map([...parts].flatMap((key) => (services.get(key)?.addresses ?? []).filter(isIpv4Address).map((address) => [key, address] as const))),
      parts,
    };
  },
);

/** Why nobody can call an external service through the mesh, or a router; undefined: everybody can. */
export function whyNotCalled({ kind, value }: KubeDeclaration): string | undefined {
  if (kind !== "external" || value === undefined) return undefined;
  const isLocal = (value as ExternalService).endpoints.some(({ host }) => host === "localhost" || host.startsWith("127."));
  return isLocal ? "localhost means another machine on every node of a cluster: name a host that all of them reach" : undefined;
}

/** Says whether a Service is one that Weir wrote. */
export function isOurs(service: Pick<KubeService, "labels"> | undefined): boolean {
  return service?.labels[managedLabel.key] === managedLabel.value;
}

function isThere({ value, terminating }: KubeDeclaration): boolean {
  return value !== undefined && !terminating;
}

/** The name is no Service's, or that of one of ours which is neither an app's nor a version's. */
function isFree(object: KubeDeclaration, services: Objects<KubeService>): boolean {
  const service = services.get(keyOf(object));
  return service === undefined || (isOurs(service) && service.labels[appLabel] === undefined);
}

function keyOf({ namespace, name }: KubeDeclaration<DeclarationKind>): ObjectKey {
  return objectKey(namespace as Namespace, name);
}

function byName(a: KubeDeclaration, b: KubeDeclaration): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

/** Apps with at least one version, in the order of their names. */
function translateApps(
  apps: Objects<KubeDeclaration<"app">>,
  versions: Objects<KubeDeclaration<"service">>,
  services: Objects<KubeService>,
): ReadonlyMap<AppKey, DeclaredVersions> {
  const found = [...versions.values()].filter(isThere).toSorted((a, b) => a.createdAt - b.createdAt || byName(a, b));
  const byApp = Map.groupBy(found, ({ namespace, value }) => appKey(namespace as Namespace, value?.service.app ?? ("" as AppName)));
  return new Map(
    [...apps.values()]
      .filter((app) => isThere(app) && isAppFree(app, services))
      .toSorted(byName)
      .flatMap((app) => {
        const key = appKey(app.namespace as Namespace, app.name as AppName);
        const declared = withVersions(app, ...(byApp.get(key) ?? []));
        return declared === undefined ? [] : [[key, declared] as const];
      }),
  );
}

const withVersions = memoizeLast(
  ({ value: app }: KubeDeclaration<"app">, ...versions: readonly KubeDeclaration<"service">[]): DeclaredVersions | undefined =>
    app === undefined || versions.length === 0
      ? undefined
      : { app, versions: new Map(versions.flatMap(({ value }) => (value === undefined ? [] : [[value.service.version, value.service] as const]))) },
);

function isAppFree(app: KubeDeclaration<"app">, services: Objects<KubeService>): boolean {
  const service = services.get(keyOf(app));
  return service === undefined || (isOurs(service) && service.labels[appLabel] === app.name && service.labels[versionLabel] === undefined);
}

const noEndpoints: readonly Endpoint[] = [];

/** The pods of one version: what its own Service has. */
function endpointsOf(service: Service, own: KubeService | undefined, slices: Objects<KubeEndpointSlice>): readonly Endpoint[] {
  if (own === undefined || !isOurs(own)) return noEndpoints;
  return endpointsWith(service, own, ...(slicesByService(slices).get(`${own.namespace}/${own.name}`) ?? []));
}

const endpointsWith = memoizeLast((service: Service, own: KubeService, ...slices: readonly KubeEndpointSlice[]) =>
  serviceEndpoints(own, slices, service.ports),
);
