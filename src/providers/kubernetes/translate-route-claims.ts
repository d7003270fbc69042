/** Which of the routes that want one port of a Service have it, and what decides there then. */
import type { GatewayTarget } from "../../model/gateway.ts";
import type { PortRules } from "../../model/service-route.ts";
import type { KubeRoute } from "./route-objects.ts";
import { byAge } from "./translate-age.ts";
import type { Because } from "./translate-because.ts";
import { domainsOf } from "./translate-gateway-hostnames.ts";
import { byRank, type RankedRule } from "./translate-route-rules.ts";

/** A route that wants a port. */
export interface Claim {
  readonly route: KubeRoute;
  /** Of HTTP and gRPC. */
  readonly rules: readonly RankedRule[];
  /** Of TLS and TCP. */
  readonly target: GatewayTarget;
}

export interface Settled {
  readonly rules: PortRules;
  /** Routes that do not have the port, and why. */
  readonly beaten: ReadonlyMap<KubeRoute, Because>;
}

/** The more special kind first, as the Gateway API says for routes of one Service's port (GEP-1294, "Route types"). */
const kinds: readonly KubeRoute["kind"][] = ["GRPCRoute", "HTTPRoute", "TLSRoute", "TCPRoute"];

/**
 * Settles who has a port that all of `claims` want; there is at least one. Only the most special kind of route has it. Requests find the rules of all routes
 * of that kind; a server name, and a port of TCP, is the oldest route's.
 */
export function settle(claims: readonly [Claim, ...Claim[]]): Settled {
  const kind = kinds.find((one) => claims.some(({ route }) => route.kind === one)) ?? claims[0].route.kind;
  const [all, others] = [claims.filter(({ route }) => route.kind === kind), claims.filter(({ route }) => route.kind !== kind)];
  const own = [...new Map(all.map((claim) => [claim.route, claim])).values()].toSorted((a, b) => byAge(a.route, b.route)) as [Claim, ...Claim[]];
  const { rules, late } = between(kind, own);
  const lost = others.map(({ route }) => [route, conflict(`a ${kind} is attached to the same port, and only one kind of route can be`)] as const);
  return { rules, beaten: new Map([...lost, ...late]) };
}

type Between = { readonly rules: PortRules; readonly late: readonly (readonly [KubeRoute, Because])[] };

/** `claims` are of one kind, the oldest first. */
function between(kind: KubeRoute["kind"], claims: readonly [Claim, ...Claim[]]): Between {
  switch (kind) {
    case "GRPCRoute":
    case "HTTPRoute": {
      const rules = claims.flatMap((one) => one.rules).toSorted((a, b) => byRank(a.rank, b.rank));
      return { rules: { kind: "http", rules: rules.map(({ rule }) => rule) }, late: [] };
    }
    case "TLSRoute":
      return byServerName(claims);
    case "TCPRoute": {
      const [first, ...rest] = claims;
      const message = `the older TCPRoute ${nameOf(first.route)} has the port`;
      return { rules: { kind: "tcp", target: first.target }, late: rest.map(({ route }) => [route, conflict(message)]) };
    }
    default:
      return kind satisfies never;
  }
}

function byServerName(claims: readonly Claim[]): Between {
  const owners = new Map<string, Claim>();
  for (const claim of claims) for (const domain of domainsOf(claim.route)) if (!owners.has(domain)) owners.set(domain, claim);
  const has = new Set(owners.values());
  const servers = [...owners].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([domain, { target }]) => ({ domain, target }));
  const late = claims
    .filter((claim) => !has.has(claim))
    .map(({ route }) => [route, conflict("older TLSRoutes have all of its hostnames at the port")] as const);
  return { rules: { kind: "tls", servers }, late };
}

function conflict(message: string): Because {
  return { reason: "Conflicted", message };
}

function nameOf({ namespace, name }: KubeRoute): string {
  return `${namespace}/${name}`;
}
