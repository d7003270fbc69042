/** Route matches as HTTPRoute matches: what holds together is one entry, and a list of methods becomes one entry each. */
import type { NamedMatch, RouteMatch, TextMatch } from "../../model/types.ts";
import type { KubeFields } from "../kubernetes/object.ts";
import { anchored, cookiePattern, patternOf } from "../kubernetes/pattern.ts";
import type { Objection } from "./dialect.ts";

const methods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]);
const plainPath = /^\/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$/;
const oddPath = /\/\/|\/\.\/|\/\.\.\/|%2f|\/\.\.?$/i;

/** Emits the entries of `matches` for one match; empty methods give one entry, more give one each. */
export function emitMatch(match: RouteMatch): readonly KubeFields[] {
  const fields: KubeFields = {
    path: match.path === undefined ? undefined : emitPath(match.path),
    headers: orAbsent([...match.headers.map(emitHeader), ...match.cookies.map(emitCookie)]),
    queryParams: orAbsent(match.query.map(({ name, value }) => ({ name, ...emitValue(value) }))),
  };
  return match.methods.length === 0 ? [fields] : match.methods.map((method) => ({ ...fields, method }));
}

/** Says what of a match an HTTPRoute cannot hold. */
export function matchObjections(match: RouteMatch): readonly Objection[] {
  return [...pathObjections(match), ...methodObjections(match), ...cookieObjections(match), ...repeatObjections(match)];
}

function emitPath(path: NonNullable<RouteMatch["path"]>): KubeFields {
  switch (path.kind) {
    case "exact":
      return { type: "Exact", value: path.value };
    case "prefix":
      return { type: "PathPrefix", value: path.value };
    case "regex":
      return { type: "RegularExpression", value: anchored(path.value) };
    default:
      return path satisfies never;
  }
}

function emitHeader({ name, value }: NamedMatch): KubeFields {
  return { name: name.toLowerCase(), ...emitValue(value) };
}

function emitCookie({ name, value }: NamedMatch): KubeFields {
  const pattern = cookiePattern(name, value);
  if (pattern === undefined) throw new Error(`the match of cookie ${name} should have been refused`);
  return { name: "cookie", type: "RegularExpression", value: anchored(pattern) };
}

/** Exact text stays so; an empty one must be a pattern, because the field must not be empty. */
function emitValue(value: TextMatch): KubeFields {
  return value.kind === "exact" && value.value !== ""
    ? { type: "Exact", value: value.value }
    : { type: "RegularExpression", value: anchored(patternOf(value)) };
}

function pathObjections({ path }: RouteMatch): readonly Objection[] {
  if (path === undefined) return [];
  if (path.value.length > 1024) {
    return [{ because: "takes paths of at most 1024 characters", hint: "Match a shorter prefix." }];
  }
  if (path.kind !== "regex" && (!plainPath.test(path.value) || oddPath.test(path.value))) {
    return [
      {
        because: `takes no path like \`${path.value}\`: only characters of a URL path, and no //, /./, /../ or %2f`,
        hint: "Match a simpler path, or export for istio.",
      },
    ];
  }
  return [];
}

function methodObjections(match: RouteMatch): readonly Objection[] {
  return match.methods
    .filter((method) => !methods.has(method))
    .map((method) => ({
      because: `knows no method \`${method}\``,
      hint: `Match one of ${[...methods].join(", ")}, or export for istio.`,
    }));
}

/** Why these cookies cannot be one pattern for the `Cookie` header; shared with Istio. */
export function cookieObjections(match: RouteMatch): readonly Objection[] {
  const hint = "Match a header instead, or let the app decide.";
  if (match.cookies.length > 1) {
    return [{ because: "matches cookies by one pattern for the Cookie header, and two cookies do not fit in it", hint }];
  }
  if (match.cookies.length === 1 && match.headers.some(({ name }) => name.toLowerCase() === "cookie")) {
    return [{ because: "matches cookies by the Cookie header, which this match already uses", hint }];
  }
  return match.cookies
    .filter(({ name, value }) => cookiePattern(name, value) === undefined)
    .map(({ name }) => ({
      because: `matches cookies by a pattern for the whole Cookie header, and that of \`${name}\` cannot be kept inside one cookie`,
      hint: "Use exact or prefix, or a pattern without anchors inside, \\D, \\S, \\W, \\x or `;`.",
    }));
}

function repeatObjections(match: RouteMatch): readonly Objection[] {
  const names = match.headers.map(({ name }) => name.toLowerCase());
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  return repeated === undefined
    ? []
    : [
        {
          because: `matches one header once, and \`${repeated}\` stands here twice`,
          hint: "Make one pattern of the two.",
        },
      ];
}

function orAbsent(list: readonly KubeFields[]): readonly KubeFields[] | undefined {
  return list.length === 0 ? undefined : list;
}
