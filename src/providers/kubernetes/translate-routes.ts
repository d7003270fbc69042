/** Gateway API's routes that are attached to Services → routes of the apps' ports, and what to say of each route in its status. */
import { memoizeLast } from "../../lib/memoize.ts";
import type { GatewayTarget } from "../../model/gateway.ts";
import { type AppKey, type AppName, appKey, type Namespace } from "../../model/names.ts";
import type { ServiceRoute } from "../../model/service-route.ts";
import type { KubeService, Objects } from "./objects.ts";
import { optional } from "./readers.ts";
import { type KubeParentRef, type KubeParentStatus, type KubeReferenceGrant, type KubeRoute, meshController } from "./route-objects.ts";
import { type Because, because } from "./translate-because.ts";
import type { TranslatedGateways } from "./translate-gateways.ts";
import { type Claim, type Settled, settle } from "./translate-route-claims.ts";
import { Unsupported } from "./translate-route-match.ts";
import { attachedPorts, isOfConnections } from "./translate-route-parents.ts";
import { resolverFor } from "./translate-route-refs.ts";
import { type RefProblem, translateRules, translateTarget } from "./translate-route-rules.ts";
import { shareEqual } from "./translate-share.ts";

/** What a route's status should say of the parents that are ours. */
export interface RouteStatus {
  readonly kind: KubeRoute["kind"];
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
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
interface Attachment extends Claim {
  readonly parent: KubeParentRef;
  readonly callers?: Namespace;
  /** Empty: it is not accepted. */
  readonly ports: readonly number[];
  readonly problem?: Because;
  readonly refs: readonly RefProblem[];
}

const nowhere: GatewayTarget = { destinations: [], refused: 10_000 };

type GatewayParents = TranslatedGateways["gatewayParents"];
type World = readonly [
  grpc: Objects<KubeRoute>,
  tls: Objects<KubeRoute>,
  tcp: Objects<KubeRoute>,
  grants: Objects<KubeReferenceGrant>,
  services: Objects<KubeService>,
  gateways: GatewayParents,
];

/** All routes. `gateways` is what is to be said of parents that are Gateways. */
export const translateRoutes: (http: Objects<KubeRoute>, ...world: World) => TranslatedRoutes = memoizeLast((http: Objects<KubeRoute>, ...world: World) => {
  const [grpc, tls, tcp, grants, services, gateways] = world;
  const known = [grpc, http, tls, tcp].flatMap((kind) => [...kind.values()]);
  const routes = known.filter((route) => isOurBusiness(route, gateways)).toSorted(byName);
  const attachments = routes.flatMap((route) => servicesOf(route).map((parent) => attach(route, parent, grants, services)));
  const groups = Map.groupBy(attachments.flatMap(perPort), ({ key }) => key);
  const ports = new Map([...groups].map(([key, members]) => [key, settlePort(members)]));
  return {
    serviceRoutes: new Map([...Map.groupBy(ports.values(), ({ app }) => app)].map(([app, list]) => [app, list.map(({ route }) => route)])),
    routeStatuses: routes.map((route) => statusOf(route, attachments, ports, gateways)),
  };
});

/** `after` with what `before` had and says the same: a route that did not change keeps its identity whatever happens to others. */
export function shareRoutes(before: TranslatedRoutes | undefined, after: TranslatedRoutes): TranslatedRoutes {
  if (before === undefined) return after;
  const shared = new Map([...after.serviceRoutes].map(([app, routes]) => [app, shareEqual(before.serviceRoutes.get(app) ?? [], routes)]));
  const isSame = shared.size === before.serviceRoutes.size && [...shared].every(([app, routes]) => before.serviceRoutes.get(app) === routes);
  return { serviceRoutes: isSame ? before.serviceRoutes : shared, routeStatuses: shareEqual(before.routeStatuses, after.routeStatuses) };
}

/** A route's parents that are Services. */
function servicesOf({ parents }: KubeRoute): readonly KubeParentRef[] {
  return parents.filter((parent) => parent.group === "" && parent.kind === "Service");
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
  const none = { route, parent, ...callers, ports: [], rules: [], target: nowhere, refs: [] };
  const found = attachedPorts(route.kind, parent, services.get(`${parent.namespace}/${parent.name}`));
  if (!found.ok) return { ...none, problem: { reason: "NoMatchingParent", message: found.message } };
  const resolve = resolverFor(route, parent.namespace, grants, services);
  if (isOfConnections(route.kind)) {
    const { target, problems } = translateTarget(route, resolve);
    return { ...none, ports: found.ports, target, refs: problems };
  }
  const translated = translateRules(route, resolve);
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

/** One port of a Service, for everybody or for the callers of one namespace. */
interface SettledPort extends Pick<Settled, "beaten"> {
  readonly app: AppKey;
  readonly route: ServiceRoute;
}

function settlePort(members: readonly AtPort[]): SettledPort {
  const [first, ...rest] = members as readonly [AtPort, ...AtPort[]];
  const { parent, callers } = first.from;
  const { rules, beaten } = settle([first.from, ...rest.map(({ from }) => from)]);
  return {
    app: appKey(parent.namespace as Namespace, parent.name as AppName),
    route: { port: first.port, ...optional("callers", callers), ...rules },
    beaten,
  };
}

type Ports = ReadonlyMap<string, SettledPort>;

function statusOf(route: KubeRoute, attachments: readonly Attachment[], ports: Ports, gateways: GatewayParents): RouteStatus {
  const { kind, namespace, name, uid, reported } = route;
  const own = new Map(attachments.filter((one) => one.route === route).map((one) => [one.parent, parentStatus(one, ports)]));
  return { kind, namespace, name, uid, reported, parents: route.parents.flatMap((parent) => own.get(parent) ?? gateways.get(parent) ?? []) };
}

function parentStatus(from: Attachment, settled: Ports): KubeParentStatus {
  const { route, parent, ports, refs } = from;
  const conflicts = ports.map((port) => settled.get(keyOf(from, port))?.beaten.get(route));
  // One port that is its own is enough.
  const problem = from.problem ?? (conflicts.includes(undefined) ? undefined : conflicts[0]);
  const [ref] = refs;
  const { generation } = route;
  const conditions = [because("Accepted", generation, problem), because("ResolvedRefs", generation, ref)];
  return { controller: meshController, parentRef: parent.said, conditions };
}
