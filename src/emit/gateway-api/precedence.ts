/**
 * Weir takes the first rule that matches; Gateway API takes the most specific one: exact path, longest prefix, a method,
 * most headers, most query parameters, and only then the first. A router means the same in both only if no later rule
 * is more specific than an earlier one that may match the same request. These checks err towards "may match".
 */
import type { NamedMatch, RouteMatch } from "../../model/types.ts";

const everything: RouteMatch = { methods: [], headers: [], query: [], cookies: [] };

export type Overtaking =
  /** The later rule is the more specific one. */
  | "more-specific"
  /** Gateway API does not say which of the two counts. */
  | "undefined"
  /** Equally specific: the first counts, if both stand in one object. */
  | "tied"
  /** No request matches both, or the earlier one counts in Gateway API, too. */
  | "none";

/** How a rule with matches `later` stands to one with matches `earlier` before it; empty matches everything. */
export function overtaking(earlier: readonly RouteMatch[], later: readonly RouteMatch[]): Overtaking {
  const found = new Set<Overtaking>();
  for (const first of orEverything(earlier)) {
    for (const second of orEverything(later)) if (mayOverlap(first, second)) found.add(compare(first, second));
  }
  const worst = (["more-specific", "undefined", "tied"] as const).find((kind) => found.has(kind));
  return worst ?? "none";
}

function orEverything(matches: readonly RouteMatch[]): readonly RouteMatch[] {
  return matches.length === 0 ? [everything] : matches;
}

/** Both match some request. False only where that is certain. */
function mayOverlap(a: RouteMatch, b: RouteMatch): boolean {
  if (a.methods.length > 0 && b.methods.length > 0 && !a.methods.some((method) => b.methods.includes(method))) return false;
  return pathsMayOverlap(a.path, b.path) && !contradict(a.headers, b.headers) && !contradict(a.query, b.query) && !contradict(a.cookies, b.cookies);
}

function pathsMayOverlap(a: RouteMatch["path"], b: RouteMatch["path"]): boolean {
  if (a === undefined || b === undefined || a.kind === "regex" || b.kind === "regex") return true;
  if (a.kind === "exact" && b.kind === "exact") return a.value === b.value;
  if (a.kind === "exact") return isBelow(a.value, b.value);
  if (b.kind === "exact") return isBelow(b.value, a.value);
  return isBelow(a.value, b.value) || isBelow(b.value, a.value);
}

/** `path` is `prefix` or below it, by whole segments. */
function isBelow(path: string, prefix: string): boolean {
  const stem = prefix.endsWith("/") ? prefix.slice(0, -1) : prefix;
  return path === stem || path.startsWith(`${stem}/`);
}

/** The two ask for different exact texts under one name. Header names are compared as they are: at worst "may match". */
function contradict(a: readonly NamedMatch[], b: readonly NamedMatch[]): boolean {
  return a.some(({ name, value }) =>
    b.some((other) => other.name === name && other.value.kind === "exact" && value.kind === "exact" && other.value.value !== value.value),
  );
}

function compare(first: RouteMatch, second: RouteMatch): Overtaking {
  const regexes = [first, second].map(({ path }) => (path?.kind === "regex" ? path.value : undefined));
  if (regexes[0] !== regexes[1]) return "undefined";
  const [a, b] = [specificity(first), specificity(second)];
  const at = a.findIndex((rank, index) => rank !== b[index]);
  if (at < 0) return "tied";
  return (b[at] ?? 0) > (a[at] ?? 0) ? "more-specific" : "none";
}

/** Compared from the left; greater is more specific. */
function specificity(match: RouteMatch): readonly number[] {
  const { path = { kind: "prefix", value: "/" } as const } = match;
  return [path.kind === "exact" ? 1 : 0, path.value.length, match.methods.length > 0 ? 1 : 0, match.headers.length + match.cookies.length, match.query.length];
}
