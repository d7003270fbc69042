/** What a route does with a request. */
import { type HeaderValueOption, HeaderValueOption_HeaderAppendAction } from "../../gen/envoy/config/core/v3/base_pb.js";
import { type RedirectAction, RedirectAction_RedirectResponseCode, type Route, type RouteAction } from "../../gen/envoy/config/route/v3/route_components_pb.js";
import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import type { RegexMatchAndSubstitute } from "../../gen/envoy/type/matcher/v3/regex_pb.js";
import { must } from "./proxy.ts";
import type { Request } from "./route.ts";

/** One cluster of a forward, with its share of the requests: all shares sum to 1. */
export interface Share {
  readonly cluster: string;
  readonly share: number;
  readonly request: Request;
}

export type Outcome =
  | { readonly kind: "closed" }
  | { readonly kind: "answer"; readonly status: number; readonly text: string }
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  | {
      readonly kind: "forward";
      readonly shares: readonly Share[];
      readonly timeoutMs: number;
      readonly retryOn: string;
      readonly responseHeaders: Readonly<Record<string, string>>;
    };

/** Carries out a route's action on paper. */
export function act(configuration: RouteConfiguration, route: Route, request: Request): Outcome {
  const { case: kind, value } = route.action;
  if (kind === "directResponse")
    return { kind: "answer", status: value.status, text: value.body?.specifier.case === "inlineString" ? value.body.specifier.value : "" };
  if (kind === "redirect") return { kind: "redirect", ...redirect(value, route, request) };
  if (kind === "route") return forward(value, configuration, route, request);
  throw new Error(`the simulator does not know the action ${kind}`);
}

function forward(action: RouteAction, configuration: RouteConfiguration, route: Route, request: Request): Outcome {
  const changed = change(change(request.headers, route.requestHeadersToAdd, route.requestHeadersToRemove), [], configuration.requestHeadersToRemove);
  const rewritten: Request = { ...request, headers: changed, path: rewritePath(action, route, request.path) };
  const authority = action.hostRewriteSpecifier.case === "hostRewriteLiteral" ? action.hostRewriteSpecifier.value : request.authority;
  return {
    kind: "forward",
    shares: sharesOf(action).map(({ cluster, share, host }) => ({ cluster, share, request: { ...rewritten, authority: host ?? authority } })),
    timeoutMs: Number(action.timeout?.seconds ?? 15n) * 1_000 + (action.timeout?.nanos ?? 0) / 1e6,
    retryOn: action.retryPolicy?.retryOn ?? "",
    responseHeaders: change({}, route.responseHeadersToAdd, route.responseHeadersToRemove),
  };
}

function sharesOf({ clusterSpecifier }: RouteAction): readonly { readonly cluster: string; readonly share: number; readonly host?: string }[] {
  if (clusterSpecifier.case === "cluster") return [{ cluster: clusterSpecifier.value, share: 1 }];
  if (clusterSpecifier.case !== "weightedClusters") throw new Error(`the simulator does not know ${clusterSpecifier.case}`);
  const { clusters } = clusterSpecifier.value;
  const total = clusters.reduce((sum, one) => sum + (one.weight ?? 0), 0);
  return clusters.map((one) => ({
    cluster: one.name,
    share: (one.weight ?? 0) / total,
    ...(one.hostRewriteSpecifier.case === undefined ? {} : { host: one.hostRewriteSpecifier.value }),
  }));
}

function rewritePath(action: RouteAction, route: Route, path: string): string {
  const [plain = "", query = ""] = path.split(/(?=\?)/);
  if (action.regexRewrite !== undefined) return substitute(action.regexRewrite, plain) + query;
  return action.prefixRewrite === "" ? path : replaceMatched(route, plain, action.prefixRewrite) + query;
}

/** RE2 writes groups as `\1` and a backslash as `\\`. */
function substitute({ pattern, substitution }: RegexMatchAndSubstitute, path: string): string {
  const matched = new RegExp(must(pattern, "a rewrite without a pattern").regex, "g");
  return path.replace(matched, (...groups: readonly string[]) =>
    substitution.replace(/\\([\\\d])/g, (_, what: string) => (what === "\\" ? what : (groups[Number(what)] ?? ""))),
  );
}

/** Envoy replaces the prefix that matched; of other matches the whole path. */
function replaceMatched(route: Route, path: string, replacement: string): string {
  const matched = route.match?.pathSpecifier;
  const length = matched?.case === "pathSeparatedPrefix" || matched?.case === "prefix" ? matched.value.length : path.length;
  return replacement + path.slice(length);
}

const codes: Readonly<Record<RedirectAction_RedirectResponseCode, number>> = {
  [RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY]: 301,
  [RedirectAction_RedirectResponseCode.FOUND]: 302,
  [RedirectAction_RedirectResponseCode.SEE_OTHER]: 303,
  [RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT]: 307,
  [RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT]: 308,
};

function redirect(action: RedirectAction, route: Route, request: Request): { readonly status: number; readonly location: string } {
  const scheme = action.schemeRewriteSpecifier.case === "schemeRedirect" ? action.schemeRewriteSpecifier.value : "http";
  const host = action.hostRedirect === "" ? request.authority : action.hostRedirect;
  const authority = action.portRedirect === 0 ? host : `${host.replace(/:\d+$/, "")}:${action.portRedirect}`;
  return { status: codes[action.responseCode], location: `${scheme}://${authority}${redirectPath(action, route, request.path)}` };
}

function redirectPath({ pathRewriteSpecifier: specifier }: RedirectAction, route: Route, path: string): string {
  const [plain = "", query = ""] = path.split(/(?=\?)/);
  if (specifier.case === undefined) return path;
  if (specifier.case === "pathRedirect") return specifier.value + query;
  if (specifier.case === "regexRewrite") return substitute(specifier.value, plain) + query;
  return replaceMatched(route, plain, specifier.value) + query;
}

function change(headers: Readonly<Record<string, string>>, add: readonly HeaderValueOption[], remove: readonly string[]): Readonly<Record<string, string>> {
  const kept = Object.entries(headers).filter(([name]) => !remove.some((other) => other.toLowerCase() === name));
  const result = Object.fromEntries(kept);
  for (const { header, appendAction } of add) {
    const name = must(header?.key, "a header without a name").toLowerCase();
    const value = (header?.value ?? "").replaceAll("%%", "%");
    const isAdded = appendAction === HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD && result[name] !== undefined;
    result[name] = isAdded ? `${result[name]}, ${value}` : value;
  }
  return result;
}
