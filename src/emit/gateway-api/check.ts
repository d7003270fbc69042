/** What of a plan Gateway API, or a mesh that reads it, cannot say. All of it is found before anything is emitted. */

import type { Host, HostPort, Route } from "../../compile/mesh-plan.ts";
import type { Problem, SourcePlace } from "../../lib/problem.ts";
import { type Backends, backendOf, changesNothing } from "../kubernetes/backends.ts";
import { externalTls, hasNames, portDestination } from "../kubernetes/external.ts";
import { outOfOrder, unsupported } from "../kubernetes/refusal.ts";
import type { Dialect, Objection, RequestRouteKind } from "./dialect.ts";
import { emitMatch, matchObjections } from "./match.ts";
import { overtaking } from "./precedence.ts";
import { emitRules } from "./rule.ts";

export type HttpPort = Extract<HostPort, { kind: "http" }>;

/** Everything a check looks at besides the thing itself. */
export interface CheckSetting {
  readonly dialect: Dialect;
  readonly backends: Backends;
  /** External hosts by `NAMESPACE/NAME`. */
  readonly externals: ReadonlyMap<string, Host>;
}

/** Routes that will stand in one object. */
export interface RouteGroup {
  readonly kind: RequestRouteKind;
  readonly routes: readonly Route[];
}

/** Says what of one HTTP port of a host cannot be said with the given grouping of its routes into objects. */
export function httpPortProblems(host: Host, groups: readonly RouteGroup[], setting: CheckSetting): readonly Problem[] {
  const { mesh } = setting.dialect;
  const routes = groups.flatMap(({ kind, routes: inGroup }) => inGroup.map((route) => ({ kind, route })));
  const refused = routes.flatMap(({ kind, route }) =>
    routeObjections(route, kind, setting).map((objection) => unsupported({ mesh, where: route.where ?? host.where, ...objection })),
  );
  if (refused.length > 0) return refused;
  return [...groups.flatMap((group) => sizeProblems(host, group, setting)), ...orderProblems(host, groups, setting.dialect)];
}

/** Refuses what a Service for an external host cannot do by itself: TLS, and for a DNS name another port. */
export function externalProblems(host: Host, { dialect, backends }: CheckSetting): readonly Problem[] {
  const refuse = (because: string, hint: string): Problem => unsupported({ mesh: dialect.mesh, because, where: host.where, hint });
  const toIstio = "Export for istio, or call the address itself.";
  if (externalTls(host, backends) !== undefined) {
    return [refuse(`adds no TLS on the way to external service \`${host.name}\``, toIstio)];
  }
  return host.ports.flatMap((port) => aliasProblems(host, port, { backends, refuse }));
}

interface AliasSetting {
  readonly backends: Backends;
  readonly refuse: (because: string, hint: string) => Problem;
}

function aliasProblems(host: Host, port: HostPort, { backends, refuse }: AliasSetting): readonly Problem[] {
  const { kind, targets } = portDestination(port, backends);
  const [target] = targets;
  if (kind === "addresses" || target === undefined) return [];
  if (targets.length > 1) {
    return [
      refuse(
        `has no Service for external service \`${host.name}\`: a DNS alias leads to one name`,
        "Declare one external service for each name, or addresses only.",
      ),
    ];
  }
  if (port.kind === "http") {
    return [
      refuse(
        `has only a DNS alias for external service \`${host.name}\`, and cannot put \`${target.host}\` into the Host header`,
        "Call it by its own name, give an IP address, or export for istio.",
      ),
    ];
  }
  return port.ports
    .filter((number) => number !== target.port)
    .map((number) =>
      refuse(
        `cannot lead port ${number} of external service \`${host.name}\` to port ${target.port}: a DNS alias keeps the port`,
        `Let callers use port ${target.port} (\`ports: ${target.port}\`), give an IP address, or export for istio.`,
      ),
    );
}

function routeObjections(route: Route, kind: RequestRouteKind, setting: CheckSetting): readonly Objection[] {
  return [
    ...route.match.flatMap(matchObjections),
    ...actionObjections(route, setting),
    ...headerObjections(route),
    ...setting.dialect.limitObjections(route, kind),
  ];
}

function actionObjections({ action }: Route, { dialect, backends, externals }: CheckSetting): readonly Objection[] {
  if (action.kind === "redirect") return redirectObjections(action.redirect, dialect);
  const found: Objection[] = [];
  const { rewrite } = action;
  if (rewrite !== undefined && !dialect.urlRewrite) {
    found.push({ because: "rewrites neither paths nor hosts", hint: "Let the app answer the path it is called by, or export for istio." });
  } else if (rewrite?.regex !== undefined) {
    found.push({ because: "rewrites paths by prefix only, not by pattern", hint: "Use `rewrite: {path: …}`, or export for istio." });
  }
  if (rewrite?.host?.includes(":") === true) {
    found.push({ because: "rewrites the host without a port", hint: "Leave the port out of `rewrite.host`." });
  }
  for (const { backend: id } of action.destinations) {
    const backend = backendOf(backends, id);
    if (backend.kind !== "external") continue;
    const host = externals.get(`${backend.namespace}/${backend.name}`);
    if (host === undefined || hasNames(host, backends)) {
      found.push({
        because: `sends no route to external service \`${backend.name}\`: a Service that is only a DNS alias cannot be a destination`,
        hint: "Give it an IP address, or export for istio.",
      });
    }
  }
  return found;
}

function redirectObjections(redirect: { readonly path?: string; readonly code: number }, dialect: Dialect): readonly Objection[] {
  const found: Objection[] = [];
  if (redirect.path !== undefined && !dialect.redirectPath) {
    found.push({ because: "does not redirect to another path", hint: "Redirect host, scheme or port only, or export for istio." });
  }
  if (!dialect.redirectCodes.includes(redirect.code)) {
    found.push({
      because: `does not redirect with code ${redirect.code}`,
      hint: `Use ${dialect.redirectCodes.join(" or ")}, or export for istio.`,
    });
  }
  return found;
}

/** Lists in the objects are keyed by header name, and hold 16 each. */
function headerObjections(route: Route): readonly Objection[] {
  const found: Objection[] = [];
  for (const changes of [route.requestHeaders, route.responseHeaders]) {
    if (changesNothing(changes)) continue;
    for (const list of [changes.set, changes.add]) {
      const names = list.map(({ name }) => name.toLowerCase());
      if (new Set(names).size < names.length) {
        found.push({ because: "changes one header once in a rule", hint: "Name each header once in `add` and once in `set`." });
      }
      if (list.length > 16) found.push({ because: "changes at most 16 headers in a rule", hint: "Change fewer." });
    }
    if (changes.remove.length > 16) found.push({ because: "removes at most 16 headers in a rule", hint: "Remove fewer." });
  }
  return found;
}

function sizeProblems(host: Host, group: RouteGroup, { dialect, backends }: CheckSetting): readonly Problem[] {
  const setting = { kind: group.kind, dialect, backends, namespace: host.namespace };
  const rules = group.routes.flatMap((route) => emitRules(route, setting));
  const matches = group.routes.map((route) => route.match.flatMap(emitMatch).length);
  const total = matches.reduce((sum, count) => sum + count, 0);
  if (rules.length <= 16 && total <= 128 && matches.every((count) => count <= 64)) return [];
  return [
    unsupported({
      mesh: dialect.mesh,
      because: `takes at most 16 rules, 64 matches a rule and 128 in all; \`${host.name}\` needs ${rules.length} rules with ${total} matches`,
      where: host.where,
      hint: "Make two routers of it, or export for istio.",
    }),
  ];
}

interface Placed {
  readonly route: Route;
  readonly group: RouteGroup;
}

/** Finds rules that would take requests from a rule before them. One problem a rule. */
function orderProblems(host: Host, groups: readonly RouteGroup[], { mesh }: Dialect): readonly Problem[] {
  const placed: Placed[] = groups.flatMap((group) => group.routes.map((route) => ({ route, group })));
  return host.ports.flatMap((port) => {
    const order = port.kind === "http" ? port.routes : [];
    const here = order.flatMap((route) => placed.find((one) => one.route === route) ?? []);
    return here.flatMap((later, index) => {
      const found = here.slice(0, index).flatMap((earlier) => orderReason(earlier, later) ?? []);
      return found.slice(0, 1).map((because) => outOfOrder({ mesh, because, where: placeOf(later.route, host), hint: orderHint }));
    });
  });
}

const orderHint = "Put the more specific rule first, let the two match different requests, or export for istio.";

/** Why the later of two rules could get requests that the file gives to the earlier; undefined if it cannot. */
function orderReason(earlier: Placed, later: Placed): string | undefined {
  const { name, where } = earlier.route;
  const before = where === undefined ? `\`${name}\` before it` : `the one in line ${where.line}`;
  const result = overtaking(earlier.route.match, later.route.match);
  switch (result) {
    case "more-specific":
      return `takes the most specific rule, not the first: this one could get requests meant for ${before}`;
    case "undefined":
      return `leaves open where a path pattern stands among rules: this one could get requests meant for ${before}`;
    case "tied":
      return earlier.group === later.group
        ? undefined
        : `needs separate routes for different retries, without an order: this one could get requests meant for ${before}`;
    case "none":
      return undefined;
    default:
      return result satisfies never;
  }
}

function placeOf(route: Route, host: Host): SourcePlace | undefined {
  return route.where ?? host.where;
}
