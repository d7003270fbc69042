/** World → MeshPlan: the only place that decides anything about traffic. */
import { sameFields, shareList } from "../lib/memoize.ts";
import type { Problem } from "../lib/problem.ts";
import { versionKey } from "../model/names.ts";
import type { App, CapturePoint, Endpoint, World } from "../model/world.ts";
import { externalBackends, readyEndpoints, versionBackends } from "./backends.ts";
import { gatewayTcp, withoutClashes } from "./clashes.ts";
import { appHosts, externalHost } from "./hosts.ts";
import type { Backend, BackendId, MeshPlan } from "./mesh-plan.ts";
import { routerHost } from "./routers.ts";
import { hostsForCallers, routedPorts } from "./service-routes.ts";

export interface Compiled {
  readonly plan: MeshPlan;
  /** The plan stands all the same: what a problem concerns answers with an error of its own. */
  readonly problems: readonly Problem[];
}

/**
 * Decides everything about traffic. Equal Worlds give equal plans, in the same order. What an unchanged app, router or external service became before
 * is reused by reference; so are the lists of `before`, the plan of the World before this one, whose elements are all the same.
 */
export function compileWorld(world: World, before?: Compiled): Compiled {
  const apps = sorted(world.apps);
  const externals = sorted(world.externals);
  const routers = sorted(world.routers).map((router) => routerHost(router, world));
  const backends = shareList(before?.plan.backends, [...apps.flatMap(backendsOfApp), ...externals.flatMap(externalBackends)]);
  const externalHosts = externals.map((external) => externalHost(external, world.addresses));
  const named = withoutClashes([
    ...apps.flatMap((app) => appHosts(app, world.addresses, world.gateway, (name) => routedPorts(app.namespace, name, world))),
    ...routers.map(({ host }) => host),
    ...externalHosts,
  ]);
  const tcp = gatewayTcp(apps, world.gateway);
  const hosts = shareList(before?.plan.hosts, named.hosts);
  const plan: MeshPlan = {
    hosts,
    hostsFor: hostsForCallers(hosts, world, before?.plan.hostsFor ?? new Map()),
    backends,
    captures: shareCaptures(before?.plan.captures, world.captures),
    gateway: world.gateway,
    gatewayTcp: shareList(before?.plan.gatewayTcp, tcp.ports),
    endpoints: compileEndpoints(world, backends),
  };
  return { plan, problems: [...routers.flatMap(({ problems }) => problems), ...named.problems, ...tcp.problems] };
}

/** The fast path: what changes when a workload becomes ready or goes. Every backend of a version has an entry; the same Endpoint list gives the same reference. */
export function compileEndpoints(world: World, backends: readonly Backend[]): ReadonlyMap<BackendId, readonly Endpoint[]> {
  const result = new Map<BackendId, readonly Endpoint[]>();
  for (const backend of backends) {
    if (backend.kind === "version")
      result.set(backend.id, readyEndpoints(world.endpoints.get(versionKey(backend.namespace, backend.app, backend.version)) ?? none));
  }
  return result;
}

const none: readonly Endpoint[] = [];

function backendsOfApp(app: App): readonly Backend[] {
  return [...app.versions.values()].sort((a, b) => (a.version < b.version ? -1 : 1)).flatMap(versionBackends);
}

/** Registries make capture points anew for every World; those that say the same keep their identity. */
function shareCaptures(before: readonly CapturePoint[] | undefined, after: readonly CapturePoint[]): readonly CapturePoint[] {
  const known = new Map(before?.map((capture) => [capture.workload, capture]));
  const shared = after.map((capture) => {
    const same = known.get(capture.workload);
    return same !== undefined && sameFields(same, capture) ? same : capture;
  });
  return shareList(before, shared);
}

/** The values in the order of their keys. */
function sorted<Key extends string, Value>(map: ReadonlyMap<Key, Value>): readonly Value[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
