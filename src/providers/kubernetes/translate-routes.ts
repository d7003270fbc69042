/** Gateway API's routes that are attached to Services → routes of the apps' ports, and what to say of each route in its status. */
import { memoizeLast } from "../../lib/memoize.ts";
import { type AppKey, type AppName, appKey, type Namespace } from "../../model/names.ts";
import type { ServiceRoute } from "../../model/types.ts";
import type { KubeService, Objects } from "./objects.ts";
import { optional } from "./readers.ts";
import { type KubeParentRef, type KubeParentStatus, type KubeReferenceGrant, type KubeRoute, meshController } from "./route-objects.ts";
import type { TranslatedGateways } from "./translate-gateways.ts";
import { Unsupported } from "./translate-route-match.ts";
import { attachedPorts } from "./translate-route-parents.ts";
import { resolverFor } from "./translate-route-refs.ts";
import { byRank, type RankedRule, type RefProblem, translateRules } from "./translate-route-rules.ts";
import { shareEqual } from "./translate-share.ts";

/** What a route's status should say of the parents that are ours. */
export interface RouteStatus {
  readonly kind: KubeRoute["kind"];
  readonly namespace: string;
  readonly name: string;
  readonly parents: readonly KubeParentStatus[];
  /** What it says now. */
  readonly reported: readonly KubeParentStatus[];
}

export interface TranslatedRoutes {
  readonly serviceRoutes: ReadonlyMap<AppKey, readonly ServiceRoute[]>;
  /** Of all routes that have something to do with us, in the order of their names. */
  readonly routeStatuses: readonly RouteStatus[];
}

/** One of a route's parents that is a Service. */
interface Attachment {
  readonly route: KubeRoute;
  readonly parent: KubeParentRef;
  readonly callers?: Namespace;
  /** Empty: it is not accepted. */
  readonly ports: readonly number[];
  readonly rules: readonly RankedRule[];
  readonly problem?: { readonly reason: string; readonly message: string };
  readonly refs: readonly RefProblem[];
}

type GatewayParents = TranslatedGateways["gatewayParents"];
type World = readonly [
  grpc: Objects<KubeRoute>,
  tls: Objects<KubeRoute>,
  tcp: Objects<KubeRoute>,
  grants: Objects<KubeReferenceGrant>,
  services: Objects<KubeService>,
  gateways: GatewayParents,
];

/**
 * All routes. What two kinds of routes want at one port, the more special kind gets: GRPCRoutes. `gateways` is what is to be said of parents that are
 * Gateways.
 */
export const translateRoutes: (http: Objects<KubeRoute>, ...world: World) => TranslatedRoutes = memoizeLast((http: Objects<KubeRoute>, ...world: World) => {
  const [grpc, tls, tcp, grants, services, gateways] = world;
  const known = [grpc, http, tls, tcp].flatMap((kind) => [...kind.values()]);
  const routes = known.filter((route) => isOurBusiness(route, gateways)).toSorted(byName);
  const attachments = routes.flatMap((route) => servicesOf(route).map((parent) => attach(route, parent, grants, services)));
  const groups = Map.groupBy(attachments.flatMap(perPort), ({ key }) => key);
  const taken = new Set([...groups].flatMap(([key, members]) => (members.some(({ from }) => from.route.kind === "GRPCRoute") ? [key] : [])));
  const all = [...groups].map(([key, members]) => serviceRoute(members.filter(({ from }) => !isBeaten(from, key, taken))));
  return {
    serviceRoutes: new Map([...Map.groupBy(all, ({ app }) => app)].map(([app, list]) => [app, list.map(({ route }) => route)])),
    routeStatuses: routes.map((route) => statusOf(route, attachments, taken, gateways)),
  };
});

/** `after` with what `before` had and says the same: a route that did not change keeps its identity whatever happens to others. */
export function shareRoutes(before: TranslatedRoutes | undefined, after: TranslatedRoutes): TranslatedRoutes {
  if (before === undefined) return after;
  const shared = new Map([...after.serviceRoutes].map(([app, routes]) => [app, shareEqual(before.serviceRoutes.get(app) ?? [], routes)]));
  const isSame = shared.size === before.serviceRoutes.size && [...shared].every(([app, routes]) => before.serviceRoutes.get(app) === routes);
  return { serviceRoutes: isSame ? before.serviceRoutes : shared, routeStatuses: shareEqual(before.routeStatuses, after.routeStatuses) };
}

/** A route's parents that are Services. The mesh's own routes speak HTTP. */
function servicesOf({ kind, parents }: KubeRoute): readonly KubeParentRef[] {
  return kind === "HTTPRoute" || kind === "GRPCRoute" ? parents.filter((parent) => parent.group === "" && parent.kind === "Service") : [];
}

/** What was ours once has words of ours in its status that must go. */
function isOurBusiness(route: KubeRoute, gateways: GatewayParents): boolean {
  return servicesOf(route).length > 0 || route.parents.some((parent) => gateways.has(parent)) || route.reported.length > 0;
}

function byName(a: KubeRoute, b: KubeRoute): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function nameOf({ kind, namespace, name }: KubeRoute): string {
  return `${namespace}/${name}/${kind}`;
}

function attach(route: KubeRoute, parent: KubeParentRef, grants: Objects<KubeReferenceGrant>, services: Objects<KubeService>): Attachment {
  // In another namespace than the Service's it speaks for the callers of its own.
  const callers = optional("callers", parent.namespace === route.namespace ? undefined : (route.namespace as Namespace));
  const none = { route, parent, ...callers, ports: [], rules: [], refs: [] };
  const found = attachedPorts(route.kind, parent, services.get(`${parent.namespace}/${parent.name}`));
  if (!found.ok) return { ...none, problem: { reason: "NoMatchingParent", message: found.message } };
  const translated = translateRules(route, resolverFor(route, parent.namespace, grants, services));
  if (translated instanceof Unsupported) return { ...none, problem: { reason: "UnsupportedValue", message: translated.message } };
  if (translated.rules.some(({ rule }) => rule.cors !== undefined))
    return { ...none, problem: { reason: "UnsupportedValue", message: "the mesh has no filter CORS: calls inside it come from no pages" } };
  return { ...none, ports: found.ports, rules: translated.rules, refs: translated.problems };
}

interface AtPort {
  readonly key: string;
  readonly port: number;
  readonly from: Attachment;
}

function keyOf({ parent, callers = "" as Namespace }: Attachment, port: number): string {
  return `${parent.namespace}/${parent.name}/${callers}/${port}`;
}

function perPort(from: Attachment): readonly AtPort[] {
  return from.ports.map((port) => ({ key: keyOf(from, port), port, from }));
}

function isBeaten({ route }: Attachment, key: string, taken: ReadonlySet<string>): boolean {
  return route.kind === "HTTPRoute" && taken.has(key);
}

/** The rules of all routes at one port, in the order in which they count. There is at least one. */
function serviceRoute(members: readonly AtPort[]): { readonly app: AppKey; readonly route: ServiceRoute } {
  const [first] = members as readonly [AtPort, ...AtPort[]];
  const { parent, callers } = first.from;
  const routes = [...new Map(members.map(({ from }) => [from.route, from])).values()].toSorted(byAge);
  const rules = routes.flatMap((one) => one.rules).toSorted((a, b) => byRank(a.rank, b.rank));
  const route: ServiceRoute = { port: first.port, ...optional("callers", callers), rules: rules.map(({ rule }) => rule) };
  return { app: appKey(parent.namespace as Namespace, parent.name as AppName), route };
}

/** Where rules are equally special: the older route, then the first by name, then as they stand in the route (sorting is stable). */
function byAge({ route: a }: Attachment, { route: b }: Attachment): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function statusOf(route: KubeRoute, attachments: readonly Attachment[], taken: ReadonlySet<string>, gateways: GatewayParents): RouteStatus {
  const { kind, namespace, name, reported } = route;
  const own = new Map(attachments.filter((one) => one.route === route).map((one) => [one.parent, parentStatus(one, taken)]));
  return { kind, namespace, name, reported, parents: route.parents.flatMap((parent) => own.get(parent) ?? gateways.get(parent) ?? []) };
}

const conflict = { reason: "Conflicted", message: "a GRPCRoute is attached to the same port, and only one kind of route can be" };

function parentStatus(from: Attachment, taken: ReadonlySet<string>): KubeParentStatus {
  const { route, parent, ports, refs } = from;
  const isOut = ports.length > 0 && ports.every((port) => isBeaten(from, keyOf(from, port), taken));
  const problem = from.problem ?? (isOut ? conflict : undefined);
  const [ref] = refs;
  const condition = (type: string, bad: { readonly reason: string; readonly message: string } | undefined) => ({
    type,
    status: bad === undefined ? "True" : "False",
    reason: bad?.reason ?? type,
    message: bad?.message ?? "",
    generation: route.generation,
  });
  return { controller: meshController, parentRef: parent.said, conditions: [condition("Accepted", problem), condition("ResolvedRefs", ref)] };
}
