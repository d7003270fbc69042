/** Names and ports that two want: the first in order keeps them, the other gets a problem. */
import { memoize } from "../lib/memoize.ts";
import type { Problem } from "../lib/problem.ts";
import type { App, GatewaySettings } from "../model/world.ts";
import { appDestinations } from "./hosts.ts";
import type { GatewayTcp, Host } from "./mesh-plan.ts";

interface NamedHosts {
  readonly hosts: readonly Host[];
  readonly problems: readonly Problem[];
}

/** Takes out hosts whose name another has in the same namespace, and from public hosts the gateway's host names that another has. */
export function withoutClashes(hosts: readonly Host[]): NamedHosts {
  const named = withoutNameClashes(hosts);
  const domains = withoutDomainClashes(named.hosts);
  return { hosts: domains.hosts, problems: [...named.problems, ...domains.problems] };
}

function withoutNameClashes(hosts: readonly Host[]): NamedHosts {
  const owners = new Map<string, Host>();
  const problems: Problem[] = [];
  for (const host of hosts) {
    const key = `${host.namespace}/${host.name}`;
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, host);
    else
      problems.push(
        problem("name-clash", `the ${host.kind} ${host.name} in namespace ${host.namespace} cannot be called: ${describe(owner)} has that name`, host),
      );
  }
  return { hosts: [...owners.values()], problems };
}

function withoutDomainClashes(hosts: readonly Host[]): NamedHosts {
  const owners = new Map<string, Host>();
  const problems: Problem[] = [];
  const own = (host: Host): Host => {
    const taken = new Set<string>();
    for (const domain of host.domains) {
      const owner = owners.get(domain.toLowerCase());
      if (owner === undefined) owners.set(domain.toLowerCase(), host);
      else {
        taken.add(domain);
        problems.push(
          problem("domain-clash", `the gateway's host name ${domain} belongs to ${describe(owner)}; the ${host.kind} ${host.name} cannot have it`, host),
        );
      }
    }
    return taken.size === 0 ? host : { ...host, domains: host.domains.filter((domain) => !taken.has(domain)) };
  };
  return { hosts: hosts.map((host) => (host.public ? own(host) : host)), problems };
}

function problem(code: string, message: string, host: Host): Problem {
  return { code, message, hint: "rename one of them", ...(host.where === undefined ? {} : { where: host.where }) };
}

function describe(host: Host): string {
  return host.kind === "version" ? `version ${host.app}@${host.version}` : `the ${host.kind} ${host.name}`;
}

/** Public TCP ports of the gateway. Its own HTTP port is taken. */
export function gatewayTcp(apps: readonly App[], gateway: GatewaySettings): { readonly ports: readonly GatewayTcp[]; readonly problems: readonly Problem[] } {
  const owners = new Map<number, App>();
  const ports: GatewayTcp[] = [];
  const problems: Problem[] = [];
  for (const app of apps) {
    for (const wanted of publicTcpPorts(app)) {
      const owner = owners.get(wanted.port);
      if (owner === undefined && wanted.port !== gateway.port) {
        owners.set(wanted.port, app);
        ports.push(wanted);
      } else problems.push(portClash(wanted.port, owner === undefined ? "HTTP" : owner.name, app));
    }
  }
  return { ports, problems };
}

const publicTcpPorts = memoize((app: App): readonly GatewayTcp[] => {
  const services = [...app.versions.values()].filter((service) => service.public);
  const ports = new Set(services.flatMap((service) => service.ports.filter((port) => port.protocol === "tcp").map((port) => port.port)));
  return [...ports].map((port) => ({ port, destinations: appDestinations(app, port) }));
});

function portClash(port: number, owner: string, app: App): Problem {
  return {
    code: "port-clash",
    message: `port ${port} of the gateway belongs to ${owner}; ${app.name} cannot be reached through it`,
    hint: "give one of them another port, or `public: false`",
  };
}
