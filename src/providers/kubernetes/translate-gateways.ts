/** Gateway API's Gateways of our classes with their routes → what their proxies should do, what should run for them, and what statuses should say. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { memoizeLast, shareMap } from "../../lib/memoize.ts";
import type { GatewayPort, SecuredPort, ServerCertificate } from "../../model/gateway.ts";
import type { KubeBackendTlsPolicy, KubeRoots } from "./backend-tls-objects.ts";
import { gatewayController, type KubeGateway, type KubeGatewayClass, type KubeListenerSet, type KubeTlsSecret } from "./gateway-objects.ts";
import type { ClusterView, KubeNamespace, KubeService, Objects } from "./objects.ts";
import type { KubeParentRef, KubeParentStatus, KubeReferenceGrant, KubeRoute } from "./route-objects.ts";
import { type JudgedPolicies, judgePolicies, type PolicyStatus, policyStatuses, securedPorts, servicesNamed } from "./translate-backend-tls.ts";
import type { Because } from "./translate-because.ts";
import { attachToGateway, type GatewayAttachment, gatewayParentStatus, isParent } from "./translate-gateway-attach.ts";
import { findCertificate, type JudgedListener, judgeListeners } from "./translate-gateway-listeners.ts";
import { gatewayPorts, withoutMixedKinds } from "./translate-gateway-ports.ts";
import { classStatus, type DecidedGateway, gatewayProblem, type ObjectStatus } from "./translate-gateway-status.ts";
import { type FoundSets, findSets } from "./translate-listener-sets.ts";
import { shareEqual } from "./translate-share.ts";

/** A Gateway of ours, decided. */
export interface TranslatedGateway {
  readonly gateway: KubeGateway;
  /** Its own, and those of ListenerSets. */
  readonly listeners: readonly JudgedListener[];
  readonly sets: FoundSets;
  readonly attachments: readonly GatewayAttachment[];
  /** Sorted by number; empty: nothing of it can be served. */
  readonly ports: readonly GatewayPort[];
  /** What it calls by TLS. */
  readonly secured: readonly SecuredPort[];
  /** Shown to those who are called by TLS. */
  readonly clientCertificate?: ServerCertificate;
  /** Why there is none although one is named. */
  readonly clientProblem?: Because;
}

export interface TranslatedGateways {
  /** In the order of their names. */
  readonly gateways: readonly TranslatedGateway[];
  readonly classStatuses: readonly ObjectStatus[];
  readonly policyStatuses: readonly PolicyStatus[];
  /** What routes' statuses say of their parents that are Gateways of ours. */
  readonly gatewayParents: ReadonlyMap<KubeParentRef, KubeParentStatus>;
}

type Routes = Objects<KubeRoute>;
type World = readonly [
  gateways: Objects<KubeGateway>,
  http: Routes,
  grpc: Routes,
  tls: Routes,
  tcp: Routes,
  grants: Objects<KubeReferenceGrant>,
  services: Objects<KubeService>,
  namespaces: Objects<KubeNamespace>,
  secrets: Objects<KubeTlsSecret>,
  policies: Objects<KubeBackendTlsPolicy>,
  roots: Objects<KubeRoots>,
  sets: Objects<KubeListenerSet>,
];

/** All Gateways whose class names our controller. */
export function translateGateways(view: ClusterView): TranslatedGateways {
  const { gatewayClasses, gateways, httpRoutes, grpcRoutes, tlsRoutes, tcpRoutes, referenceGrants, services, namespaces, tlsSecrets } = view;
  const more = [namespaces, tlsSecrets, view.backendTlsPolicies, view.roots, view.listenerSets] as const;
  return translate(gatewayClasses, gateways, httpRoutes, grpcRoutes, tlsRoutes, tcpRoutes, referenceGrants, services, ...more);
}

const translate: (classes: Objects<KubeGatewayClass>, ...world: World) => TranslatedGateways = memoizeLast(
  (classes: Objects<KubeGatewayClass>, ...[gateways, http, grpc, tls, tcp, grants, services, namespaces, secrets, known, roots, listenerSets]: World) => {
    const ours = new Set([...classes.values()].filter(({ controller }) => controller === gatewayController).map(({ name }) => name));
    const routes = [http, grpc, tls, tcp].flatMap((kind) => [...kind.values()]);
    const policies = judgePolicies(known, roots, services);
    const found = sorted(gateways)
      .filter((gateway) => ours.has(gateway.className) && !gateway.terminating)
      .map((gateway) => {
        const sets = findSets(gateway, listenerSets, namespaces);
        const listeners = judgeListeners(gateway, sets.taken, { grants, secrets, roots });
        const owners = [gateway, ...sets.taken, ...sets.refused];
        const attachments = routes.flatMap((route) =>
          route.parents.flatMap((parent) => {
            const owner = owners.find((one) => isParent(parent, one));
            return owner === undefined ? [] : [attachToGateway(route, parent, owner, listeners, { namespaces, grants, services })];
          }),
        );
        const found = { gateway, listeners, sets, attachments: withoutMixedKinds(attachments) };
        return decided(found, policies, ownCertificate(gateway, grants, secrets));
      });
    return {
      gateways: found,
      policyStatuses: policyStatuses(
        policies,
        found.map(({ gateway, attachments }) => ({ gateway, leadsTo: leadsTo(attachments) })),
      ),
      classStatuses: sorted(classes)
        .filter(({ name }) => ours.has(name))
        .map(classStatus),
      gatewayParents: new Map(found.flatMap(({ attachments }) => attachments.map((one) => [one.parent, gatewayParentStatus(one)]))),
    };
  },
);

/** `after` with what `before` had and says the same: a Gateway keeps its identity whatever happens to Services and routes of others. */
export function shareGateways(before: TranslatedGateways | undefined, after: TranslatedGateways): TranslatedGateways {
  if (before === undefined || before === after) return after;
  return {
    gateways: shareEqual(before.gateways, after.gateways),
    classStatuses: shareEqual(before.classStatuses, after.classStatuses),
    policyStatuses: shareEqual(before.policyStatuses, after.policyStatuses),
    gatewayParents: shareMap(before.gatewayParents, after.gatewayParents, (a, b) => canonicalJson(a) === canonicalJson(b)),
  };
}

function decided(found: DecidedGateway, policies: JudgedPolicies, shown: ServerCertificate | Because | undefined): TranslatedGateway {
  const { gateway, listeners, attachments } = found;
  const ports = gatewayProblem(gateway, listeners) === undefined ? gatewayPorts(listeners, attachments) : [];
  const certificate = shown === undefined ? {} : "reason" in shown ? { clientProblem: shown } : { clientCertificate: shown };
  return { ...found, ports, secured: securedPorts(policies, leadsTo(attachments)), ...certificate };
}

/** The certificate that a Gateway shows to backends, or why not; undefined: it names none. */
function ownCertificate(gateway: KubeGateway, grants: Objects<KubeReferenceGrant>, secrets: Objects<KubeTlsSecret>): ServerCertificate | Because | undefined {
  const ref = gateway.tls.clientCertificate;
  return ref === undefined ? undefined : findCertificate(gateway, ref, { grants, secrets }, "InvalidClientCertificateRef");
}

/** The Services that accepted routes lead to. */
function leadsTo(attachments: readonly GatewayAttachment[]): ReadonlySet<string> {
  return new Set(attachments.filter(({ at }) => at.length > 0).flatMap(({ route }) => servicesNamed(route)));
}

function sorted<T>(objects: Objects<T>): readonly T[] {
  return [...objects].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
