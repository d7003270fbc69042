/** Routes of apps' and versions' own ports: rules and shares resolved to backends, for everybody and for the callers of one namespace. */
import { memoize, memoizeLast, shareList } from "../lib/memoize.ts";
import type { GatewayTarget } from "../model/gateway.ts";
import { type AppKey, type AppName, appKey, type Namespace } from "../model/names.ts";
import type { ServiceRoute } from "../model/service-route.ts";
import type { DestinationRef, RouteRule, Service, WeightedDestination } from "../model/types.ts";
import type { App, World } from "../model/world.ts";
import { requestTimeoutMs, safeRetries } from "./defaults.ts";
import { appDestinations, type RoutedPort, versionDestination, versionHostName, withRoutes } from "./hosts.ts";
import type { Host, PlannedTarget, Route, WeightedBackend } from "./mesh-plan.ts";
import { rescale } from "./weights.ts";

/** Ports of an app's or version's name whose routes count for everybody. The same objects as before when nothing that they lead to changed. */
export function routedPorts(namespace: Namespace, name: string, world: World): readonly RoutedPort[] {
  return routesOf(namespace, name, world)
    .filter(({ callers }) => callers === undefined)
    .map((route) => routedPort(route, namespace, name, ...destinationsOf(route, world)));
}

/**
 * `hosts` as the callers of each namespace see them that has routes of its own. Those win over everybody's, port by port. `before` is what it was with the
 * World before this one.
 */
export function hostsForCallers(
  hosts: readonly Host[],
  world: World,
  before: ReadonlyMap<Namespace, readonly Host[]>,
): ReadonlyMap<Namespace, readonly Host[]> {
  const namespaces = new Set([...world.serviceRoutes.values()].flat().flatMap(({ callers }) => callers ?? []));
  return new Map(
    [...namespaces].sort().map((callers) => {
      const seen = hosts.map((host) => hostFor(callers, host, world));
      return [callers, shareList(before.get(callers), seen)];
    }),
  );
}

function hostFor(callers: Namespace, host: Host, world: World): Host {
  if (host.kind !== "app" && host.kind !== "version") return host;
  const own = routesOf(host.namespace, host.name, world).filter((route) => route.callers === callers);
  const [first, ...rest] = own.map((route) => routedPort(route, host.namespace, host.name, ...destinationsOf(route, world)));
  return first === undefined ? host : hostWith(first, host, ...rest);
}

const hostWith = memoizeLast((first: RoutedPort, host: Host, ...rest: readonly RoutedPort[]): Host => {
  const routed = [first, ...rest];
  return { ...host, ports: host.ports.map((port) => withRoutes(port, routed)) };
});

function routesOf(namespace: Namespace, name: string, { serviceRoutes }: World): readonly ServiceRoute[] {
  return serviceRoutes.get(appKey(namespace, name as AppName)) ?? [];
}

/** What a rule's name leads to: an app by its weights, or one version by its own name. */
export type Destination = App | Service;

/** What a route names, where it exists, each once. */
function destinationsOf(route: ServiceRoute, world: World): readonly Destination[] {
  return destinationsNamed(refsOf(route), world);
}

function refsOf(route: ServiceRoute): readonly DestinationRef[] {
  switch (route.kind) {
    case "http":
      return route.rules.flatMap(({ action }) => (action.kind === "forward" ? [...action.destinations, ...(action.mirrors ?? [])].map(({ to }) => to) : []));
    case "tls":
      return route.servers.flatMap(({ target }) => target.destinations.map(({ to }) => to));
    case "tcp":
      return route.target.destinations.map(({ to }) => to);
    default:
      return route satisfies never;
  }
}

/** What references name, where it exists, each once. */
export function destinationsNamed(refs: readonly DestinationRef[], { apps }: World): readonly Destination[] {
  return [...new Set(refs.map(keyOf))].flatMap((key) => apps.get(key) ?? versionsByName(apps).get(key) ?? []);
}

/** By the names that references have for them. */
export function byKey(destinations: readonly Destination[]): Known {
  return new Map(destinations.map((one) => [keyOfDestination(one), one]));
}

const versionsByName = memoize(
  (apps: World["apps"]): ReadonlyMap<AppKey, Service> =>
    new Map([...apps.values()].flatMap(({ versions }) => [...versions.values()].map((one) => [keyOfDestination(one), one]))),
);

function keyOf({ namespace, name }: DestinationRef): AppKey {
  return appKey(namespace, name as AppName);
}

function keyOfDestination(to: Destination): AppKey {
  return appKey(to.namespace, "versions" in to ? to.name : (versionHostName(to.app, to.version) as AppName));
}

const routedPort = memoizeLast((route: ServiceRoute, namespace: Namespace, name: string, ...destinations: readonly Destination[]): RoutedPort => {
  const known = byKey(destinations);
  const { port, callers } = route;
  switch (route.kind) {
    case "http":
      return { kind: "http", port, routes: route.rules.map((rule, index) => compileRule(rule, `${name}:${port}#${index}`, known)) };
    case "tls":
      return {
        kind: "connections",
        port,
        routed: {
          kind: "tls",
          name: `${callers === undefined ? "" : `${callers}/`}${name}.${namespace}:${port}`,
          servers: route.servers.map(({ domain, target }) => ({ domain, target: compileTarget(target, known) })),
        },
      };
    case "tcp":
      return { kind: "connections", port, routed: { kind: "tcp", target: compileTarget(route.target, known) } };
    default:
      return route satisfies never;
  }
});

export type Known = ReadonlyMap<AppKey, Destination>;

/** A rule whose destinations are apps, resolved to their backends. `name` is the route's. */
export function compileRule({ match, requestHeaders, responseHeaders, action }: RouteRule, name: string, known: Known): Route {
  const common = { name, match, requestHeaders, responseHeaders };
  if (action.kind === "redirect") return { ...common, action };
  const { rewrite, timeoutMs, retries = safeRetries, tryTimeoutMs = 0, mirrors = [], refused } = action;
  const copies = mirrors.flatMap(({ to, share }) => backendsOf(to, known).map(({ backend }) => ({ backend, share })));
  return {
    ...common,
    action: {
      kind: "forward",
      destinations: rescale(action.destinations.flatMap((destination) => weighted(destination, known))),
      timeoutMs: timeoutMs ?? requestTimeoutMs,
      retries: tryTimeoutMs > 0 ? { perTryTimeoutMs: tryTimeoutMs, ...retries } : retries,
      ...(rewrite === undefined ? {} : { rewrite }),
      ...(copies.length === 0 ? {} : { mirrors: copies }),
      ...(refused === undefined ? {} : { refused }),
    },
  };
}

/** Shares of connections, resolved to backends. What is not there keeps its share, and refuses it. */
export function compileTarget({ destinations, refused }: GatewayTarget, known: Known): PlannedTarget {
  const resolved = destinations.map((destination) => ({ destination, backends: weighted(destination, known) }));
  const lost = resolved.filter(({ backends }) => backends.length === 0).reduce((sum, { destination: { weight } }) => sum + weight, 0);
  return { destinations: rescale(resolved.flatMap(({ backends }) => backends)), refused: refused + lost };
}

/** One destination of several: its app's versions by the app's own weights. */
function weighted({ to, weight, requestHeaders, responseHeaders }: WeightedDestination, known: Known): readonly WeightedBackend[] {
  const headers = { ...(requestHeaders === undefined ? {} : { requestHeaders }), ...(responseHeaders === undefined ? {} : { responseHeaders }) };
  return backendsOf(to, known).map((one) => ({ ...one, weight: one.weight * weight, ...headers }));
}

/** What a port of an app or version is made of; nothing where it is not there. */
function backendsOf(to: DestinationRef, known: Known): readonly WeightedBackend[] {
  const found = known.get(keyOf(to));
  if (found === undefined || to.port === undefined) return [];
  return "versions" in found ? appDestinations(found, to.port) : versionDestination(found, to.port);
}
