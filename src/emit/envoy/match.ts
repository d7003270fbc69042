/** Matches of a rule as Envoy's. A rule with several matches becomes several routes. */
import type { RouteMatchSchema } from "../../../gen/envoy/config/route/v3/route_components_pb.js";
import type { StringMatcherSchema } from "../../../gen/envoy/type/matcher/v3/string_pb.js";
import type { NamedMatch, RouteMatch, TextMatch } from "../../model/types.ts";
import type { Init } from "./resource.ts";

type StringMatcherInit = Init<typeof StringMatcherSchema>;
type RouteMatchInit = Init<typeof RouteMatchSchema>;

/** One match. An empty one matches everything. */
export function routeMatch(match: RouteMatch): RouteMatchInit {
  return {
    pathSpecifier: pathSpecifier(match.path),
    headers: [...methodMatch(match.methods), ...match.headers.map(headerMatch)],
    queryParameters: match.query.map((query) => ({
      name: query.name,
      queryParameterMatchSpecifier:
        query.value.kind === "present" ? { case: "presentMatch" as const, value: true } : { case: "stringMatch" as const, value: stringMatcher(query.value) },
    })),
    cookies: match.cookies.map((cookie) => ({ name: cookie.name, stringMatch: cookie.value.kind === "present" ? regex(".*") : stringMatcher(cookie.value) })),
  };
}

/** A prefix matches whole segments; `/` matches everything. */
function pathSpecifier(path: RouteMatch["path"]): NonNullable<RouteMatchInit["pathSpecifier"]> {
  if (path === undefined) return { case: "prefix", value: "/" };
  switch (path.kind) {
    case "exact":
      return { case: "path", value: path.value };
    case "prefix": {
      const prefix = withoutSlash(path.value);
      return prefix === "" ? { case: "prefix", value: "/" } : { case: "pathSeparatedPrefix", value: prefix };
    }
    case "regex":
      return { case: "safeRegex", value: { regex: path.value } };
  }
}

/** `/api/` and `/api` are one prefix; Envoy wants it without the slash. */
export function withoutSlash(prefix: string): string {
  return prefix.replace(/\/+$/, "");
}

function methodMatch(methods: readonly string[]) {
  if (methods.length === 0) return [];
  const value = methods.length === 1 ? { matchPattern: { case: "exact" as const, value: methods[0] ?? "" } } : regex(methods.join("|"));
  return [{ name: ":method", headerMatchSpecifier: { case: "stringMatch" as const, value } }];
}

function headerMatch({ name, value }: NamedMatch) {
  if (value.kind === "present") return { name, headerMatchSpecifier: { case: "presentMatch" as const, value: true } };
  return { name, headerMatchSpecifier: { case: "stringMatch" as const, value: stringMatcher(value) } };
}

function stringMatcher(match: Exclude<TextMatch, { kind: "present" }>): StringMatcherInit {
  return match.kind === "regex" ? regex(match.value) : { matchPattern: { case: match.kind, value: match.value } };
}

function regex(pattern: string): StringMatcherInit {
  return { matchPattern: { case: "safeRegex", value: { regex: pattern } } };
}
