/** Which virtual host and route take a request, as Envoy's router decides. */
import {
  type HeaderMatcher,
  type QueryParameterMatcher,
  type Route,
  RouteListSchema,
  type RouteMatch,
  type VirtualHost,
} from "../../gen/envoy/config/route/v3/route_components_pb.js";
import type { RouteConfiguration } from "../../gen/envoy/config/route/v3/route_pb.js";
import { FilterStateInputSchema } from "../../gen/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.js";
import type { StringMatcher } from "../../gen/envoy/type/matcher/v3/string_pb.js";
import { matchAction } from "./chain.ts";
import { must, unpack } from "./proxy.ts";

export interface Request {
  readonly method: string;
  readonly authority: string;
  /** With the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Exact domain, then the longest `*.suffix`, then the longest `prefix*`, then `*`. */
export function chooseVirtualHost(configuration: RouteConfiguration, { authority }: Request): VirtualHost | undefined {
  const name = (configuration.ignorePortInHostMatching ? authority.replace(/:\d+$/, "") : authority).toLowerCase();
  const candidates = configuration.virtualHosts.flatMap((virtualHost) => virtualHost.domains.map((domain) => ({ virtualHost, domain: domain.toLowerCase() })));
  const best = candidates
    .map((candidate) => ({ ...candidate, rank: rank(candidate.domain, name) }))
    .filter((candidate) => candidate.rank >= 0)
    .sort((a, b) => b.rank - a.rank)[0];
  return best?.virtualHost;
}

/** The better fit has the higher number; -1 fits not at all. Longest domain first among wildcards of a kind. */
function rank(domain: string, name: string): number {
  if (domain === name) return 30_000;
  if (domain === "*") return 0;
  if (domain.startsWith("*")) return name.endsWith(domain.slice(1)) && name.length > domain.length - 1 ? 20_000 + domain.length : -1;
  if (domain.endsWith("*")) return name.startsWith(domain.slice(0, -1)) && name.length > domain.length - 1 ? 10_000 + domain.length : -1;
  return -1;
}

/** The first route that fits. `notes` are the connection's filter state. */
export function chooseRoute(virtualHost: VirtualHost, request: Request, notes: ReadonlyMap<string, string> = new Map()): Route | undefined {
  return routesFor(virtualHost, notes).find((route) => fits(must(route.match, `route ${route.name} matches nothing`), request));
}

/** All of a virtual host, or those that its matcher leads to. */
export function routesFor({ matcher, routes }: VirtualHost, notes: ReadonlyMap<string, string>): readonly Route[] {
  if (matcher === undefined) return routes;
  const action = matchAction(matcher, (input) => notes.get(must(unpack(FilterStateInputSchema, input), "the simulator knows filter state only").key));
  return must(unpack(RouteListSchema, action), "the matcher of a virtual host leads to routes").routes;
}

function fits(match: RouteMatch, request: Request): boolean {
  return (
    pathFits(match, request.path.replace(/[?#].*$/, "")) &&
    match.headers.every((header) => headerFits(header, request)) &&
    match.queryParameters.every((parameter) => queryFits(parameter, request)) &&
    match.cookies.every((cookie) => textFits(cookie.stringMatch, cookies(request)[cookie.name]))
  );
}

function pathFits({ pathSpecifier: { case: kind, value } }: RouteMatch, path: string): boolean {
  if (kind === "prefix") return path.startsWith(value);
  if (kind === "path") return path === value;
  if (kind === "pathSeparatedPrefix") return path === value || path.startsWith(`${value}/`);
  if (kind === "safeRegex") return whole(value.regex).test(path);
  throw new Error(`the simulator does not know the path match ${kind}`);
}

function headerFits({ name, headerMatchSpecifier }: HeaderMatcher, request: Request): boolean {
  const value = name === ":method" ? request.method : request.headers[name.toLowerCase()];
  if (headerMatchSpecifier.case === "presentMatch") return (value !== undefined) === headerMatchSpecifier.value;
  if (headerMatchSpecifier.case === "stringMatch") return textFits(headerMatchSpecifier.value, value);
  throw new Error(`the simulator does not know the header match ${headerMatchSpecifier.case}`);
}

function queryFits({ name, queryParameterMatchSpecifier: specifier }: QueryParameterMatcher, request: Request): boolean {
  const value = new URLSearchParams(request.path.split("?")[1] ?? "").get(name) ?? undefined;
  return specifier.case === "presentMatch" ? (value !== undefined) === specifier.value : textFits(specifier.value, value);
}

function cookies(request: Request): Readonly<Record<string, string>> {
  const pairs = (request.headers["cookie"] ?? "").split(";").map((pair) => pair.trim().split("="));
  return Object.fromEntries(pairs.map(([name = "", ...value]) => [name, value.join("=")]));
}

function textFits(matcher: StringMatcher | undefined, text: string | undefined): boolean {
  const { case: kind, value } = must(matcher, "a match without a matcher").matchPattern;
  if (text === undefined) return false;
  if (kind === "exact") return text === value;
  if (kind === "prefix") return text.startsWith(value);
  if (kind === "safeRegex") return whole(value.regex).test(text);
  throw new Error(`the simulator does not know the text match ${kind}`);
}

/** Envoy's regular expressions must match the whole text. */
function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}
