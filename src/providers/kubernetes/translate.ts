/** A cluster at one moment → what the World and the mesh's agents need. What did not change is the identical value of the translation before. */
import { sameFields, shareList, shareMap } from "../../lib/memoize.ts";
import type { Problem } from "../../lib/problem.ts";
import type { AppKey } from "../../model/names.ts";
import type { ClusterView } from "./objects.ts";
import { type DeclaredVersions, type TranslatedDeclarations, translateDeclarations } from "./translate-declarations.ts";
import { markUnheard } from "./translate-endpoints.ts";
import { shareGateways, type TranslatedGateways, translateGateways } from "./translate-gateways.ts";
import { type TranslatedPods, translatePods } from "./translate-pods.ts";
import { shareRoutes, type TranslatedRoutes, translateRoutes } from "./translate-routes.ts";
import { type TranslatedServices, translateServices } from "./translate-services.ts";

export interface ClusterTranslation
  extends TranslatedServices,
    TranslatedPods,
    TranslatedRoutes,
    TranslatedGateways,
    Pick<TranslatedDeclarations, "routers" | "externals"> {
  /** Apps of several versions, which are not among `apps`: what each version gets depends on the time. */
  readonly declaredApps: ReadonlyMap<AppKey, DeclaredVersions>;
  readonly problems: readonly Problem[];
}

/** Equal views give equal translations, in the same order, whatever happened before; `before` is only reused. */
export function translateCluster(seen: ClusterView, before?: ClusterTranslation): ClusterTranslation {
  const view = { ...seen, endpointSlices: markUnheard(seen.endpointSlices, seen.pods) };
  const services = translateServices(view.services, view.endpointSlices);
  const declared = translateDeclarations(view);
  const pods = translatePods(view.pods, view.namespaces);
  const gateways = shareGateways(before, translateGateways(view));
  const { httpRoutes, grpcRoutes, tlsRoutes, tcpRoutes, referenceGrants } = view;
  const translated = translateRoutes(httpRoutes, grpcRoutes, tlsRoutes, tcpRoutes, referenceGrants, view.services, gateways.gatewayParents);
  const routes = shareRoutes(before, translated);
  const next: ClusterTranslation = {
    apps: shareMap(before?.apps, without(services.apps, declared.parts)),
    declaredApps: shareMap(before?.declaredApps, declared.declaredApps),
    routers: shareMap(before?.routers, declared.routers),
    externals: shareMap(before?.externals, declared.externals),
    endpoints: shareMap(before?.endpoints, joined(services.endpoints, declared.endpoints)),
    addresses: shareMap(before?.addresses, joined(services.addresses, declared.addresses)),
    headless: shareSet(before?.headless, services.headless),
    serviceRoutes: routes.serviceRoutes,
    routeStatuses: routes.routeStatuses,
    ...gateways,
    meshNamespaces: shareList(before?.meshNamespaces, pods.meshNamespaces),
    modes: shareMap(before?.modes, pods.modes),
    meshPods: shareMap(before?.meshPods, pods.meshPods),
    problems: shareList(before?.problems, [...services.problems, ...pods.problems]),
  };
  return before !== undefined && isSame(before, next) ? before : next;
}

function isSame(a: ClusterTranslation, b: ClusterTranslation): boolean {
  return sameFields(a, b);
}

function without<K extends string, V>(map: ReadonlyMap<K, V>, names: ReadonlySet<string>): ReadonlyMap<K, V> {
  return names.size === 0 ? map : new Map([...map].filter(([key]) => !names.has(key)));
}

function joined<K, V>(map: ReadonlyMap<K, V>, more: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  return more.size === 0 ? map : new Map([...map, ...more]);
}

function shareSet<T>(before: ReadonlySet<T> | undefined, after: ReadonlySet<T>): ReadonlySet<T> {
  return before !== undefined && before.size === after.size && [...after].every((value) => before.has(value)) ? before : after;
}
