/** World → MeshPlan: the only place that decides anything about traffic. */
import type { Problem } from "../lib/problem.ts";
import type { App, Endpoint, World } from "../model/world.ts";
import type { ExternalService } from "../model/types.ts";
import { versionKey } from "../model/names.ts";
import { externalBackends, readyEndpoints, versionBackends } from "./backends.ts";
import { appDestinations, appHosts, externalHost } from "./hosts.ts";
import type { Backend, BackendId, GatewayTcp, Host, MeshPlan } from "./mesh-plan.ts";
import { routerHost } from "./routers.ts";

export interface Compiled {
  readonly plan: MeshPlan;
  /** The plan stands all the same: what a problem concerns answers with an error of its own. */
  readonly problems: readonly Problem[];
}

/** Decides everything about traffic. Equal Worlds give equal plans, in the same order; what an unchanged app or external service became before is reused by reference. */
export function compileWorld(world: World): Compiled {
  const apps = sorted(world.apps).map(([, app]) => app);
  const externals = sorted(world.externals).map(([, external]) => external);
  const routers = sorted(world.routers).map(([, router]) => routerHost(router, world));
  const backends = [...apps.flatMap(backendsOfApp), ...externals.flatMap(backendsOfExternal)];
  const hosts = [...apps.flatMap((app) => hostsOfApp(app, world)), ...routers.map(({ host }) => host), ...externals.map((external) => externalHost(external, world.addresses))];
  const named = withoutClashes(hosts);
  const tcp = gatewayTcp(apps);
  const plan = { hosts: named.hosts, backends, captures: world.captures, gateway: world.gateway, gatewayTcp: tcp.ports, endpoints: compileEndpoints(world, backends) };
  return { plan, problems: [...routers.flatMap(({ problems }) => problems), ...named.problems, ...tcp.problems] };
}

/** The fast path: what changes when a workload becomes ready or goes. Every backend of a version has an entry; the same Endpoint list gives the same reference. */
export function compileEndpoints(world: World, backends: readonly Backend[]): ReadonlyMap<BackendId, readonly Endpoint[]> {
  const result = new Map<BackendId, readonly Endpoint[]>();
  for (const backend of backends) {
    if (backend.kind !== "version") continue;
    result.set(backend.id, readyOf(world.endpoints.get(versionKey(backend.namespace, backend.app, backend.version)) ?? none));
  }
  return result;
}

const none: readonly Endpoint[] = [];
const readyOf = memoize(readyEndpoints);
const backendsOfExternal = memoize((external: ExternalService) => externalBackends(external));
const backendsOfApp = memoize((app: App) => [...app.versions.values()].sort((a, b) => (a.version < b.version ? -1 : 1)).flatMap(versionBackends));

const hostsByApp = new WeakMap<App, { readonly addresses: World["addresses"]; readonly gateway: World["gateway"]; readonly hosts: readonly Host[] }>();

function hostsOfApp(app: App, world: World): readonly Host[] {
  const before = hostsByApp.get(app);
  if (before !== undefined && before.addresses === world.addresses && before.gateway === world.gateway) return before.hosts;
  const hosts = appHosts(app, world.addresses, world.gateway);
  hostsByApp.set(app, { addresses: world.addresses, gateway: world.gateway, hosts });
  return hosts;
}

/** Remembers results by the identity of an immutable argument. */
function memoize<Argument extends object, Value>(compute: (argument: Argument) => Value): (argument: Argument) => Value {
  const known = new WeakMap<Argument, Value>();
  return (argument) => {
    const before = known.get(argument);
    if (before !== undefined) return before;
    const value = compute(argument);
    known.set(argument, value);
    return value;
  };
}

function sorted<Key extends string, Value>(map: ReadonlyMap<Key, Value>): readonly (readonly [Key, Value])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Two hosts of one name in one namespace: the first keeps it. */
function withoutClashes(hosts: readonly Host[]): { readonly hosts: readonly Host[]; readonly problems: readonly Problem[] } {
  const owners = new Map<string, Host>();
  const problems: Problem[] = [];
  for (const host of hosts) {
    const key = `${host.namespace}/${host.name}`;
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, host);
    else problems.push(clash(host, owner));
  }
  return { hosts: [...owners.values()], problems };
}

function clash(host: Host, owner: Host): Problem {
  return {
    code: "name-clash",
    message: `the ${host.kind} ${host.name} in namespace ${host.namespace} cannot be called: ${describe(owner)} has that name`,
    hint: "rename one of them",
    ...(host.where === undefined ? {} : { where: host.where }),
  };
}

function describe(host: Host): string {
  return host.kind === "version" ? `version ${host.app}@${host.version}` : `the ${host.kind} ${host.name}`;
}

/** Public TCP ports of the gateway; the first app in order keeps a port that two want. */
function gatewayTcp(apps: readonly App[]): { readonly ports: readonly GatewayTcp[]; readonly problems: readonly Problem[] } {
  const owners = new Map<number, App>();
  const problems: Problem[] = [];
  for (const app of apps) {
    const wanted = [...app.versions.values()].filter((service) => service.public).flatMap((service) => service.ports.filter((port) => port.protocol === "tcp").map((port) => port.port));
    for (const port of new Set(wanted)) {
      const owner = owners.get(port);
      if (owner === undefined) owners.set(port, app);
      else problems.push({ code: "port-clash", message: `port ${port} of the gateway belongs to ${owner.name}; ${app.name} cannot be reached through it`, hint: "give one of them another port, or `public: false`" });
    }
  }
  return { ports: [...owners].map(([port, app]) => ({ port, destinations: appDestinations(app, port) })), problems };
}
