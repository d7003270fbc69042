/** Rules of Gateway API's routes in our words. */
import { parseDuration } from "../../lib/duration.ts";
import type { GatewayRule, GatewayTarget } from "../../model/gateway.ts";
import type { Namespace } from "../../model/names.ts";
import type { DestinationRef, HeaderChanges, Mirror, Redirect, Retries, Rewrite, RouteAction, WeightedDestination } from "../../model/types.ts";
import { fullWeight, splitInProportion } from "../../model/weights.ts";
import { optional } from "./readers.ts";
import type { KubeBackendRef, KubeFilter, KubeObjectRef, KubePath, KubeRoute, KubeRouteRule } from "./route-objects.ts";
import { all, grpcMatches, httpMatches, type RankedMatch, Unsupported } from "./translate-route-match.ts";

/** Why what a reference names is not gone to. */
export interface RefProblem {
  readonly reason: "BackendNotFound" | "RefNotPermitted" | "InvalidKind" | "UnsupportedProtocol";
  readonly message: string;
}

export type Resolved = { readonly ok: true; readonly to: DestinationRef } | { readonly ok: false; readonly problem: RefProblem };
/** Finds what a reference names. */
export type Resolve = (ref: KubeObjectRef) => Resolved;

export interface RankedRule {
  readonly rank: readonly number[];
  /** With one match. `cors` is for gateways alone: calls inside the mesh come from no pages. */
  readonly rule: GatewayRule;
}

/** For sorting rules: the more special first. */
export function byRank(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (b[at] ?? 0) - (a[at] ?? 0);
}

export interface TranslatedRules {
  readonly rules: readonly RankedRule[];
  readonly problems: readonly RefProblem[];
}

/** A route's rules, one for each match, in the route's order; or what of them the mesh does not do. */
export function translateRules(route: KubeRoute, resolve: Resolve): TranslatedRules | Unsupported {
  const translated = all(route.rules, (rule) => translateRule(route.kind, rule, resolve));
  if (translated instanceof Unsupported) return translated;
  return { rules: translated.flatMap(({ rules }) => rules), problems: translated.flatMap(({ problems }) => problems) };
}

/** Where a route of whole connections leads, which has one rule. */
export function translateTarget(route: KubeRoute, resolve: Resolve): { readonly target: GatewayTarget; readonly problems: readonly RefProblem[] } {
  const { destinations, refused, problems } = shareOf(route.rules[0]?.backends ?? [], resolve);
  return { target: { destinations, refused }, problems };
}

function translateRule(kind: KubeRoute["kind"], rule: KubeRouteRule, resolve: Resolve): TranslatedRules | Unsupported {
  const matches = kind === "HTTPRoute" ? httpMatches(rule.matches) : grpcMatches(rule.matches);
  if (matches instanceof Unsupported) return matches;
  const action = translateAction(rule, resolve);
  if (action instanceof Unsupported) return action;
  const headers = { requestHeaders: headersOf(rule.filters, "requestHeaders"), responseHeaders: headersOf(rule.filters, "responseHeaders") };
  const [cors] = filtersOf(rule.filters, "cors");
  const more = { ...headers, ...optional("cors", cors?.cors) };
  const ranked = ({ match, rank }: RankedMatch): RankedRule => ({ rank, rule: { match: [match], action: action.action, ...more } });
  return { rules: matches.map(ranked), problems: action.problems };
}

type Kind<K extends KubeFilter["kind"]> = KubeFilter & { readonly kind: K };

function filtersOf<K extends KubeFilter["kind"]>(filters: readonly KubeFilter[], kind: K): readonly Kind<K>[] {
  return filters.filter((filter): filter is Kind<K> => filter.kind === kind);
}

function headersOf(filters: readonly KubeFilter[], kind: "requestHeaders" | "responseHeaders"): HeaderChanges {
  const changes = filters.flatMap((filter) => (filter.kind === kind && "changes" in filter ? [filter.changes] : []));
  return { add: changes.flatMap(({ add }) => add), set: changes.flatMap(({ set }) => set), remove: changes.flatMap(({ remove }) => remove) };
}

interface TranslatedAction {
  readonly action: RouteAction;
  readonly problems: readonly RefProblem[];
}

function translateAction(rule: KubeRouteRule, resolve: Resolve): TranslatedAction | Unsupported {
  const [other] = filtersOf(rule.filters, "other");
  if (other !== undefined) return new Unsupported(`the mesh has no filter ${other.type}`);
  const [redirect] = filtersOf(rule.filters, "redirect");
  const [rewrite] = filtersOf(rule.filters, "rewrite");
  if (redirect === undefined) return forward(rule, rewrite, resolve);
  if (rewrite !== undefined || rule.backends.length > 0) return new Unsupported("a redirect goes with neither a rewrite nor backends");
  const translated = translateRedirect(redirect);
  return translated instanceof Unsupported ? translated : { action: { kind: "redirect", redirect: translated }, problems: [] };
}

const codes: ReadonlySet<number> = new Set([301, 302, 303, 307, 308] satisfies readonly Redirect["code"][]);

function translateRedirect({ scheme, host, port, path, code }: Kind<"redirect">): Redirect | Unsupported {
  const known = scheme === "http" || scheme === "https" ? scheme : undefined;
  if (scheme !== undefined && known === undefined) return new Unsupported(`a redirect to the scheme ${scheme} is not known`);
  if (!codes.has(code)) return new Unsupported(`a redirect with status ${code} is not known`);
  return {
    code: code as Redirect["code"],
    ...(known === undefined ? {} : { scheme: known }),
    ...optional("host", host),
    ...optional("port", port),
    ...pathChange(path),
  };
}

function pathChange(path: KubePath | undefined): { readonly path?: string; readonly fullPath?: string } {
  if (path === undefined) return {};
  return path.kind === "full" ? { fullPath: path.path } : { path: path.path };
}

function forward(rule: KubeRouteRule, said: Kind<"rewrite"> | undefined, resolve: Resolve): TranslatedAction | Unsupported {
  const unfit = rule.backends.flatMap(({ filters }) => filters).find(({ kind }) => kind !== "requestHeaders" && kind !== "responseHeaders");
  if (unfit !== undefined) return new Unsupported("filters of a single backend may change headers only");
  const times = timesOf(rule);
  if (times instanceof Unsupported) return times;
  if (rule.retry?.hasBackoff === true) return new Unsupported("retry.backoff is not known: Envoy's own waits have a longest time, and no shortest");
  const { destinations, refused, problems } = shareOf(rule.backends, resolve);
  const copies = filtersOf(rule.filters, "mirror").map(({ to, share: part }) => ({ part, resolved: resolve(to) }));
  const mirrors = copies.flatMap(({ part, resolved }): readonly Mirror[] => (resolved.ok ? [{ to: resolved.to, share: part }] : []));
  const rewrite: Rewrite | undefined = said === undefined ? undefined : { ...optional("host", said.host), ...pathChange(said.path) };
  return {
    action: {
      kind: "forward",
      destinations,
      ...times,
      ...optional("retries", rule.retry && retriesOf(rule.retry)),
      ...optional("rewrite", rewrite),
      ...optional("mirrors", mirrors.length === 0 ? undefined : mirrors),
      ...optional("refused", refused === 0 ? undefined : refused),
    },
    problems: [...problems, ...copies.flatMap(({ resolved }) => (resolved.ok ? [] : [resolved.problem]))],
  };
}

const usualAttempts = 3;

/** Who asks for retries has them also for requests that have no answer, whatever their method: no connection, or a time that is over. */
function retriesOf({ codes, attempts = usualAttempts }: NonNullable<KubeRouteRule["retry"]>): Retries {
  return { attempts, on: ["connect-failure", "refused-stream", "reset", "retriable-status-codes"], codes };
}

function timesOf({ requestTimeout, backendTimeout }: KubeRouteRule): Pick<RouteAction & { kind: "forward" }, "timeoutMs" | "tryTimeoutMs"> | Unsupported {
  const unknown = [requestTimeout, backendTimeout].find((text) => text !== undefined && parseDuration(text) === undefined);
  if (unknown !== undefined) return new Unsupported(`${unknown} is not a duration`);
  const [timeoutMs, tryTimeoutMs] = [requestTimeout, backendTimeout].map((text) => (text === undefined ? undefined : parseDuration(text)));
  return { ...optional("timeoutMs", timeoutMs), ...optional("tryTimeoutMs", tryTimeoutMs) };
}

/** Where a route's traffic goes, by share. */
interface Shares {
  readonly destinations: readonly WeightedDestination[];
  /** Basis points of the requests that go nowhere. */
  readonly refused: number;
  readonly problems: readonly RefProblem[];
}

/** The shares of backends. No backend, or none with a weight: all is refused. */
function shareOf(backends: readonly KubeBackendRef[], resolve: Resolve): Shares {
  const resolved = backends.map((backend) => ({ backend, resolved: resolve(backend) }));
  const problems = resolved.flatMap(({ resolved: one }) => (one.ok ? [] : [one.problem]));
  const weights = new Map(backends.map(({ weight }, index) => [String(index), weight] as const).filter(([, weight]) => weight > 0));
  if (weights.size === 0) return { destinations: [], refused: fullWeight, problems };
  const shares = splitInProportion(fullWeight, weights);
  const destinations = resolved.flatMap(({ backend, resolved: one }, index): readonly WeightedDestination[] => {
    const weight = shares.get(String(index)) ?? 0;
    return one.ok && weight > 0 ? [{ to: one.to, weight, ...backendHeaders(backend) }] : [];
  });
  return { destinations, refused: fullWeight - destinations.reduce((sum, { weight }) => sum + weight, 0), problems };
}

function backendHeaders({ filters }: KubeBackendRef): Pick<WeightedDestination, "requestHeaders" | "responseHeaders"> {
  const changes = (kind: "requestHeaders" | "responseHeaders"): HeaderChanges | undefined =>
    filters.some((filter) => filter.kind === kind) ? headersOf(filters, kind) : undefined;
  return { ...optional("requestHeaders", changes("requestHeaders")), ...optional("responseHeaders", changes("responseHeaders")) };
}

/** A reference to a Service's port as a destination. */
export function appPort(namespace: string, name: string, port: number): DestinationRef {
  return { kind: "app", namespace: namespace as Namespace, name, port };
}
