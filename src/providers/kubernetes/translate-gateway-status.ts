/** What the statuses of GatewayClasses and Gateways should say. */
import type { KubeGateway, KubeGatewayClass } from "./gateway-objects.ts";
import type { KubeService } from "./objects.ts";
import { gatewayGroup, type KubeCondition } from "./route-objects.ts";
import { type Because, because } from "./translate-because.ts";
import type { GatewayAttachment } from "./translate-gateway-attach.ts";
import { isInsecure } from "./translate-gateway-clients.ts";
import { isOwn, isServed, type JudgedListener } from "./translate-gateway-listeners.ts";
import type { FoundSets } from "./translate-listener-sets.ts";

/** What an object's status should say, without the times of its conditions. */
export interface ObjectStatus {
  readonly kind: "GatewayClass" | "Gateway" | "ListenerSet";
  /** Empty: of no namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly status: {
    readonly conditions: readonly KubeCondition[];
    readonly addresses?: readonly { readonly type: string; readonly value: string }[];
    readonly supportedFeatures?: readonly { readonly name: string }[];
    readonly listeners?: readonly ListenerStatus[];
    readonly attachedListenerSets?: number;
  };
  /** What it says now, as `statusText` tells it. */
  readonly reported: string;
}

interface ListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly conditions: readonly KubeCondition[];
}

/** How far a gateway's proxies are with what this Gateway says. */
export type ProxyState =
  | { readonly kind: "working" }
  | { readonly kind: "waiting" }
  /** Nobody was heard of yet: what the status says stays. */
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly message: string };

/** What is optional in Gateway API and is there, as GatewayClasses tell it. */
export const gatewayFeatures: readonly string[] = [
  "BackendTLSPolicy",
  "BackendTLSPolicySANValidation",
  "GRPCRoute",
  "GRPCRouteNamedRouteRule",
  "Gateway",
  "GatewayAddressEmpty",
  "GatewayBackendClientCertificate",
  "GatewayFrontendClientCertificateValidation",
  "GatewayFrontendClientCertificateValidationInsecureFallback",
  "GatewayHTTPListenerIsolation",
  "GatewayHTTPSListenerDetectMisdirectedRequests",
  "GatewayInfrastructure",
  "GatewayPort8080",
  "HTTPRoute",
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
  "HTTPRouteBackendProtocolH2C",
  "HTTPRouteBackendProtocolWebSocket",
  "HTTPRouteBackendRequestHeaderModification",
  "HTTPRouteBackendTimeout",
  "HTTPRouteCORS",
  "HTTPRouteDestinationPortMatching",
  "HTTPRouteHostRewrite",
  "HTTPRouteMethodMatching",
  "HTTPRouteNamedRouteRule",
  "HTTPRouteParentRefPort",
  "HTTPRoutePathRedirect",
  "HTTPRoutePathRewrite",
  "HTTPRoutePortRedirect",
  "HTTPRouteQueryParamMatching",
  "HTTPRouteRequestMirror",
  "HTTPRouteRequestMultipleMirrors",
  "HTTPRouteRequestPercentageMirror",
  "HTTPRouteRequestTimeout",
  "HTTPRouteResponseHeaderModification",
  "HTTPRouteSchemeRedirect",
  "ListenerSet",
  "ReferenceGrant",
  "TCPRoute",
  "TLSRoute",
  "TLSRouteModeMixed",
  "TLSRouteModeTerminate",
];

function condition(type: string, generation: number, status: boolean, { reason, message }: Because): KubeCondition {
  return { type, status: status ? "True" : "False", reason, message, generation };
}

/** The status of a GatewayClass of ours. */
export function classStatus({ name, uid, generation, hasParameters, reported }: KubeGatewayClass): ObjectStatus {
  const accepted = hasParameters
    ? condition("Accepted", generation, false, { reason: "InvalidParameters", message: "parametersRef is not known; leave it out" })
    : condition("Accepted", generation, true, { reason: "Accepted", message: "" });
  const supportedFeatures = gatewayFeatures.map((feature) => ({ name: feature }));
  return { kind: "GatewayClass", namespace: "", name, uid, reported, status: { conditions: [accepted], supportedFeatures } };
}

/** Why no listener of a Gateway can be served whatever it says; undefined: some can. */
export function gatewayProblem({ infrastructure, addresses }: KubeGateway, listeners: readonly JudgedListener[]): Because | undefined {
  if (infrastructure.hasParameters) return { reason: "InvalidParameters", message: "infrastructure.parametersRef is not known; leave it out" };
  const wished = addresses.find(({ value }) => value !== "");
  if (wished !== undefined)
    return { reason: "UnsupportedAddress", message: `the address ${wished.value} cannot be asked for: addresses come from the Service's load balancer` };
  const isAnyGood = listeners.some(({ problem, owner }) => problem === undefined && owner.kind === "Gateway");
  return isAnyGood ? undefined : { reason: "ListenersNotValid", message: "no listener can be accepted" };
}

/** What a Gateway's status is made from. */
export interface DecidedGateway {
  readonly gateway: KubeGateway;
  readonly listeners: readonly JudgedListener[];
  readonly attachments: readonly GatewayAttachment[];
  readonly sets: FoundSets;
  /** Why it shows no certificate to backends although it names one. */
  readonly clientProblem?: Because;
}

/** The status of a Gateway of ours. `service` is the one that was made for it. */
export function gatewayStatus(decided: DecidedGateway, service: KubeService | undefined, proxies: ProxyState): ObjectStatus {
  const { gateway, attachments } = decided;
  const listeners = decided.listeners.filter((listener) => isOwn(listener, gateway));
  const sets = attachedSets(decided);
  const { generation, namespace, name, uid, reported } = gateway;
  const problem = gatewayProblem(gateway, listeners);
  const addresses = problem === undefined ? addressesOf(service) : [];
  const before = reported.conditions.find(({ type, generation: seen }) => type === "Programmed" && seen === generation);
  const programmed =
    proxies.kind === "unknown" && before !== undefined && problem === undefined ? before : programmedCondition(generation, problem, addresses, proxies);
  const refs = because("ResolvedRefs", generation, refsProblem(listeners, decided.clientProblem));
  const insecure = isInsecure(gateway) ? [condition("InsecureFrontendValidationMode", generation, true, fallback)] : [];
  const conditions = [acceptedCondition(generation, problem, listeners), programmed, refs, ...insecure];
  return {
    kind: "Gateway",
    namespace,
    name,
    uid,
    reported: reported.text,
    status: {
      ...(addresses.length === 0 ? {} : { addresses }),
      conditions,
      listeners: listeners.map((one) => listenerStatus(one, generation, attachments)),
      ...(sets === 0 ? {} : { attachedListenerSets: sets }),
    },
  };
}

/** How many of its ListenerSets add something to a Gateway. */
function attachedSets({ gateway, listeners, sets }: DecidedGateway): number {
  if (gatewayProblem(gateway, listeners) !== undefined) return 0;
  return sets.taken.filter((set) => listeners.some((listener) => isOwn(listener, set) && isServed(listener))).length;
}

const fallback = { reason: "ConfigurationChanged", message: "callers by HTTPS are served whatever certificate they show: AllowInsecureFallback" };

function refsProblem(listeners: readonly JudgedListener[], clientProblem: Because | undefined): Because | undefined {
  if (clientProblem !== undefined) return clientProblem;
  const bad = listeners.filter(({ refs }) => refs !== undefined).map(({ name }) => name);
  return bad.length === 0 ? undefined : { reason: "ListenersNotResolved", message: `listener ${bad.join(", ")}: what it names is not all there` };
}

function acceptedCondition(generation: number, problem: Because | undefined, listeners: readonly JudgedListener[]): KubeCondition {
  if (problem !== undefined) return condition("Accepted", generation, false, problem);
  const bad = listeners.filter((listener) => listener.problem !== undefined);
  const some = { reason: "ListenersNotValid", message: `listener ${bad.map(({ name }) => name).join(", ")}: not accepted` };
  return condition("Accepted", generation, true, bad.length > 0 ? some : { reason: "Accepted", message: "" });
}

/** Where the load balancer takes calls; without one, inside the cluster. */
export function addressesOf(service: KubeService | undefined): readonly { readonly type: string; readonly value: string }[] {
  if (service === undefined) return [];
  return service.ingress.length > 0 ? service.ingress : service.addresses.map((value) => ({ type: "IPAddress", value }));
}

/** Whether what is said is true in Envoy. */
export function programmedCondition(generation: number, problem: Because | undefined, addresses: readonly unknown[], proxies: ProxyState): KubeCondition {
  if (problem !== undefined) return condition("Programmed", generation, false, { reason: "Invalid", message: problem.message });
  if (proxies.kind === "refused") return condition("Programmed", generation, false, { reason: "Invalid", message: `Envoy refused it: ${proxies.message}` });
  if (addresses.length === 0) return condition("Programmed", generation, false, { reason: "AddressNotAssigned", message: "its Service has no address yet" });
  if (proxies.kind === "working") return condition("Programmed", generation, true, { reason: "Programmed", message: "" });
  return condition("Programmed", generation, false, { reason: "Pending", message: "its proxies do not have it yet; see its Deployment" });
}

/** What is said of one listener. */
export function listenerStatus(listener: JudgedListener, generation: number, attachments: readonly GatewayAttachment[]): ListenerStatus {
  const { name, problem, refs, kinds, isConflicted } = listener;
  const served = isServed(listener);
  const unserved = { reason: isConflicted ? (problem?.reason ?? "") : "Invalid", message: problem?.message ?? refs?.message ?? "" };
  const isAttached = ({ at }: GatewayAttachment): boolean => at.some((one) => one.listener === listener);
  return {
    name,
    attachedRoutes: new Set(attachments.filter(isAttached).map(({ route }) => route)).size,
    supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
    conditions: [
      because("Accepted", generation, problem),
      condition("Conflicted", generation, isConflicted, (isConflicted ? problem : undefined) ?? { reason: "NoConflicts", message: "" }),
      because("Programmed", generation, served ? undefined : unserved),
      because("ResolvedRefs", generation, refs),
    ],
  };
}
