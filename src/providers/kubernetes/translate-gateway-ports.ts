/** Judged listeners and the routes at them → what answers on each of a Gateway's ports. */
import { memoizeLast } from "../../lib/memoize.ts";
import type { GatewayHost, GatewayPort, GatewayRule, GatewayTarget, TlsServer } from "../../model/gateway.ts";
import { optional } from "./readers.ts";
import type { KubeRoute } from "./route-objects.ts";
import { byAge } from "./translate-age.ts";
import type { GatewayAttachment } from "./translate-gateway-attach.ts";
import { bySpecificity, mostSpecific } from "./translate-gateway-hostnames.ts";
import { isServed, type JudgedListener } from "./translate-gateway-listeners.ts";
import { byRank, type RankedRule } from "./translate-route-rules.ts";

/** The ports of all listeners that are served, sorted. */
export function gatewayPorts(listeners: readonly JudgedListener[], attachments: readonly GatewayAttachment[]): readonly GatewayPort[] {
  const served = Map.groupBy(listeners.filter(isServed), ({ port }) => port);
  return [...served].toSorted(([a], [b]) => a - b).map(([port, group]) => gatewayPort(port, group, attachments));
}

function gatewayPort(port: number, group: readonly JudgedListener[], attachments: readonly GatewayAttachment[]): GatewayPort {
  const [first] = group;
  if (first?.mode === "http") return { kind: "http", port, hosts: group.flatMap((listener) => hostsAt(listener, group, attachments)) };
  // Only one listener can have it: more than one are in conflict.
  if (first?.mode === "tcp") return { kind: "tcp", port, target: targetAt(first, "*", attachments) };
  return { kind: "tls", port, servers: group.flatMap((listener) => serversAt(listener, group, attachments)) };
}

/** Routes at a listener, the oldest first. */
function attachedTo(listener: JudgedListener, attachments: readonly GatewayAttachment[]): readonly AttachedRoute[] {
  const found = attachments.flatMap((attachment) =>
    attachment.at.filter((at) => at.listener === listener).map(({ domains }) => ({ route: attachment.route, domains, attachment })),
  );
  return found.toSorted((a, b) => byAge(a.route, b.route));
}

interface AttachedRoute {
  readonly route: KubeRoute;
  readonly domains: readonly string[];
  readonly attachment: GatewayAttachment;
}

/**
 * The hosts of one listener: its own name and those of its routes, as far as no other listener of the port is more special for them. A request is answered
 * by one listener's routes only.
 */
function hostsAt(listener: JudgedListener, group: readonly JudgedListener[], attachments: readonly GatewayAttachment[]): readonly GatewayHost[] {
  const attached = attachedTo(listener, attachments);
  const domains = new Set([listener.domain, ...attached.flatMap((one) => one.domains)]);
  const all = group.map(({ domain }) => domain);
  return [...domains]
    .filter((domain) => mostSpecific(all, domain) === listener.domain)
    .toSorted()
    .map((domain) => ({ domain, rules: rulesFor(domain, listener, attached) }));
}

/** Rules of the routes that mean all of a domain: those that name it most exactly first, then as their matches say, then the oldest route's. */
function rulesFor(domain: string, listener: JudgedListener, attached: readonly AttachedRoute[]): readonly GatewayRule[] {
  const meant = attached.flatMap(({ domains, attachment }) => {
    const name = mostSpecific(domains, domain);
    return name === undefined ? [] : attachment.rules.map((ranked) => ({ name, ranked }));
  });
  const sorted = meant.toSorted((a, b) => bySpecificity(a.name, b.name) || byRank(a.ranked.rank, b.ranked.rank));
  const scheme = listener.mode === "https" ? "https" : "http";
  return sorted.map(({ ranked }) => ruleAt(ranked, listener.port, scheme));
}

const usualPorts = { http: 80, https: 443 } as const;

/** A redirect without a port leads to the usual one of its scheme, or to the listener's own. Where both are usual, Envoy's own way leads there. */
const ruleAt = memoizeLast(({ rule }: RankedRule, port: number, scheme: "http" | "https"): GatewayRule => {
  const { action } = rule;
  if (action.kind !== "redirect" || action.redirect.port !== undefined || port === usualPorts[scheme]) return rule;
  const wanted = action.redirect.scheme === undefined ? port : usualPorts[action.redirect.scheme];
  return { ...rule, action: { ...action, redirect: { ...action.redirect, port: wanted } } };
});

function serversAt(listener: JudgedListener, group: readonly JudgedListener[], attachments: readonly GatewayAttachment[]): readonly TlsServer[] {
  const { id, domain, certificates, clients, mode } = listener;
  if (mode === "https") {
    const others = group.filter((other) => other !== listener && other.mode === "https");
    const misdirected = others.map((other) => other.domain).toSorted();
    return [{ kind: "https", name: id, domain, certificates, ...optional("clients", clients), hosts: hostsAt(listener, group, attachments), misdirected }];
  }
  const all = group.map((other) => other.domain);
  const domains = new Set(attachedTo(listener, attachments).flatMap((one) => one.domains));
  return [...domains]
    .filter((one) => mostSpecific(all, one) === domain)
    .toSorted()
    .map((one) => {
      const server = { name: `${id}/${one}`, domain: one, target: targetAt(listener, one, attachments) };
      return mode === "terminate" ? { kind: "terminate", ...server, certificates } : { kind: "passthrough", ...server };
    });
}

/** The oldest route that names the domain has it. */
function targetAt(listener: JudgedListener, domain: string, attachments: readonly GatewayAttachment[]): GatewayTarget {
  const found = attachedTo(listener, attachments).find(({ domains }) => domains.includes(domain));
  return found?.attachment.target ?? { destinations: [], refused: 10_000 };
}

/**
 * Attachments whose names at a listener all belong to an older route of another kind (HTTP and gRPC cannot share a name: their rules have no order among
 * each other) are taken off it.
 */
export function withoutMixedKinds(attachments: readonly GatewayAttachment[]): readonly GatewayAttachment[] {
  const owners = new Map<string, KubeRoute["kind"]>();
  const oldest = attachments.toSorted((a, b) => byAge(a.route, b.route));
  for (const { route, at } of oldest) {
    for (const { listener, domains } of at) {
      for (const domain of domains) {
        const key = `${listener.id}/${domain}`;
        if (!owners.has(key)) owners.set(key, route.kind);
      }
    }
  }
  return attachments.map((attachment) => {
    const left = attachment.at
      .map(({ listener, domains }) => ({ listener, domains: domains.filter((domain) => owners.get(`${listener.id}/${domain}`) === attachment.route.kind) }))
      .filter(({ domains }) => domains.length > 0);
    const isWhole = left.length === attachment.at.length && left.every(({ domains }, index) => domains.length === attachment.at[index]?.domains.length);
    if (isWhole) return attachment;
    if (left.length > 0) return { ...attachment, at: left };
    return { ...attachment, at: [], problem: { reason: "Conflicted", message: "an older route of another kind has its hostnames at the same listeners" } };
  });
}
