/** One route of a plan as rules of an HTTPRoute or GRPCRoute. */
import type { Route, WeightedBackend } from "../../compile/mesh-plan.ts";
import type { Namespace } from "../../model/names.ts";
import type { Redirect, RouteMatch } from "../../model/types.ts";
import { authorityOf, type Backends, backendOf, changesNothing } from "../kubernetes/backends.ts";
import { versionServiceName } from "../kubernetes/names.ts";
import type { KubeFields } from "../kubernetes/object.ts";
import { shares } from "../kubernetes/weights.ts";
import type { Dialect, RequestRouteKind } from "./dialect.ts";
import { emitMatch } from "./match.ts";

/** Where a rule will stand. */
export interface RuleSetting {
  readonly kind: RequestRouteKind;
  readonly dialect: Dialect;
  readonly backends: Backends;
  /** The route's own namespace: references into it need not name it. */
  readonly namespace: Namespace;
}

/**
 * Emits the rules of one route, in order. It is one rule, except that a new path needs one for each prefix: Gateway
 * API replaces "the" prefix of a rule, so the rule must have exactly one.
 */
export function emitRules(route: Route, setting: RuleSetting): readonly KubeFields[] {
  return splitMatches(route).map((part) => emitRule(route, part, setting));
}

/** Emits `backendRefs`; a single destination needs no weight. */
export function emitBackendRefs(
  destinations: readonly WeightedBackend[],
  { backends, namespace }: Pick<RuleSetting, "backends" | "namespace">,
): readonly KubeFields[] {
  const weights = shares(destinations);
  return destinations.map(({ backend: id }, index) => {
    const backend = backendOf(backends, id);
    return {
      name: backend.kind === "version" ? versionServiceName(backend.app, backend.version) : backend.name,
      namespace: backend.namespace === namespace ? undefined : backend.namespace,
      port: backend.port,
      weight: destinations.length === 1 ? undefined : weights[index],
    };
  });
}

/** Says whether a redirect's path replaces only the prefix that `matched` names; else it replaces the whole path. */
export function redirectsPrefix({ path }: Redirect, matched: RouteMatch["path"]): boolean {
  return path !== undefined && matched?.kind === "prefix";
}

/** Matches that one rule can hold together, and what becomes of the path. */
interface Part {
  readonly matches: readonly KubeFields[];
  readonly newPath?: KubeFields;
}

function splitMatches({ action, match: said }: Route): readonly Part[] {
  const path = action.kind === "forward" ? action.rewrite?.path : action.redirect.path;
  if (path === undefined) return [{ matches: said.flatMap(emitMatch) }];
  const matches: readonly RouteMatch[] = said.length === 0 ? [{ methods: [], headers: [], query: [], cookies: [] }] : said;
  return matches.flatMap((match): readonly Part[] => {
    const emitted = emitMatch(match);
    const isPrefix = action.kind === "redirect" ? redirectsPrefix(action.redirect, match.path) : match.path === undefined || match.path.kind === "prefix";
    if (!isPrefix) return [{ matches: emitted, newPath: { type: "ReplaceFullPath", replaceFullPath: path } }];
    const newPath = { type: "ReplacePrefixMatch", replacePrefixMatch: path };
    const everywhere = { type: "PathPrefix", value: "/" };
    return emitted.map((one) => ({ matches: [{ ...one, path: one["path"] ?? everywhere }], newPath }));
  });
}

function emitRule(route: Route, part: Part, setting: RuleSetting): KubeFields {
  const { action } = route;
  const filters = emitFilters(route, part);
  return {
    matches: part.matches.length === 0 ? undefined : part.matches,
    filters: filters.length === 0 ? undefined : filters,
    ...(action.kind === "forward" ? { backendRefs: emitBackendRefs(action.destinations, setting), ...setting.dialect.limits(route, setting.kind).rule } : {}),
  };
}

function emitFilters(route: Route, part: Part): readonly KubeFields[] {
  const { action, requestHeaders, responseHeaders } = route;
  const filters: KubeFields[] = [];
  if (!changesNothing(requestHeaders)) {
    filters.push({ type: "RequestHeaderModifier", requestHeaderModifier: emitChanges(requestHeaders) });
  }
  if (!changesNothing(responseHeaders)) {
    filters.push({ type: "ResponseHeaderModifier", responseHeaderModifier: emitChanges(responseHeaders) });
  }
  if (action.kind === "redirect") {
    filters.push({ type: "RequestRedirect", requestRedirect: emitRedirect(action.redirect, part.newPath) });
  } else {
    const authority = authorityOf(route);
    const hostname = authority.kind === "one" ? authority.value : undefined;
    if (hostname !== undefined || part.newPath !== undefined) filters.push({ type: "URLRewrite", urlRewrite: { hostname, path: part.newPath } });
  }
  return filters;
}

function emitChanges(changes: Route["requestHeaders"]): KubeFields {
  return {
    set: changes.set.length === 0 ? undefined : changes.set.map(({ name, value }) => ({ name, value })),
    add: changes.add.length === 0 ? undefined : changes.add.map(({ name, value }) => ({ name, value })),
    remove: changes.remove.length === 0 ? undefined : changes.remove,
  };
}

function emitRedirect(redirect: Redirect, path: KubeFields | undefined): KubeFields {
  return {
    scheme: redirect.scheme,
    hostname: redirect.host,
    path,
    port: redirect.port,
    statusCode: redirect.code,
  };
}
