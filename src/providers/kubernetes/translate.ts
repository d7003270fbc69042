/** A cluster at one moment → what the World and the mesh's agents need. What did not change is the identical value of the translation before. */
import { sameFields, shareList, shareMap } from "../../lib/memoize.ts";
import type { Problem } from "../../lib/problem.ts";
import type { ClusterView } from "./objects.ts";
import { shareGateways, type TranslatedGateways, translateGateways } from "./translate-gateways.ts";
import { type TranslatedPods, translatePods } from "./translate-pods.ts";
import { shareRoutes, type TranslatedRoutes, translateRoutes } from "./translate-routes.ts";
import { type TranslatedServices, translateServices } from "./translate-services.ts";

export interface ClusterTranslation extends TranslatedServices, TranslatedPods, TranslatedRoutes, TranslatedGateways {
  readonly problems: readonly Problem[];
}

/** Equal views give equal translations, in the same order, whatever happened before; `before` is only reused. */
export function translateCluster(view: ClusterView, before?: ClusterTranslation): ClusterTranslation {
  const services = translateServices(view.services, view.endpointSlices);
  const pods = translatePods(view.pods, view.namespaces);
  const gateways = shareGateways(before, translateGateways(view));
  const { httpRoutes, grpcRoutes, tlsRoutes, tcpRoutes, referenceGrants } = view;
  const translated = translateRoutes(httpRoutes, grpcRoutes, tlsRoutes, tcpRoutes, referenceGrants, view.services, gateways.gatewayParents);
  const routes = shareRoutes(before, translated);
  const next: ClusterTranslation = {
    apps: shareMap(before?.apps, services.apps),
    endpoints: shareMap(before?.endpoints, services.endpoints),
    addresses: shareMap(before?.addresses, services.addresses),
    headless: shareSet(before?.headless, services.headless),
    serviceRoutes: routes.serviceRoutes,
    routeStatuses: routes.routeStatuses,
    ...gateways,
    meshNamespaces: shareList(before?.meshNamespaces, pods.meshNamespaces),
    meshPods: shareMap(before?.meshPods, pods.meshPods),
    problems: shareList(before?.problems, [...services.problems, ...pods.problems]),
  };
  return before !== undefined && isSame(before, next) ? before : next;
}

function isSame(a: ClusterTranslation, b: ClusterTranslation): boolean {
  return sameFields(a, b);
}

function shareSet<T>(before: ReadonlySet<T> | undefined, after: ReadonlySet<T>): ReadonlySet<T> {
  return before !== undefined && before.size === after.size && [...after].every((value) => before.has(value)) ? before : after;
}
