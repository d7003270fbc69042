/** Declared apps, routers and external services → apps of several versions, their endpoints and addresses. */
import { memoize, memoizeLast } from "../../lib/memoize.ts";
import { type DeclaredApp, sharesOf } from "../../model/declared.ts";
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
import type { ClusterView, KubeDeclaration, KubeEndpointSlice, KubeService, Objects } from "./objects.ts";
import { serviceEndpoints } from "./translate-endpoints.ts";
import { versionName } from "./translate-runners.ts";
import { isIpv4Address, slicesByService } from "./translate-services.ts";
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
    const kept = [...declaredApps].flatMap(([key, one]) => (keepsService([...one.versions.values()], services.get(key)) ? [key] : []));
    const own = [...declaredApps.keys(), ...versionNames, ...[...ownRouters, ...ownExternals].map(keyOf)].filter((key) => isOurs(services.get(key)));
    const parts = new Set([...own, ...kept]);
    return {
      declaredApps,
      routers: new Map(ownRouters.flatMap((object) => (object.value === undefined ? [] : [[keyOf(object), object.value] as const]))),
      externals: new Map(ownExternals.flatMap((object) => (object.value === undefined ? [] : [[keyOf(object), object.value] as const]))),
      endpoints: new Map(
        all.map((service, at) => {
          const frontedBy = { own: services.get(versionNames[at] ?? ""), app: services.get(appKey(service.namespace, service.app)) };
          return [versionKey(service.namespace, service.app, service.version), endpointsOf(service, frontedBy, slices)];
        }),
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

/** Says whether callers keep a Service that was there before its app adopted what is behind it. */
export function keepsService(versions: readonly Service[], service: Pick<KubeService, "labels"> | undefined): boolean {
  return service !== undefined && !isOurs(service) && versions.some(({ adopted }) => adopted !== undefined);
}

function isThere({ value, terminating }: KubeDeclaration): boolean {
  return value !== undefined && !terminating;
}

/** The name is no Service's, or that of one of ours which is neither an app's nor a version's. */
function isFree(object: KubeDeclaration, services: Objects<KubeService>): boolean {
  const service = services.get(keyOf(object));
  return service === undefined || (isOurs(service) && service.labels[appLabel] === undefined);
}

function keyOf({ namespace, name }: KubeDeclaration): ObjectKey {
  return objectKey(namespace as Namespace, name);
}

function byName(a: KubeDeclaration, b: KubeDeclaration): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

function servicesOf(versions: readonly KubeDeclaration<"service">[]): readonly Service[] {
  return versions.flatMap(({ value }) => value?.service ?? []);
}

/** Apps with at least one version, in the order of their names. */
function translateApps(
  apps: Objects<KubeDeclaration<"app">>,
  versions: Objects<KubeDeclaration<"service">>,
  services: Objects<KubeService>,
): ReadonlyMap<AppKey, DeclaredVersions> {
  return new Map(
    [...versionsByApp(versions)]
      .filter(([key, objects]) => isAppFree(key, services) || keepsService(servicesOf(objects), services.get(key)))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, [first, ...others]]) => {
        const app = apps.get(key);
        return first === undefined ? [] : [[key, withVersions(first, app !== undefined && isThere(app) ? app : undefined, ...others)] as const];
      }),
  );
}

/** Versions that are there by their apps, oldest first. */
export const versionsByApp: (versions: Objects<KubeDeclaration<"service">>) => ReadonlyMap<AppKey, readonly KubeDeclaration<"service">[]> = memoize(
  (versions) => {
    const found = [...versions.values()].filter(isThere).toSorted((a, b) => a.createdAt - b.createdAt || byName(a, b));
    return Map.groupBy(found, ({ namespace, value }) => appKey(namespace as Namespace, value?.service.app ?? ("" as AppName)));
  },
);

/** As it holds: every version has a weight, and no other has one. An app that nobody declared gives its oldest version everything. */
const withVersions = memoizeLast(
  (first: KubeDeclaration<"service">, declared: KubeDeclaration<"app"> | undefined, ...others: readonly KubeDeclaration<"service">[]): DeclaredVersions => {
    const services = [first, ...others].flatMap(({ value }) => value?.service ?? []);
    const versions = new Map(services.map((service) => [service.version, service]));
    const app: DeclaredApp = declared?.value ?? { namespace: first.namespace as Namespace, app: services[0]?.app ?? ("" as AppName), weights: {}, history: [] };
    const named = [...versions.keys()];
    const moving = app.rollout === undefined ? {} : { rollout: { ...app.rollout, from: sharesOf(app.rollout.from, named) } };
    return { app: { ...app, weights: sharesOf(app.weights, named), ...moving }, versions };
  },
);

function isAppFree(key: AppKey, services: Objects<KubeService>): boolean {
  const service = services.get(key);
  return service === undefined || (isOurs(service) && key.endsWith(`/${service.labels[appLabel]}`) && service.labels[versionLabel] === undefined);
}

const noEndpoints: readonly Endpoint[] = [];
const noSlices: readonly KubeEndpointSlice[] = [];

/** The Services in front of a version: the one of its own, and the one of its app's name. */
interface Fronts {
  readonly own: KubeService | undefined;
  readonly app: KubeService | undefined;
}

/**
 * The pods of one version: what its own Service has. An adopted one has the pods that its callers reached so far, until Kubernetes has said for the first
 * time which ones its own Service has: that one is made when the version is declared, and its slices come some 100 ms later.
 */
function endpointsOf(service: Service, { own, app }: Fronts, slices: Objects<KubeEndpointSlice>): readonly Endpoint[] {
  const found = own === undefined || !isOurs(own) ? noSlices : slicesOf(own, slices);
  if (own !== undefined && found.length > 0) return endpointsWith(service, own, ...found);
  return app !== undefined && keepsService([service], app) ? endpointsWith(service, app, ...slicesOf(app, slices)) : noEndpoints;
}

function slicesOf({ namespace, name }: KubeService, slices: Objects<KubeEndpointSlice>): readonly KubeEndpointSlice[] {
  return slicesByService(slices).get(`${namespace}/${name}`) ?? noSlices;
}

const endpointsWith = memoizeLast((service: Service, front: KubeService, ...slices: readonly KubeEndpointSlice[]) =>
  serviceEndpoints(front, slices, service.ports),
);
