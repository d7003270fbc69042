/** Routers: rules resolved to backends. */
import { didYouMean } from "../lib/did-you-mean.ts";
import { shareList } from "../lib/memoize.ts";
import type { Problem, SourcePlace } from "../lib/problem.ts";
import { type AppName, appKey, objectKey } from "../model/names.ts";
import type { DestinationRef, Port, RouteRule, Router, WeightedDestination } from "../model/types.ts";
import type { World } from "../model/world.ts";
import { appPorts, idleLimit, versionBackendId } from "./backends.ts";
import { requestTimeoutMs, safeRetries } from "./defaults.ts";
import { appDestinations, externalDestination, gatewayDomain } from "./hosts.ts";
import type { Host, Route, WeightedBackend } from "./mesh-plan.ts";
import { rescale } from "./weights.ts";

/** Routers answer HTTP, on the port that needs no saying. */
const routerPort = 80;

interface Resolved {
  readonly destinations: readonly WeightedBackend[];
  readonly problems: readonly Problem[];
}

interface CompiledRouter {
  readonly host: Host;
  readonly problems: readonly Problem[];
}

/** What a router's name and hosts answer. A rule whose destination does not exist answers 503 and is a problem. The same object as before when nothing it leads to changed. */
export function routerHost(router: Router, world: World): CompiledRouter {
  const parts = [world.addresses.get(`${router.namespace}/${router.name}`), world.gateway.domain, ...destinationsOf(router, world)];
  const before = known.get(router);
  if (before !== undefined && shareList(before.parts, parts) === before.parts) return before.compiled;
  const compiled = compileRouter(router, world);
  // A problem's hint depends on everything that exists, so only what has none is kept.
  if (compiled.problems.length === 0) known.set(router, { parts, compiled });
  return compiled;
}

const known = new WeakMap<Router, { readonly parts: readonly unknown[]; readonly compiled: CompiledRouter }>();

/** The apps and external services that a router's rules name, in order. */
function destinationsOf(router: Router, world: World): readonly unknown[] {
  const destinations = router.rules.flatMap((rule) => (rule.action.kind === "forward" ? rule.action.destinations : []));
  return destinations.map(({ to }) =>
    to.kind === "external" ? world.externals.get(objectKey(to.namespace, to.name)) : world.apps.get(appKey(to.namespace, to.name as AppName)),
  );
}

function compileRouter(router: Router, world: World): CompiledRouter {
  const rules = router.rules.map((rule, index) => compileRule(router, rule, index, world));
  const address = world.addresses.get(`${router.namespace}/${router.name}`);
  const host: Host = {
    kind: "router",
    namespace: router.namespace,
    name: router.name,
    ports: [{ kind: "http", ports: [routerPort], protocol: "http", routes: rules.map(({ route }) => route) }],
    public: router.public,
    domains: [gatewayDomain(router.name, router.namespace, world.gateway.domain), ...router.hosts],
    ...(address === undefined ? {} : { address }),
    ...(router.where === undefined ? {} : { where: router.where }),
  };
  return { host, problems: rules.flatMap(({ problems }) => problems) };
}

function compileRule(router: Router, rule: RouteRule, index: number, world: World): { readonly route: Route; readonly problems: readonly Problem[] } {
  const common = {
    name: `${router.name}#${index}`,
    match: rule.match,
    requestHeaders: rule.requestHeaders,
    responseHeaders: rule.responseHeaders,
    ...(rule.where === undefined ? {} : { where: rule.where }),
  };
  if (rule.action.kind === "redirect") return { route: { ...common, action: rule.action }, problems: [] };
  const { rewrite, timeoutMs, retries } = rule.action;
  const resolved = resolveAll(rule.action.destinations, world, rule.where ?? router.where);
  const { problems } = resolved;
  // The rule's own word about the Host header comes before what an external service expects.
  const destinations = rewrite?.host === undefined ? resolved.destinations : resolved.destinations.map(({ backend, weight }) => ({ backend, weight }));
  const action = {
    kind: "forward" as const,
    destinations,
    timeoutMs: timeoutMs ?? requestTimeoutMs,
    ...idleLimit(destinations),
    retries: retries ?? safeRetries,
    ...(rewrite === undefined ? {} : { rewrite }),
  };
  return { route: { ...common, action }, problems };
}

function resolveAll(wanted: readonly WeightedDestination[], world: World, where: SourcePlace | undefined): Resolved {
  const resolved = wanted.map((destination) => resolve(destination, world, where));
  return { destinations: rescale(resolved.flatMap((one) => one.destinations)), problems: resolved.flatMap((one) => one.problems) };
}

function resolve({ to, weight }: WeightedDestination, world: World, where: SourcePlace | undefined): Resolved {
  if (to.kind === "external") return resolveExternal(to, weight, world, where);
  const app = world.apps.get(appKey(to.namespace, to.name as AppName));
  if (app === undefined)
    return unknown(
      `there is no app ${to.name} in namespace ${to.namespace}`,
      to.name,
      [...world.apps.values()].filter((other) => other.namespace === to.namespace).map((other) => other.name),
      where,
    );
  const service = to.version === undefined ? undefined : app.versions.get(to.version);
  if (to.version !== undefined && service === undefined)
    return unknown(`app ${to.name} has no version ${to.version}`, to.version, [...app.versions.keys()], where);
  const port = choosePort(to, service?.ports ?? appPorts(app));
  if (port === undefined) return unknown(`${to.name} has no ${to.port === undefined ? "HTTP port" : `HTTP port ${to.port}`}`, "", [], where);
  if (service !== undefined)
    return { destinations: [{ backend: versionBackendId(app.namespace, app.name, service.version, port.port), weight: weight * 10_000 }], problems: [] };
  // An app's share of the rule is split by the app's own weights; `rescale` brings all products back to one sum.
  return { destinations: appDestinations(app, port.port).map((one) => ({ backend: one.backend, weight: one.weight * weight })), problems: [] };
}

function resolveExternal(to: DestinationRef, weight: number, world: World, where: SourcePlace | undefined): Resolved {
  const external = world.externals.get(objectKey(to.namespace, to.name));
  if (external === undefined)
    return unknown(
      `there is no external service ${to.name} in namespace ${to.namespace}`,
      to.name,
      [...world.externals.values()].map((other) => other.name),
      where,
    );
  const port = choosePort(to, external.ports);
  if (port === undefined) return unknown(`external service ${to.name} has no HTTP port`, "", [], where);
  return { destinations: [{ ...externalDestination(external, port), weight: weight * 10_000 }], problems: [] };
}

/** The port asked for, by either of its numbers; else the first HTTP one. */
function choosePort(to: DestinationRef, ports: readonly Port[]): Port | undefined {
  const http = ports.filter((port) => port.protocol !== "tcp");
  return to.port === undefined ? http[0] : (http.find((port) => port.port === to.port) ?? http.find((port) => port.containerPort === to.port));
}

function unknown(message: string, name: string, known: readonly string[], where: SourcePlace | undefined): Resolved {
  const similar = name === "" ? undefined : didYouMean(name, [...known].sort());
  const problem: Problem = {
    code: "destination-unknown",
    message,
    ...(where === undefined ? {} : { where }),
    hint: similar ?? "requests that this rule matches are answered with 503 until it exists",
  };
  return { destinations: [], problems: [problem] };
}
