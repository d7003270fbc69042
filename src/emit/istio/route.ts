/** Routes of a plan as `http` and `tcp` entries of a VirtualService. The first that matches wins, as in Weir. */
import type { Backend, HostPort, Route, WeightedBackend } from "../../compile/mesh-plan.ts";
import type { HeaderChanges, Redirect, Rewrite, RouteMatch } from "../../model/types.ts";
import { askedRetries, authorityOf, type Backends, backendOf, changesNothing } from "../kubernetes/backends.ts";
import { serviceDomain, versionServiceName } from "../kubernetes/names.ts";
import type { KubeFields } from "../kubernetes/object.ts";
import { escapePattern } from "../kubernetes/pattern.ts";
import { shares } from "../kubernetes/weights.ts";
import { emitMatch, pathStem } from "./match.ts";

export interface IstioSetting {
  readonly backends: Backends;
  /** `NAMESPACE/NAME` of external hosts that a ServiceEntry of their own stands for. */
  readonly namedExternals: ReadonlySet<string>;
}

/** The host that a ServiceEntry gives an external service; its Kubernetes Service has the usual one. */
export function externalDomain(name: string, namespace: string): string {
  return `${name}.${namespace}.external`;
}

/**
 * Emits the `http` entries of one port. `ports` restricts them to the numbers callers used, where the VirtualService
 * holds several HTTP ports; empty: any.
 */
export function emitHttp(routes: readonly Route[], ports: readonly number[], setting: IstioSetting): readonly KubeFields[] {
  return routes.flatMap((route) =>
    splitMatches(route).map(({ matches, rewrite }) => ({
      match: withPorts(matches, ports),
      ...emitAction(route, setting),
      rewrite,
      headers: emitHeaders(route),
    })),
  );
}

/** Emits the `tcp` entries of one port: one for all numbers callers may use. */
export function emitTcp(port: Pick<Extract<HostPort, { kind: "tcp" }>, "ports" | "destinations">, setting: IstioSetting): KubeFields {
  return {
    match: port.ports.map((number) => ({ port: number })),
    route: emitDestinations(port.destinations, setting),
  };
}

interface Part {
  readonly matches: readonly KubeFields[];
  readonly rewrite?: KubeFields;
}

/** What replaces the path depends on what matched it, so a rule that rewrites becomes one entry for each of its matches. */
function splitMatches(route: Route): readonly Part[] {
  const authority = authorityOf(route);
  const host = authority.kind === "one" ? authority.value : undefined;
  const said = route.action.kind === "forward" ? route.action.rewrite : undefined;
  const rewrite = host === undefined ? said : { ...said, host };
  if (rewrite === undefined) return [{ matches: route.match.flatMap(emitMatch) }];
  if (rewrite.path === undefined || route.match.length === 0) {
    return [{ matches: route.match.flatMap(emitMatch), rewrite: emitRewrite(rewrite, undefined) }];
  }
  return route.match.map((match) => ({ matches: emitMatch(match), rewrite: emitRewrite(rewrite, match.path) }));
}

function emitRewrite({ host, path, regex }: Rewrite, matched: RouteMatch["path"]): KubeFields {
  const byPattern = regex === undefined ? undefined : { match: regex.pattern, rewrite: regex.substitution };
  return { authority: host, uriRegexRewrite: path === undefined ? byPattern : emitPathRewrite(path, matched) };
}

/**
 * Replaces a prefix by whole segments, as Gateway API defines it: `/a` → `/` makes `/b` of `/a/b`, never `//b`. Always
 * as a pattern, because Istio's own prefix rewrite knows no segments.
 */
function emitPathRewrite(path: string, matched: RouteMatch["path"]): KubeFields {
  if (matched !== undefined && matched.kind !== "prefix") return { match: "^.*$", rewrite: literal(path) };
  const stem = escapePattern(pathStem(matched?.value ?? "/"));
  const replacement = literal(pathStem(path));
  if (replacement === "") return { match: `^${stem}/*`, rewrite: "/" };
  return stem === "" ? { match: "^/", rewrite: `${replacement}/` } : { match: `^${stem}`, rewrite: replacement };
}

/** A substitution in which no backslash refers to a group. */
function literal(text: string): string {
  return text.replaceAll("\\", "\\\\");
}

function withPorts(matches: readonly KubeFields[], ports: readonly number[]): readonly KubeFields[] | undefined {
  const conditions = matches.length === 0 ? [{}] : matches;
  const all = ports.length === 0 ? conditions : conditions.flatMap((match) => ports.map((port) => ({ ...match, port })));
  // An entry without a condition matches everything, and so does a list that holds one; Istio refuses the empty entry.
  return all.some((match) => Object.values(match).every((value) => value === undefined)) ? undefined : all;
}

function emitAction(route: Route, setting: IstioSetting): KubeFields {
  const { action } = route;
  if (action.kind === "redirect") return { redirect: emitRedirect(action.redirect) };
  if (action.destinations.length === 0) return { directResponse: { status: 503 } };
  const retries = askedRetries(route);
  return {
    route: emitDestinations(action.destinations, setting).map((destination, index) => ({
      ...destination,
      headers: authorityOf(route).kind === "mixed" ? emitHost(action.destinations[index]?.authority) : undefined,
    })),
    timeout: action.timeoutMs === 0 ? undefined : istioDuration(action.timeoutMs),
    retries:
      retries === undefined
        ? undefined
        : retries.attempts === 0
          ? { attempts: 0 }
          : {
              attempts: retries.attempts,
              perTryTimeout: retries.perTryTimeoutMs === undefined ? undefined : istioDuration(retries.perTryTimeoutMs),
              retryOn: retries.on.join(","),
            },
  };
}

function emitRedirect(redirect: Redirect): KubeFields {
  return {
    scheme: redirect.scheme,
    authority: redirect.host,
    port: redirect.port,
    uri: redirect.path,
    redirectCode: redirect.code,
  };
}

function emitDestinations(destinations: readonly WeightedBackend[], setting: IstioSetting): readonly KubeFields[] {
  const weights = shares(destinations);
  return destinations.map(({ backend: id }, index) => {
    const backend = backendOf(setting.backends, id);
    return {
      destination: { host: destinationHost(backend, setting), port: { number: backend.port } },
      weight: destinations.length === 1 ? undefined : weights[index],
    };
  });
}

/** Where destinations expect different Host headers, each sets its own. */
function emitHost(host: string | undefined): KubeFields | undefined {
  return host === undefined ? undefined : { request: { set: { host } } };
}

function destinationHost(backend: Backend, { namedExternals }: IstioSetting): string {
  if (backend.kind === "version") return serviceDomain(versionServiceName(backend.app, backend.version), backend.namespace);
  return namedExternals.has(`${backend.namespace}/${backend.name}`)
    ? externalDomain(backend.name, backend.namespace)
    : serviceDomain(backend.name, backend.namespace);
}

function emitHeaders(route: Route): KubeFields | undefined {
  const request = emitChanges(route.requestHeaders);
  const response = emitChanges(route.responseHeaders);
  return request === undefined && response === undefined ? undefined : { request, response };
}

function emitChanges(changes: HeaderChanges): KubeFields | undefined {
  if (changesNothing(changes)) return undefined;
  return {
    set: emitValues(changes.set),
    add: emitValues(changes.add),
    remove: changes.remove.length === 0 ? undefined : changes.remove,
  };
}

/** Istio hands values to Envoy, to which `%` begins a command. */
function emitValues(values: HeaderChanges["set"]): KubeFields | undefined {
  return values.length === 0 ? undefined : Object.fromEntries(values.map(({ name, value }) => [name, value.replaceAll("%", "%%")]));
}

/** Seconds, with up to three decimals: what both protobuf's JSON and the CRD's check read. */
export function istioDuration(ms: number): string {
  return `${ms / 1000}s`;
}
