/** Routes of apps' own ports: rules resolved to backends, for everybody and for the callers of one namespace. */
import { memoizeLast, shareList } from "../lib/memoize.ts";
import { type AppKey, type AppName, appKey, type Namespace } from "../model/names.ts";
import type { DestinationRef, RouteRule, ServiceRoute, WeightedDestination } from "../model/types.ts";
import type { App, World } from "../model/world.ts";
import { requestTimeoutMs, safeRetries } from "./defaults.ts";
import { appDestinations, type RoutedPort, withRoutes } from "./hosts.ts";
import type { Host, Route, WeightedBackend } from "./mesh-plan.ts";
import { rescale } from "./weights.ts";

/** Ports of `app` whose routes count for everybody. The same objects as before when nothing that they lead to changed. */
export function routedPorts(app: App, world: World): readonly RoutedPort[] {
  return routesOf(app, world)
    .filter(({ callers }) => callers === undefined)
    .map((route) => routedPort(route, app.name, ...destinationsOf(route, world)));
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
  if (host.kind !== "app") return host;
  const app = world.apps.get(appKey(host.namespace, host.name as AppName));
  const own = app === undefined ? [] : routesOf(app, world).filter((route) => route.callers === callers);
  const [first, ...rest] = own.map((route) => routedPort(route, host.name, ...destinationsOf(route, world)));
  return first === undefined ? host : hostWith(first, host, ...rest);
}

const hostWith = memoizeLast((first: RoutedPort, host: Host, ...rest: readonly RoutedPort[]): Host => {
  const routed = [first, ...rest];
  return { ...host, ports: host.ports.map((port) => withRoutes(port, routed)) };
});

function routesOf({ namespace, name }: App, { serviceRoutes }: World): readonly ServiceRoute[] {
  return serviceRoutes.get(appKey(namespace, name)) ?? [];
}

/** The apps that a route's rules name, where they exist, each once. */
function destinationsOf({ rules }: ServiceRoute, world: World): readonly App[] {
  const refs = rules.flatMap(({ action }) => (action.kind === "forward" ? [...action.destinations, ...(action.mirrors ?? [])].map(({ to }) => keyOf(to)) : []));
  return [...new Set(refs)].flatMap((key) => world.apps.get(key) ?? []);
}

function keyOf({ namespace, name }: DestinationRef): AppKey {
  return appKey(namespace, name as AppName);
}

const routedPort = memoizeLast((route: ServiceRoute, name: string, ...apps: readonly App[]): RoutedPort => {
  const known = new Map(apps.map((app) => [appKey(app.namespace, app.name), app]));
  return { port: route.port, routes: route.rules.map((rule, index) => compileRule(rule, `${name}:${route.port}#${index}`, known)) };
});

type Known = ReadonlyMap<AppKey, App>;

/** A rule whose destinations are apps, resolved to their backends. `name` is the route's. */
export function compileRule({ match, requestHeaders, responseHeaders, action }: RouteRule, name: string, apps: Known): Route {
  const common = { name, match, requestHeaders, responseHeaders };
  if (action.kind === "redirect") return { ...common, action };
  const { rewrite, timeoutMs, retries = safeRetries, tryTimeoutMs = 0, mirrors = [], refused } = action;
  const copies = mirrors.flatMap(({ to, share }) => backendsOf(to, apps).map(({ backend }) => ({ backend, share })));
  return {
    ...common,
    action: {
      kind: "forward",
      destinations: rescale(action.destinations.flatMap((destination) => weighted(destination, apps))),
      timeoutMs: timeoutMs ?? requestTimeoutMs,
      retries: tryTimeoutMs > 0 ? { perTryTimeoutMs: tryTimeoutMs, ...retries } : retries,
      ...(rewrite === undefined ? {} : { rewrite }),
      ...(copies.length === 0 ? {} : { mirrors: copies }),
      ...(refused === undefined ? {} : { refused }),
    },
  };
}

/** One destination of several: its app's versions by the app's own weights. */
export function weighted({ to, weight, requestHeaders, responseHeaders }: WeightedDestination, apps: Known): readonly WeightedBackend[] {
  const headers = { ...(requestHeaders === undefined ? {} : { requestHeaders }), ...(responseHeaders === undefined ? {} : { responseHeaders }) };
  return backendsOf(to, apps).map((one) => ({ ...one, weight: one.weight * weight, ...headers }));
}

/** What an app's port is made of; nothing where it is not there. */
function backendsOf(to: DestinationRef, apps: Known): readonly WeightedBackend[] {
  const app = apps.get(keyOf(to));
  return app === undefined || to.port === undefined ? [] : appDestinations(app, to.port);
}
