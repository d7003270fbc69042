/** Which routes are attached to which listeners of a Gateway, and what to say of those that are not. */
import type { GatewayTarget } from "../../model/gateway.ts";
import { gatewayController, type KubeSelector } from "./gateway-objects.ts";
import type { KubeNamespace, KubeService, Objects } from "./objects.ts";
import { gatewayGroup, type KubeParentRef, type KubeParentStatus, type KubeReferenceGrant, type KubeRoute } from "./route-objects.ts";
import { type Because, because } from "./translate-because.ts";
import { domainsOf, intersection } from "./translate-gateway-hostnames.ts";
import { isOwn, type JudgedListener, type ListenerOwner } from "./translate-gateway-listeners.ts";
import { Unsupported } from "./translate-route-match.ts";
import { resolverFor } from "./translate-route-refs.ts";
import { type RankedRule, type RefProblem, translateRules, translateTarget } from "./translate-route-rules.ts";

/** A route at one of a Gateway's listeners. */
export interface AtListener {
  readonly listener: JudgedListener;
  /** The names that both mean. */
  readonly domains: readonly string[];
}

/** One of a route's parents that is a Gateway of ours. */
export interface GatewayAttachment {
  readonly route: KubeRoute;
  readonly parent: KubeParentRef;
  /** Empty: it is not accepted. */
  readonly at: readonly AtListener[];
  /** Of HTTP and gRPC. */
  readonly rules: readonly RankedRule[];
  /** Of TLS and TCP. */
  readonly target: GatewayTarget;
  readonly problem?: Because;
  readonly refs: readonly RefProblem[];
}

/** What attachments are decided by. */
export interface AttachWorld {
  readonly namespaces: Objects<KubeNamespace>;
  readonly grants: Objects<KubeReferenceGrant>;
  readonly services: Objects<KubeService>;
}

const nowhere: GatewayTarget = { destinations: [], refused: 10_000 };

/** Says whether a parent is this Gateway or ListenerSet. */
export function isParent({ group, kind, namespace, name }: Omit<KubeParentRef, "said">, owner: ListenerOwner): boolean {
  return group === gatewayGroup && kind === owner.kind && namespace === owner.namespace && name === owner.name;
}

/** Attaches a route to the listeners that its parent, the Gateway itself or one of its ListenerSets, means. */
export function attachToGateway(
  route: KubeRoute,
  parent: KubeParentRef,
  owner: ListenerOwner,
  listeners: readonly JudgedListener[],
  world: AttachWorld,
): GatewayAttachment {
  const found = findListeners(route, parent, owner, listeners, world);
  const none = { route, parent, at: [], rules: [], target: nowhere, refs: [] };
  if ("reason" in found) return { ...none, problem: found };
  const resolve = resolverFor(route, route.namespace, world.grants, world.services);
  if (route.kind === "TLSRoute" || route.kind === "TCPRoute") {
    const { target, problems } = translateTarget(route, resolve);
    return { ...none, at: found.at, target, refs: problems };
  }
  const translated = translateRules(route, resolve);
  if (translated instanceof Unsupported) return { ...none, problem: { reason: "UnsupportedValue", message: translated.message } };
  return { ...none, at: found.at, rules: translated.rules, refs: translated.problems };
}

function findListeners(
  route: KubeRoute,
  { section, port }: KubeParentRef,
  owner: ListenerOwner,
  listeners: readonly JudgedListener[],
  { namespaces }: AttachWorld,
): { readonly at: readonly AtListener[] } | Because {
  const name = `${owner.kind} ${owner.namespace}/${owner.name}`;
  const own = listeners.filter((one) => isOwn(one, owner));
  if (own.length === 0) return { reason: "NoMatchingParent", message: `${name} is not accepted by its Gateway` };
  const meant = own.filter((one) => (section === undefined || one.name === section) && (port === undefined || one.port === port));
  if (meant.length === 0) return { reason: "NoMatchingParent", message: `${name} has no such listener` };
  const labels = namespaces.get(route.namespace)?.labels ?? {};
  const open = meant.filter((one) => one.kinds.includes(route.kind) && takesFrom(one.said, route.namespace, labels, owner.namespace));
  if (open.length === 0)
    return { reason: "NotAllowedByListeners", message: `no listener of ${name} that is meant takes a ${route.kind} of ${route.namespace}` };
  const at = open.map((listener) => ({ listener, domains: domainsAt(route, listener) })).filter(({ domains }) => domains.length > 0);
  if (at.length === 0) return { reason: "NoMatchingListenerHostname", message: `no listener of ${name} that is meant has a hostname in common with the route` };
  return { at };
}

/** Whether what is in `namespace`, which has these labels, may be attached. */
export function takesFrom(
  { from, selector }: { readonly from: "None" | "Same" | "All" | "Selector"; readonly selector: KubeSelector },
  namespace: string,
  labels: Readonly<Record<string, string>>,
  own: string,
): boolean {
  if (from === "All") return true;
  if (from === "None") return false;
  return from === "Same" ? namespace === own : selects(selector, labels);
}

function selects({ labels: wanted, expressions }: KubeSelector, labels: Readonly<Record<string, string>>): boolean {
  const fits = ({ key, operator, values }: KubeSelector["expressions"][number]): boolean => {
    const value = labels[key];
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
      default:
        return false;
    }
  };
  return Object.entries(wanted).every(([key, value]) => labels[key] === value) && expressions.every(fits);
}

function domainsAt(route: KubeRoute, { domain }: JudgedListener): readonly string[] {
  return [...new Set(domainsOf(route).flatMap((name) => intersection(name, domain) ?? []))];
}

/** What a route's status says of a Gateway. */
export function gatewayParentStatus({ route, parent, problem, refs: [ref] }: GatewayAttachment): KubeParentStatus {
  const { generation } = route;
  const conditions = [because("Accepted", generation, problem), because("ResolvedRefs", generation, ref)];
  return { controller: gatewayController, parentRef: parent.said, conditions };
}
