/** What a gateway calls by TLS: backends of ports that say so get a name of their own there, so that the same backend can also be called as it is. */
import { memoizeLast } from "../lib/memoize.ts";
import type { BackendTls, SecuredPort } from "../model/gateway.ts";
import { fullWeight } from "../model/weights.ts";
import { versionBackendId } from "./backends.ts";
import type { PlannedHost, PlannedPort, PlannedServer } from "./gateway-plan.ts";
import type { BackendId, PlannedTarget, Route, WeightedBackend } from "./mesh-plan.ts";
import type { Destination } from "./service-routes.ts";
import { rescale } from "./weights.ts";

/** How backends are called; those that are not in it as they are. */
export type Security = ReadonlyMap<BackendId, BackendTls | "refused">;

/** A backend under its name for calls by TLS. */
export interface SecuredUse {
  readonly id: BackendId;
  readonly backend: BackendId;
  /** What is inside. */
  readonly carries: "http" | "tcp";
  readonly tls: BackendTls;
}

/** A port of a gateway with the names that its backends have. */
export interface SecuredPlan {
  readonly port: PlannedPort;
  readonly uses: readonly SecuredUse[];
}

/** Says how backends are called. `destinations` are what `ports` name, as far as it is there. */
export const securityOf: (ports: readonly SecuredPort[], ...destinations: readonly Destination[]) => Security = memoizeLast(
  (ports: readonly SecuredPort[], ...destinations: readonly Destination[]) => {
    const said = (to: Destination, name: string): readonly (readonly [BackendId, BackendTls | "refused"])[] =>
      ports
        .filter((one) => one.namespace === to.namespace && one.name === name)
        .flatMap(({ port, tls }) =>
          "versions" in to
            ? [...to.versions.keys()].map((version) => [versionBackendId(to.namespace, to.name, version, port), tls] as const)
            : [[versionBackendId(to.namespace, to.app, to.version, port), tls] as const],
        );
    const apps = destinations.flatMap((to) => ("versions" in to ? said(to, to.name) : []));
    const versions = destinations.flatMap((to) => ("versions" in to ? [] : said(to, `${to.app}-${to.version}`)));
    return new Map([...apps, ...versions]);
  },
);

/** Gives what a port leads to the names that it is called by. The same objects where nothing is called by TLS. */
export const securePort: (port: PlannedPort, security: Security) => SecuredPlan = memoizeLast((port: PlannedPort, security: Security) => {
  const uses = new Map<BackendId, SecuredUse>();
  const nameOf = (backend: BackendId, carries: SecuredUse["carries"]): BackendId | undefined => {
    const tls = security.get(backend);
    if (tls === undefined) return backend;
    if (tls === "refused") return undefined;
    const id = `${backend}/${carries === "http" ? "https" : "tls"}` as BackendId;
    uses.set(id, { id, backend, carries, tls });
    return id;
  };
  const named = security.size === 0 ? port : portNamed(port, nameOf);
  return { port: named, uses: [...uses.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
});

/** Undefined: it may not be called at all. */
type NameOf = (backend: BackendId, carries: SecuredUse["carries"]) => BackendId | undefined;

function portNamed(port: PlannedPort, nameOf: NameOf): PlannedPort {
  // Whole connections go on as they came: TLS that is in them is between their two ends.
  if (port.kind === "tcp") return port;
  if (port.kind === "http") return { ...port, hosts: port.hosts.map((host) => hostNamed(host, nameOf)) };
  return { ...port, servers: port.servers.map((server) => serverNamed(server, nameOf)) };
}

function serverNamed(server: PlannedServer, nameOf: NameOf): PlannedServer {
  switch (server.kind) {
    case "https":
      return { ...server, hosts: server.hosts.map((host) => hostNamed(host, nameOf)) };
    case "terminate":
      return { ...server, target: sharesNamed(server.target, (backend) => nameOf(backend, "tcp")) };
    case "passthrough":
      return server;
    default:
      return server satisfies never;
  }
}

function hostNamed({ domain, routes }: PlannedHost, nameOf: NameOf): PlannedHost {
  return { domain, routes: routes.map((route) => routeNamed(route, (backend) => nameOf(backend, "http"))) };
}

function routeNamed(route: Route, nameOf: (backend: BackendId) => BackendId | undefined): Route {
  const { action } = route;
  if (action.kind === "redirect") return route;
  const { destinations, refused } = sharesNamed({ destinations: action.destinations, refused: action.refused ?? 0 }, nameOf);
  const mirrors = action.mirrors?.flatMap((mirror) => {
    const backend = nameOf(mirror.backend);
    return backend === undefined ? [] : [{ ...mirror, backend }];
  });
  const { refused: _, mirrors: __, ...rest } = action;
  return {
    ...route,
    action: { ...rest, destinations, ...(refused === 0 ? {} : { refused }), ...(mirrors === undefined || mirrors.length === 0 ? {} : { mirrors }) },
  };
}

function sharesNamed({ destinations, refused }: PlannedTarget, nameOf: (backend: BackendId) => BackendId | undefined): PlannedTarget {
  const kept = destinations.flatMap((destination): readonly WeightedBackend[] => {
    const backend = nameOf(destination.backend);
    return backend === undefined ? [] : [{ ...destination, backend }];
  });
  const lost = kept.length === destinations.length ? 0 : fullWeight - kept.reduce((sum, { weight }) => sum + weight, 0);
  return { destinations: lost === 0 ? kept : rescale(kept), refused: refused + Math.round(((fullWeight - refused) * lost) / fullWeight) };
}
