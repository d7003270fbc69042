/** Routes of a host as Envoy's. */
import { HeaderValueOption_HeaderAppendAction } from "../../../gen/envoy/config/core/v3/base_pb.js";
import { RedirectAction_RedirectResponseCode, type RouteActionSchema, type RouteSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import { FractionalPercent_DenominatorType } from "../../../gen/envoy/type/v3/percent_pb.js";
import type { Route, WeightedBackend } from "../../compile/mesh-plan.ts";
import type { HeaderChanges, Redirect, Retries, Rewrite, RouteMatch } from "../../model/types.ts";
import { fullWeight } from "../../model/weights.ts";
import { corsOptions } from "./cors.ts";
import { routeMatch, withoutSlash } from "./match.ts";
import { duration, type Init, literal } from "./resource.ts";

export type RouteInit = Init<typeof RouteSchema>;
type RouteActionInit = Init<typeof RouteActionSchema>;

const everything: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };

/** One of our routes: as many of Envoy's as it has matches, in order, each after one that takes the share of the refused. */
export function routes(route: Route): readonly RouteInit[] {
  const matches = route.match.length === 0 ? [everything] : route.match;
  return matches.flatMap((match) => [...refused(route, match), forMatch(route, match)]);
}

function forMatch(route: Route, match: RouteMatch): RouteInit {
  return {
    name: route.name,
    match: routeMatch(match),
    action: action(route, match),
    requestHeadersToAdd: headersToAdd(route.requestHeaders),
    requestHeadersToRemove: [...route.requestHeaders.remove],
    responseHeadersToAdd: headersToAdd(route.responseHeaders),
    responseHeadersToRemove: [...route.responseHeaders.remove],
    ...(route.cors === undefined ? {} : { typedPerFilterConfig: corsOptions(route.cors) }),
  };
}

/** A route that answers for those destinations that may not be gone to. Where that is everything, the route behind it meets nothing. */
function refused({ name, action }: Route, match: RouteMatch): readonly RouteInit[] {
  if (action.kind === "redirect" || action.refused === undefined || action.refused === 0) return [];
  const text = `weir: ${name} leads where it may not: a destination is missing, is no Service, or needs a ReferenceGrant; see the route's status\n`;
  const share = { defaultValue: { numerator: action.refused, denominator: FractionalPercent_DenominatorType.TEN_THOUSAND } };
  return [{ name, match: { ...routeMatch(match), ...(action.refused < fullWeight ? { runtimeFraction: share } : {}) }, action: direct(500, text) }];
}

/** Whether no request can pass this route by. */
export function matchesEverything(route: Route): boolean {
  return (
    route.match.length === 0 ||
    route.match.some((match) => isWholePath(match) && [match.methods, match.headers, match.query, match.cookies].every((list) => list.length === 0))
  );
}

function isWholePath({ path }: RouteMatch): boolean {
  return path === undefined || (path.kind === "prefix" && withoutSlash(path.value) === "");
}

/** A route that answers everything itself, in plain text. */
export function answer(name: string, status: number, text: string): RouteInit {
  return { name, match: routeMatch(everything), action: direct(status, text) };
}

function direct(status: number, text: string): NonNullable<RouteInit["action"]> {
  return { case: "directResponse", value: { status, body: { specifier: { case: "inlineString", value: text } } } };
}

function action(route: Route, match: RouteMatch): NonNullable<RouteInit["action"]> {
  if (route.action.kind === "redirect") return { case: "redirect", value: redirect(route.action.redirect, match) };
  const { destinations, rewrite, timeoutMs, idleTimeoutMs, retries, mirrors } = route.action;
  if (destinations.length === 0)
    return direct(503, `weir: ${route.name} leads nowhere: what it names does not exist, or no version of it has this port and a weight; see: weir ps\n`);
  return {
    case: "route",
    value: {
      ...forwardTo(destinations),
      timeout: duration(timeoutMs),
      ...(idleTimeoutMs === undefined ? {} : { idleTimeout: duration(idleTimeoutMs) }),
      ...(retries === undefined ? {} : { retryPolicy: retryPolicy(retries) }),
      ...(rewrite === undefined ? {} : rewriteFields(rewrite, match)),
      ...(mirrors === undefined ? {} : { requestMirrorPolicies: mirrors.map(mirrorPolicy) }),
    },
  };
}

function mirrorPolicy({ backend, share }: { readonly backend: string; readonly share: number }) {
  const defaultValue = { numerator: share, denominator: FractionalPercent_DenominatorType.TEN_THOUSAND };
  return { cluster: backend, runtimeFraction: { defaultValue }, disableShadowHostSuffixAppend: true };
}

function forwardTo(destinations: readonly WeightedBackend[]): RouteActionInit {
  const [first, second] = destinations;
  if (first !== undefined && second === undefined && first.requestHeaders === undefined && first.responseHeaders === undefined)
    return { clusterSpecifier: { case: "cluster", value: first.backend }, ...hostRewrite(first.authority) };
  const clusters = destinations.map((one) => ({ name: one.backend, weight: one.weight, ...hostRewrite(one.authority), ...headerFields(one) }));
  return { clusterSpecifier: { case: "weightedClusters", value: { clusters } } };
}

/** Weights may be of one cluster alone: only there can it have headers of its own. */
function headerFields({ requestHeaders, responseHeaders }: WeightedBackend) {
  return {
    ...(requestHeaders === undefined ? {} : { requestHeadersToAdd: headersToAdd(requestHeaders), requestHeadersToRemove: [...requestHeaders.remove] }),
    ...(responseHeaders === undefined ? {} : { responseHeadersToAdd: headersToAdd(responseHeaders), responseHeadersToRemove: [...responseHeaders.remove] }),
  };
}

function hostRewrite(authority: string | undefined) {
  return authority === undefined ? {} : { hostRewriteSpecifier: { case: "hostRewriteLiteral" as const, value: authority } };
}

/** No predicate keeps a retry off the replica that failed: that costs every request (docs/decisions/0009); ejection does, after two failures. */
function retryPolicy(retries: Retries) {
  return {
    retryOn: retries.on.join(","),
    numRetries: retries.attempts,
    retriableStatusCodes: [...(retries.codes ?? [])],
    retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
    ...(retries.perTryTimeoutMs === undefined ? {} : { perTryTimeout: duration(retries.perTryTimeoutMs) }),
  };
}

function rewriteFields(rewrite: Rewrite, match: RouteMatch): RouteActionInit {
  return {
    ...hostRewrite(rewrite.host),
    ...(rewrite.path === undefined ? {} : rewritePath(rewrite.path, match)),
    ...(rewrite.fullPath === undefined ? {} : { regexRewrite: substitution("^.*$", rewrite.fullPath) }),
    ...(rewrite.regex === undefined ? {} : { regexRewrite: { pattern: { regex: rewrite.regex.pattern }, substitution: rewrite.regex.substitution } }),
  };
}

/** Replaces what matched: a prefix (`/` where no path is said), or the whole path of any other match. */
function rewritePath(path: string, { path: matched }: RouteMatch): RouteActionInit {
  if (matched?.kind === "regex") return { regexRewrite: substitution("^.*$", path) };
  if (matched?.kind === "exact") return { prefixRewrite: path };
  const change = replacePrefix(matched?.value ?? "/", path);
  switch (change?.case) {
    case "regexRewrite":
      return { regexRewrite: change.value };
    case "prefixRewrite":
      return { prefixRewrite: change.value };
    case undefined:
      return {};
    default:
      return change satisfies never;
  }
}

/** What puts `path` in place of a prefix. Envoy's own way would leave two slashes where the new prefix is `/`, and none where the old one is: those go by regex. */
function replacePrefix(prefix: string, path: string) {
  const [old, replacement] = [withoutSlash(prefix), withoutSlash(path)];
  if (old === "" && replacement === "") return undefined;
  if (old === "") return { case: "regexRewrite" as const, value: substitution("^/", `${replacement}/`) };
  if (replacement === "") return { case: "regexRewrite" as const, value: substitution(`^${escapeRegex(old)}/*`, "/") };
  return { case: "prefixRewrite" as const, value: replacement };
}

function substitution(regex: string, text: string) {
  return { pattern: { regex }, substitution: text.replaceAll("\\", "\\\\") };
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

const redirectCodes = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
} as const;

function redirect(redirect: Redirect, match: RouteMatch) {
  const whole = redirect.fullPath === undefined ? undefined : { case: "pathRedirect" as const, value: redirect.fullPath };
  const path = redirect.path === undefined ? whole : redirectPath(redirect.path, match);
  return {
    responseCode: redirectCodes[redirect.code],
    ...(redirect.scheme === undefined ? {} : { schemeRewriteSpecifier: { case: "schemeRedirect" as const, value: redirect.scheme } }),
    ...(redirect.host === undefined ? {} : { hostRedirect: redirect.host }),
    ...(redirect.port === undefined ? {} : { portRedirect: redirect.port }),
    ...(path === undefined ? {} : { pathRewriteSpecifier: path }),
  };
}

/** The path of a redirect replaces the matched prefix, or the whole path of any other match. */
function redirectPath(path: string, { path: matched }: RouteMatch) {
  return matched?.kind === "prefix" ? replacePrefix(matched.value, path) : { case: "pathRedirect" as const, value: path };
}

function headersToAdd(changes: HeaderChanges) {
  const option = (appendAction: HeaderValueOption_HeaderAppendAction) => (header: { readonly name: string; readonly value: string }) => ({
    header: { key: header.name, value: literal(header.value) },
    appendAction,
  });
  return [
    ...changes.set.map(option(HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...changes.add.map(option(HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD)),
  ];
}
