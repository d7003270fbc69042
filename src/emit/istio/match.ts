/** Route matches as HTTPMatchRequests of a VirtualService: a list that means "any of", each entry "all of". */
import type { NamedMatch, RouteMatch, TextMatch } from "../../model/types.ts";
import type { KubeFields } from "../kubernetes/object.ts";
import { cookiePattern, patternOf } from "../kubernetes/pattern.ts";

/** Emits the entries for one match; a path prefix takes two. `{}` matches everything. */
export function emitMatch(match: RouteMatch): readonly KubeFields[] {
  const rest: KubeFields = {
    method: emitMethods(match.methods),
    headers: orAbsent(Object.fromEntries([...match.headers.map(headerEntry), ...match.cookies.map(cookieEntry)])),
    queryParams: orAbsent(Object.fromEntries(match.query.map(({ name, value }) => [name, emitText(value)]))),
  };
  return emitPath(match.path).map((uri) => ({ uri, ...rest }));
}

/** Istio's prefix knows no segments: `/a` would match `/ab`. So `/a` itself, and everything below `/a/`. */
function emitPath(path: RouteMatch["path"]): readonly (KubeFields | undefined)[] {
  if (path === undefined) return [undefined];
  if (path.kind !== "prefix") return [emitText(path)];
  const stem = pathStem(path.value);
  return stem === "" ? [undefined] : [{ exact: stem }, { prefix: `${stem}/` }];
}

/** A path without slashes at its end; empty for `/`. */
export function pathStem(prefix: string): string {
  return prefix.replace(/\/+$/, "");
}

function emitMethods(methods: readonly string[]): KubeFields | undefined {
  const [first] = methods;
  if (first === undefined) return undefined;
  return methods.length === 1 ? { exact: first } : { regex: methods.join("|") };
}

/** Istio wants header names in lower case. */
function headerEntry({ name, value }: NamedMatch): readonly [string, KubeFields] {
  return [name.toLowerCase(), emitText(value)];
}

function cookieEntry({ name, value }: NamedMatch): readonly [string, KubeFields] {
  const pattern = cookiePattern(name, value);
  if (pattern === undefined) throw new Error(`the match of cookie ${name} should have been refused`);
  return ["cookie", { regex: pattern }];
}

/** Exact and prefix stay so; an empty text would mean "anything" to Istio, so it becomes a pattern. */
function emitText(value: TextMatch): KubeFields {
  if ((value.kind === "exact" || value.kind === "prefix") && value.value !== "") return { [value.kind]: value.value };
  return { regex: patternOf(value) };
}

function orAbsent(fields: KubeFields): KubeFields | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}
