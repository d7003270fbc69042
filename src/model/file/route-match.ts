/** `match:` of a router's rule. */
import type { NamedMatch, RouteMatch, TextMatch } from "../types.ts";
import type { Report } from "./report.ts";
import { choice, filledText, flag, headerValue, readHeaderName, regex, text, urlPath } from "./scalars.ts";
import { byKind, type Located, type LocatedEntry, mapOf, type ObjectOf, object, oneOrMany, optional, refine, type Shape, soundOnly } from "./shape.ts";

type PathMatch = NonNullable<RouteMatch["path"]>;

/** `/a` is exact; `/a/*` and `/a*` both mean all below `/a`. */
const pathText: Shape<PathMatch> = refine(urlPath, (path): PathMatch => {
  return path.endsWith("*") ? { kind: "prefix", value: withoutTrailingSlash(path.slice(0, -1)) } : { kind: "exact", value: path };
});
const prefixPath: Shape<string> = refine(urlPath, (path) => withoutTrailingSlash(path.replace(/\*$/, "")));

/** A prefix stands for whole segments, so `/a/` and `/a` say the same. */
function withoutTrailingSlash(path: string): string {
  return path.replace(/\/+$/, "") || "/";
}

const pathMap = object("a path", {
  exact: optional(urlPath, "this path and no other"),
  prefix: optional(prefixPath, "this path and all below it"),
  regex: optional(regex, "a regular expression (RE2) for the whole path"),
});
const pathShape: Shape<PathMatch> = byKind("a path", "/exact, /below/* or {exact|prefix|regex: …}", {
  scalar: pathText,
  map: refine(soundOnly(pathMap), (fields, at, report) => {
    const match = pickOne(fields, at, report);
    return match?.kind === "present" ? undefined : match;
  }),
});

function valueShape(value: Shape<string>): Shape<TextMatch> {
  const map = object("a match", {
    exact: optional(value, "this text"),
    prefix: optional(filledText, "text that starts so"),
    regex: optional(regex, "a regular expression (RE2) for the whole text"),
    present: optional(flag, "true: any value"),
  });
  return byKind("a match", "text or {exact|prefix|regex: …, present: true}", {
    scalar: refine(value, (exact): TextMatch => ({ kind: "exact", value: exact })),
    map: refine(soundOnly(map), pickOne),
  });
}

interface MatchFields {
  readonly exact: Located<string> | undefined;
  readonly prefix: Located<string> | undefined;
  readonly regex: Located<string> | undefined;
  readonly present?: Located<boolean> | undefined;
}

function pickOne(fields: MatchFields, at: number, report: Report): TextMatch | undefined {
  const { exact, prefix, regex: expression, present } = fields;
  const said = [exact, prefix, expression, present].filter((field) => field !== undefined);
  if (said.length !== 1) {
    report.add(
      said[1]?.at ?? at,
      "match-invalid",
      `this says ${said.length === 0 ? "nothing to match" : "two things to match"}`,
      "say one of exact, prefix, regex or present",
    );
    return undefined;
  }
  if (present?.value === false) {
    report.add(present.at, "match-invalid", "an absent value can't be matched", "put a rule with present: true before this one");
    return undefined;
  }
  if (exact !== undefined) return { kind: "exact", value: exact.value };
  if (prefix !== undefined) return { kind: "prefix", value: prefix.value };
  return expression === undefined ? { kind: "present" } : { kind: "regex", value: expression.value };
}

/** Of HTTP. */
export const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"] as const;
const method: Shape<string> = {
  schema: { enum: methods },
  read: (node, report, ownerAt) => {
    const inCapitals = node.kind === "scalar" ? { ...node, text: node.text.toUpperCase() } : node;
    return choice("a method", methods).read(inCapitals, report, ownerAt);
  },
};

const matchFields = {
  path: optional(pathShape, "/exact, /below/* or {exact|prefix|regex: …}"),
  method: optional(oneOrMany(method), "GET, or several"),
  headers: optional(mapOf("headers", valueShape(headerValue)), "name: value, or {exact|prefix|regex: …, present: true}"),
  query: optional(mapOf("query parameters", valueShape(text)), "name: value, as for headers"),
  cookies: optional(mapOf("cookies", valueShape(text)), "name: value, as for headers"),
};
type MatchObject = ObjectOf<typeof matchFields>;

/** One condition: all its parts must hold. */
export const matchShape: Shape<RouteMatch> = refine(
  object("a match", matchFields, { paths: "path", methods: "method", header: "headers", cookie: "cookies" }),
  buildMatch,
);

function buildMatch(fields: MatchObject, _at: number, report: Report): RouteMatch {
  return {
    ...(fields.path && { path: fields.path.value }),
    methods: [...new Set((fields.method?.value ?? []).map(({ value }) => value))],
    headers: namedMatches(fields.headers?.value ?? [], (entry) => headerNameOf(entry, report)),
    query: namedMatches(fields.query?.value ?? [], ({ key }) => key),
    cookies: namedMatches(fields.cookies?.value ?? [], ({ key }) => key),
  };
}

function namedMatches(entries: readonly LocatedEntry<TextMatch>[], name: (entry: LocatedEntry<TextMatch>) => string): readonly NamedMatch[] {
  return entries.map((entry) => ({ name: name(entry), value: entry.value }));
}

function headerNameOf({ key, keyAt }: LocatedEntry<unknown>, report: Report): string {
  const name = readHeaderName(key);
  if (name.ok) return name.value;
  for (const problem of name.problems) report.addProblem(keyAt, problem);
  return key;
}

/**
 * Says whether every request that `narrow` matches is matched by `wide`, too. Never wrong when it says yes;
 * it may say no about expressions it can't compare.
 */
export function covers(wide: RouteMatch, narrow: RouteMatch): boolean {
  return (
    coversPath(wide.path, narrow.path) &&
    (wide.methods.length === 0 || (narrow.methods.length > 0 && narrow.methods.every((name) => wide.methods.includes(name)))) &&
    coversNamed(wide.headers, narrow.headers) &&
    coversNamed(wide.query, narrow.query) &&
    coversNamed(wide.cookies, narrow.cookies)
  );
}

function coversPath(wide: RouteMatch["path"], narrow: RouteMatch["path"]): boolean {
  if (wide === undefined || (wide.kind === "prefix" && wide.value === "/")) return true;
  if (narrow === undefined) return false;
  if (wide.kind === narrow.kind && wide.value === narrow.value) return true;
  return wide.kind === "prefix" && narrow.kind !== "regex" && (narrow.value === wide.value || narrow.value.startsWith(`${wide.value}/`));
}

function coversNamed(wide: readonly NamedMatch[], narrow: readonly NamedMatch[]): boolean {
  return wide.every(({ name, value }) => narrow.some((other) => other.name === name && coversText(value, other.value)));
}

function coversText(wide: TextMatch, narrow: TextMatch): boolean {
  if (wide.kind === "present") return true;
  if (narrow.kind === "present") return false;
  if (wide.kind === narrow.kind && wide.value === narrow.value) return true;
  return wide.kind === "prefix" && narrow.kind !== "regex" && narrow.value.startsWith(wide.value);
}
