/** Matches of Gateway API's routes in our words, with what decides which of several counts. */
import { re2Error } from "../../lib/re2.ts";
import type { NamedMatch, RouteMatch, TextMatch } from "../../model/types.ts";
import type { KubeRouteMatch, KubeTextMatch } from "./route-objects.ts";

export interface RankedMatch {
  readonly match: RouteMatch;
  /** Compared from the left; the greater counts first. */
  readonly rank: readonly number[];
}

/** A part of a route that the mesh does not do: the route is not accepted. */
export class Unsupported {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const everything: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };
const nothingSaid: KubeRouteMatch = { headers: [], query: [] };

/** The matches of a rule of an HTTPRoute: exact paths first, then patterns, then prefixes by length; method, headers, query. Without any: everything. */
export function httpMatches(matches: readonly KubeRouteMatch[]): readonly RankedMatch[] | Unsupported {
  return all(matches.length === 0 ? [nothingSaid] : matches, httpMatch);
}

/** The matches of a rule of a GRPCRoute: longest service, longest method, most headers. */
export function grpcMatches(matches: readonly KubeRouteMatch[]): readonly RankedMatch[] | Unsupported {
  return all(matches.length === 0 ? [nothingSaid] : matches, grpcMatch);
}

/** The results for all, or the first that is none. */
export function all<Item, Made>(items: readonly Item[], make: (item: Item) => Made | Unsupported): readonly Made[] | Unsupported {
  const made: Made[] = [];
  for (const item of items) {
    const one = make(item);
    if (one instanceof Unsupported) return one;
    made.push(one);
  }
  return made;
}

function httpMatch(said: KubeRouteMatch): RankedMatch | Unsupported {
  const path = said.path === undefined ? undefined : pathMatch(said.path);
  if (path instanceof Unsupported) return path;
  const [headers, query] = [all(said.headers, headerMatch), all(said.query, namedMatch)];
  if (headers instanceof Unsupported) return headers;
  if (query instanceof Unsupported) return query;
  const methods = said.method === undefined ? [] : [said.method];
  const kinds = { exact: 2, regex: 1, prefix: 0 } as const;
  const rank = [kinds[path?.kind ?? "prefix"], path?.value.length ?? 1, methods.length, headers.length, query.length];
  return { match: { ...everything, methods, headers, query, ...(path === undefined ? {} : { path }) }, rank };
}

function pathMatch({ type, value }: KubeTextMatch): NonNullable<RouteMatch["path"]> | Unsupported {
  if (type === "PathPrefix") return { kind: "prefix", value };
  return textMatch({ type, value });
}

function headerMatch(said: KubeTextMatch & { readonly name: string }): NamedMatch | Unsupported {
  // Envoy compares names in lower case.
  return namedMatch({ ...said, name: said.name.toLowerCase() });
}

function namedMatch(said: KubeTextMatch & { readonly name: string }): NamedMatch | Unsupported {
  const value = textMatch(said);
  return value instanceof Unsupported ? value : { name: said.name, value };
}

function textMatch({ type, value }: KubeTextMatch): Exclude<TextMatch, { kind: "present" | "prefix" }> | Unsupported {
  if (type === "Exact") return { kind: "exact", value };
  if (type !== "RegularExpression") return new Unsupported(`a match of type ${type} is not known`);
  const error = re2Error(value);
  // One bad pattern would make Envoy refuse the routes of the whole mesh.
  return error === undefined ? { kind: "regex", value } : new Unsupported(`${value} is not a regular expression of RE2's syntax: ${error}`);
}

/** A gRPC call is a POST to `/SERVICE/METHOD`. */
function grpcMatch({ grpc, headers: said }: KubeRouteMatch): RankedMatch | Unsupported {
  const headers = all(said, headerMatch);
  if (headers instanceof Unsupported) return headers;
  const path = grpc === undefined ? undefined : grpcPath(grpc);
  if (path instanceof Unsupported) return path;
  const rank = [grpc?.service?.length ?? 0, grpc?.method?.length ?? 0, headers.length];
  return { match: { ...everything, headers, ...(path === undefined ? {} : { path }) }, rank };
}

function grpcPath({ type, service, method }: NonNullable<KubeRouteMatch["grpc"]>): NonNullable<RouteMatch["path"]> | Unsupported {
  if (type === "Exact" && service !== undefined) {
    return method === undefined ? { kind: "prefix", value: `/${service}` } : { kind: "exact", value: `/${service}/${method}` };
  }
  const pattern = (name: string | undefined): string => (name === undefined ? "[^/]+" : type === "Exact" ? name.replace(/[^\w]/g, "\\$&") : `(?:${name})`);
  return textMatch({ type: "RegularExpression", value: `/${pattern(service)}/${pattern(method)}` });
}
