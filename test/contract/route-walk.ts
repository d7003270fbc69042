/** Sends a request through emitted route objects by each format's own rules of choice, and through a plan by Weir's. */
import assert from "node:assert/strict";
import { RE2JS } from "re2js";
import type { Host, WeightedBackend } from "../../src/compile/mesh-plan.ts";
import type { KubeObject } from "../../src/emit/kubernetes/object.ts";
import type { NamedMatch, RouteMatch, TextMatch } from "../../src/model/types.ts";

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** `web-v2:80 100` for each destination, sorted; undefined when nothing matches. */
export type Reached = readonly string[] | undefined;

type IstioText = Readonly<Record<string, string>>;
interface IstioMatch {
  readonly uri?: IstioText;
  readonly method?: IstioText;
  readonly headers?: Readonly<Record<string, IstioText>>;
}
interface IstioEntry {
  readonly match?: readonly IstioMatch[];
  readonly route?: readonly { readonly destination: { readonly host: string; readonly port: { readonly number: number } }; readonly weight?: number }[];
}
interface GatewayText {
  readonly type: "Exact" | "PathPrefix" | "RegularExpression";
  readonly value: string;
}
interface GatewayMatch {
  readonly path?: GatewayText;
  readonly method?: string;
  readonly headers?: readonly (GatewayText & { readonly name: string })[];
}
interface GatewayRule {
  readonly matches?: readonly GatewayMatch[];
  readonly backendRefs?: readonly { readonly name: string; readonly port: number; readonly weight?: number }[];
}

/** Where Weir's own rules lead: the first route that matches. */
export function walkPlan(host: Host, request: Request): Reached {
  const [port] = host.ports;
  assert.ok(port?.kind === "http");
  const route = port.routes.find(({ match }) => match.length === 0 || match.some((one) => holds(one, request)));
  if (route === undefined) return undefined;
  assert.ok(route.action.kind === "forward");
  return describe(route.action.destinations.map(({ backend, weight }: WeightedBackend) => [backend.replace(/@(.*)\.default/, "-$1"), weight]));
}

function holds(match: RouteMatch, request: Request): boolean {
  const path = match.path === undefined || pathHolds(match.path, request.path);
  const method = match.methods.length === 0 || match.methods.includes(request.method);
  return path && method && match.headers.every((named) => headerHolds(named, request));
}

function pathHolds(path: NonNullable<RouteMatch["path"]>, given: string): boolean {
  if (path.kind === "exact") return given === path.value;
  if (path.kind === "regex") return RE2JS.compile(path.value).matches(given);
  const stem = path.value.replace(/\/$/, "");
  return given === stem || given.startsWith(`${stem}/`);
}

function headerHolds({ name, value }: NamedMatch, { headers }: Request): boolean {
  const given = headers[name];
  return given !== undefined && textHolds(value, given);
}

function textHolds(match: TextMatch, given: string): boolean {
  if (match.kind === "present") return true;
  if (match.kind === "regex") return RE2JS.compile(match.value).matches(given);
  return match.kind === "exact" ? given === match.value : given.startsWith(match.value);
}

/** Where a VirtualService leads: the first entry that matches. */
export function walkVirtualService(objects: readonly KubeObject[], name: string, request: Request): Reached {
  const entries = listOf(
    objects.filter((object) => object.kind === "VirtualService" && object.metadata.name === name),
    "http",
  ) as readonly IstioEntry[];
  const entry = entries.find(({ match }) => match === undefined || match.some((one) => istioHolds(one, request)));
  return entry?.route === undefined
    ? undefined
    : describe(entry.route.map(({ destination: { host, port }, weight }) => [`${host.split(".")[0]}:${port.number}`, weight ?? 1]));
}

function istioHolds({ uri, method, headers = {} }: IstioMatch, request: Request): boolean {
  const text = (match: IstioText | undefined, given: string | undefined): boolean => {
    if (match === undefined) return true;
    const [[kind, value] = ["", ""]] = Object.entries(match);
    return given !== undefined && textHolds({ kind, value } as TextMatch, given);
  };
  return text(uri, request.path) && text(method, request.method) && Object.entries(headers).every(([name, match]) => text(match, request.headers[name]));
}

/** Where HTTPRoutes that hang on a Service lead: the most specific match of all of them, then the first of one object. A tie between objects fails the test. */
export function walkHttpRoutes(objects: readonly KubeObject[], service: string, request: Request): Reached {
  const candidates = objects
    .filter(
      (object) =>
        object.kind === "HTTPRoute" &&
        (listOf([object], "parentRefs") as readonly { kind?: string; name: string }[]).some(({ kind, name }) => kind === "Service" && name === service),
    )
    .flatMap((object) =>
      (listOf([object], "rules") as readonly GatewayRule[]).flatMap((rule, order) =>
        (rule.matches ?? [{}]).filter((match) => gatewayHolds(match, request)).map((match) => ({ object, rule, order, rank: rank(match) })),
      ),
    );
  candidates.sort((a, b) => compareRanks(b.rank, a.rank) || a.order - b.order);
  const [best, second] = candidates;
  if (best === undefined) return undefined;
  const tied = second !== undefined && second.object !== best.object && compareRanks(second.rank, best.rank) === 0;
  assert.ok(!tied, `${best.object.metadata.name} and ${second?.object.metadata.name} match equally well`);
  return describe((best.rule.backendRefs ?? []).map(({ name, port, weight }) => [`${name}:${port}`, weight ?? 1]));
}

function gatewayHolds({ path, method, headers = [] }: GatewayMatch, request: Request): boolean {
  const kinds = { Exact: "exact", PathPrefix: "prefix", RegularExpression: "regex" } as const;
  const asMatch = ({ type, value }: GatewayText) => ({ kind: kinds[type], value });
  return (
    (path === undefined || pathHolds(asMatch(path), request.path)) &&
    (method === undefined || method === request.method) &&
    headers.every((one) => headerHolds({ name: one.name, value: asMatch(one) }, request))
  );
}

/** Gateway API: exact path, longest prefix, a method, most headers. */
function rank({ path, method, headers = [] }: GatewayMatch): readonly number[] {
  return [path?.type === "Exact" ? 1 : 0, path?.value.length ?? 1, method === undefined ? 0 : 1, headers.length];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** One list of the specs of some objects, as the JSON that Kubernetes would get. */
function listOf(objects: readonly KubeObject[], key: string): unknown {
  return objects.flatMap((object) => JSON.parse(JSON.stringify(object.spec?.[key] ?? [])) as readonly unknown[]);
}

/** Shares of 100, so that formats with other sums compare. */
function describe(destinations: readonly (readonly [string, number])[]): readonly string[] {
  const total = destinations.reduce((sum, [, weight]) => sum + weight, 0);
  return destinations.map(([name, weight]) => `${name} ${(weight * 100) / total}`).sort();
}
