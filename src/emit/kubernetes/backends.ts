/** Backends of a plan by id, and what routes to them look like. */
import { safeRetries } from "../../compile/defaults.ts";
import type { Backend, BackendId, Host, HostPort, MeshPlan, Route } from "../../compile/mesh-plan.ts";
import type { Retries } from "../../model/types.ts";

export type Backends = ReadonlyMap<BackendId, Backend>;

/** Indexes a plan's backends. */
export function backendsOf(plan: MeshPlan): Backends {
  return new Map(plan.backends.map((backend) => [backend.id, backend]));
}

/** The backend with that id. Throws when the plan does not hold it: the compiler's bug, not the user's. */
export function backendOf(backends: Backends, id: BackendId): Backend {
  const backend = backends.get(id);
  if (backend === undefined) throw new Error(`the plan names backend ${id} but does not hold it`);
  return backend;
}

/** The backends that one port of a host can reach, in the order of its routes. */
export function reachedFrom(port: HostPort, backends: Backends): readonly Backend[] {
  const destinations = port.kind === "tcp" ? port.destinations : port.routes.flatMap(({ action }) => (action.kind === "forward" ? action.destinations : []));
  return destinations.map(({ backend }) => backendOf(backends, backend));
}

/** Says whether a route does nothing but hand every request to its one destination. */
export function isPlainRoute(route: Route): boolean {
  const { action } = route;
  return (
    action.kind === "forward" &&
    route.match.length === 0 &&
    action.destinations.length === 1 &&
    action.rewrite === undefined &&
    action.destinations.every(({ authority }) => authority === undefined) &&
    askedRetries(route) === undefined &&
    action.timeoutMs === 0 &&
    changesNothing(route.requestHeaders) &&
    changesNothing(route.responseHeaders)
  );
}

/**
 * The retries that the file asks for. Weir's own default, retries that are safe for every request, is left to each mesh's
 * own default: undefined, as where a route does not forward.
 */
export function askedRetries({ action }: Route): Retries | undefined {
  if (action.kind === "redirect" || action.retries === undefined) return undefined;
  const { attempts, on, perTryTimeoutMs } = action.retries;
  const isDefault = attempts === safeRetries.attempts && perTryTimeoutMs === undefined && on.join() === safeRetries.on.join();
  return isDefault ? undefined : action.retries;
}

/** The Host header that a route's destinations expect: all the same one (undefined: the caller's), or each its own. */
export type Authority = { readonly kind: "one"; readonly value: string | undefined } | { readonly kind: "mixed" };

/** What a forwarding route's destinations expect in the Host header; a rewrite that the file asks for goes before. */
export function authorityOf({ action }: Route): Authority {
  if (action.kind === "redirect") return { kind: "one", value: undefined };
  if (action.rewrite?.host !== undefined) return { kind: "one", value: action.rewrite.host };
  const [first, ...others] = new Set(action.destinations.map(({ authority }) => authority));
  return others.length === 0 ? { kind: "one", value: first } : { kind: "mixed" };
}

/**
 * The hosts that can be called, each with the ports that lead somewhere. A port that only a version at 0 % has leads
 * nowhere under the app's name, and a host without ports needs no Service.
 */
export function callableHosts(plan: MeshPlan): readonly Host[] {
  return plan.hosts.map((host) => ({ ...host, ports: host.ports.filter(leadsSomewhere) })).filter(({ ports }) => ports.length > 0);
}

function leadsSomewhere(port: HostPort): boolean {
  if (port.kind === "tcp") return port.destinations.length > 0;
  return port.routes.some(({ action }) => action.kind === "redirect" || action.destinations.length > 0);
}

/** Says whether header changes are empty. */
export function changesNothing(changes: Route["requestHeaders"]): boolean {
  return changes.add.length === 0 && changes.set.length === 0 && changes.remove.length === 0;
}

/**
 * Says whether the host's own Service already does all that the plan wants, so that no route object is needed. Never
 * for an app: its Service selects every version, also one that gets its weight later.
 */
export function isPlainHost(host: Host): boolean {
  if (host.kind === "app" || host.kind === "router") return false;
  return host.ports.every((port) => (port.kind === "tcp" ? port.destinations.length === 1 : port.routes.length === 1 && port.routes.every(isPlainRoute)));
}
