/** A Gateway's listeners, judged: which of them can be served, which routes they take, which certificates they have. */
import type { ClientValidation, ServerCertificate } from "../../model/gateway.ts";
import type { KubeRoots } from "./backend-tls-objects.ts";
import type { KubeGateway, KubeListener, KubeListenerSet, KubeSecretRef, KubeTlsSecret } from "./gateway-objects.ts";
import type { Objects } from "./objects.ts";
import { optional } from "./readers.ts";
import { gatewayGroup, type KubeReferenceGrant, type KubeRoute } from "./route-objects.ts";
import type { Because } from "./translate-because.ts";
import { findClients } from "./translate-gateway-clients.ts";
import { isGranted } from "./translate-route-refs.ts";

type RouteKind = KubeRoute["kind"];

/** How a listener's bytes are taken. */
export type ListenerMode = "http" | "https" | "terminate" | "passthrough" | "tcp";

/** Who has a listener: a Gateway, or a ListenerSet. */
export interface ListenerOwner {
  readonly kind: "Gateway" | "ListenerSet";
  readonly namespace: string;
  readonly name: string;
}

export interface JudgedListener {
  /** Unique at its Gateway. */
  readonly id: string;
  /** Unique at its owner. */
  readonly name: string;
  readonly owner: ListenerOwner;
  readonly port: number;
  /** `*`: any. */
  readonly domain: string;
  readonly said: KubeListener;
  /** Absent: a protocol that we do not have. */
  readonly mode?: ListenerMode;
  /** The routes that it takes. */
  readonly kinds: readonly RouteKind[];
  /** Why it is not accepted. */
  readonly problem?: Because;
  /** It is not accepted because of another one of the same Gateway. */
  readonly isConflicted: boolean;
  /** Why what it names is not there. */
  readonly refs?: Because;
  readonly certificates: readonly ServerCertificate[];
  /** Absent: callers are not asked who they are. */
  readonly clients?: ClientValidation;
}

/** What listeners are judged by. */
export interface ListenerWorld {
  readonly grants: Objects<KubeReferenceGrant>;
  readonly secrets: Objects<KubeTlsSecret>;
  readonly roots: Objects<KubeRoots>;
}

/** Where the kubelet asks a gateway's pod. */
export const gatewayHealthPort = 15_021;
/** Ports of the gateway's own pod. */
export const reservedPorts: ReadonlySet<number> = new Set([gatewayHealthPort]);

const kindsOf: Readonly<Record<ListenerMode, readonly RouteKind[]>> = {
  http: ["HTTPRoute", "GRPCRoute"],
  https: ["HTTPRoute", "GRPCRoute"],
  terminate: ["TLSRoute"],
  passthrough: ["TLSRoute"],
  tcp: ["TCPRoute"],
};

/** Judges all listeners of a Gateway, and of the ListenerSets that it takes, in the order in which they count: of two that cannot be told apart the first has it. */
export function judgeListeners(gateway: KubeGateway, sets: readonly KubeListenerSet[], world: ListenerWorld): readonly JudgedListener[] {
  const judged = [gateway, ...sets].map((owner) => owner.listeners.map((listener) => judge(gateway, ownerOf(owner), listener, world)));
  return judged.reduce<Told>(withConflicts, { listeners: [], standing: [] }).listeners;
}

interface Told {
  readonly listeners: readonly JudgedListener[];
  /** Those that others must be told apart from. */
  readonly standing: readonly JudgedListener[];
}

/** Of one owner's listeners none can say that it was the first: those that cannot be told apart are all in conflict, and keep others off what they want. */
function withConflicts({ listeners, standing }: Told, own: readonly JudgedListener[]): Told {
  const left = own.filter((listener) => conflictOf(listener, standing) === undefined);
  const told = own.map((listener) => {
    const conflict = conflictOf(listener, standing) ?? conflictOf(listener, left);
    return conflict === undefined ? listener : { ...listener, problem: conflict, isConflicted: true };
  });
  return { listeners: [...listeners, ...told], standing: [...standing, ...left] };
}

function ownerOf({ kind, namespace, name }: ListenerOwner): ListenerOwner {
  return { kind, namespace, name };
}

/** Whether a listener is this Gateway's own, or this ListenerSet's. */
export function isOwn({ owner }: JudgedListener, { kind, namespace, name }: ListenerOwner): boolean {
  return owner.kind === kind && owner.name === name && owner.namespace === namespace;
}

/** Whether a listener takes traffic. */
export function isServed({ problem, mode, certificates }: JudgedListener): boolean {
  return problem === undefined && mode !== undefined && (!needsCertificate(mode) || certificates.length > 0);
}

function needsCertificate(mode: ListenerMode): boolean {
  return mode === "https" || mode === "terminate";
}

function judge(gateway: KubeGateway, owner: ListenerOwner, said: KubeListener, world: ListenerWorld): JudgedListener {
  const mode = modeOf(said);
  const supported = mode === undefined ? [] : kindsOf[mode];
  const isKnown = ({ group, kind }: KubeListener["kinds"][number]): boolean => group === gatewayGroup && supported.some((one) => one === kind);
  const kinds = said.kinds.length === 0 ? supported : supported.filter((kind) => said.kinds.some((one) => isKnown(one) && one.kind === kind));
  const unknown = said.kinds.find((kind) => !isKnown(kind));
  const certificates = mode !== undefined && needsCertificate(mode) ? findCertificates(owner, said, world) : { found: [] };
  const clients = mode === "https" ? findClients(gateway, said.port, world) : {};
  const badKind = unknown === undefined ? undefined : { reason: "InvalidRouteKinds", message: `a ${said.protocol} listener takes no ${unknown.kind}` };
  return {
    id: owner.kind === "Gateway" ? said.name : `${owner.namespace}/${owner.name}/${said.name}`,
    name: said.name,
    owner,
    port: said.port,
    domain: mode === "tcp" || said.hostname === "" ? "*" : said.hostname,
    said,
    ...optional("mode", mode),
    kinds,
    ...optional("problem", problemOf(said, mode) ?? clients.problem),
    isConflicted: false,
    ...optional("refs", mode === undefined ? undefined : (certificates.problem ?? clients.refs ?? badKind)),
    certificates: certificates.found,
    ...optional("clients", clients.found),
  };
}

function modeOf({ protocol, tls }: KubeListener): ListenerMode | undefined {
  switch (protocol) {
    case "HTTP":
      return "http";
    case "HTTPS":
      return "https";
    case "TLS":
      return tls?.mode === "Passthrough" ? "passthrough" : "terminate";
    case "TCP":
      return "tcp";
    default:
      return undefined;
  }
}

function problemOf({ protocol, port, tls }: KubeListener, mode: ListenerMode | undefined): Because | undefined {
  if (mode === undefined) return { reason: "UnsupportedProtocol", message: `the protocol ${protocol} is not known: HTTP, HTTPS, TLS and TCP are` };
  if (reservedPorts.has(port)) return { reason: "PortUnavailable", message: `port ${port} is the gateway's own, for the kubelet's questions` };
  if (mode === "https" && tls?.mode === "Passthrough") return { reason: "UnsupportedValue", message: "HTTPS is terminated here; for passthrough use TLS" };
  return undefined;
}

/** Listeners of one port must be told apart: by the name that is asked for, where the protocol has one. */
function conflictOf(listener: JudgedListener, all: readonly JudgedListener[]): Because | undefined {
  const others = all.filter((other) => other !== listener && other.port === listener.port && other.mode !== undefined);
  if (listener.mode === undefined || listener.problem !== undefined) return undefined;
  const family = familyOf(listener.mode);
  const foreign = others.find((other) => other.mode !== undefined && familyOf(other.mode) !== family);
  if (foreign !== undefined)
    return { reason: "ProtocolConflict", message: `${titleOf(foreign, listener)} has another protocol on the same port ${listener.port}` };
  const same = others.find((other) => other.domain === listener.domain);
  if (same === undefined) return undefined;
  return { reason: "HostnameConflict", message: `${titleOf(same, listener)} has the same hostname on the same port ${listener.port}` };
}

/** Owners of ListenerSets need not know of each other. */
function titleOf(listener: JudgedListener, { owner: reader }: JudgedListener): string {
  const { name, owner } = listener;
  return isOwn(listener, reader) ? `listener ${name}` : owner.kind === "Gateway" ? "a listener of the Gateway" : "a listener of another ListenerSet";
}

/** What can share a port. */
function familyOf(mode: ListenerMode): "http" | "tls" | "tcp" {
  return mode === "http" || mode === "tcp" ? mode : "tls";
}

interface Certificates {
  readonly found: readonly ServerCertificate[];
  readonly problem?: Because;
}

function findCertificates(owner: ListenerOwner, { tls }: KubeListener, world: ListenerWorld): Certificates {
  const refs = tls?.certificates ?? [];
  if (refs.length === 0) return { found: [], problem: { reason: "InvalidCertificateRef", message: "tls.certificateRefs names no certificate" } };
  const results = refs.map((ref) => findCertificate(owner, ref, world, "InvalidCertificateRef"));
  const problem = results.find((result) => "reason" in result);
  return { found: results.flatMap((result) => ("reason" in result ? [] : [result])), ...optional("problem", problem) };
}

/** Finds a certificate with its key. `reason` is the word for one that is not there or cannot be used. */
export function findCertificate(
  owner: ListenerOwner,
  ref: KubeSecretRef,
  { grants, secrets }: Pick<ListenerWorld, "grants" | "secrets">,
  reason: string,
): ServerCertificate | Because {
  const bad = (message: string): Because => ({ reason, message });
  if (ref.group !== "" || ref.kind !== "Secret") return bad(`a certificate of kind ${ref.kind} is not known, only Secrets`);
  const name = `${ref.namespace}/${ref.name}`;
  if (ref.namespace !== owner.namespace && !isGranted(grants, owner, ref))
    return { reason: "RefNotPermitted", message: `no ReferenceGrant in ${ref.namespace} lets a ${owner.kind} of ${owner.namespace} name Secret ${ref.name}` };
  const secret = secrets.get(name);
  if (secret === undefined) return bad(`there is no Secret ${name} of the type kubernetes.io/tls that can be read`);
  return secret.pair === undefined ? bad(`Secret ${name}: ${secret.mistake ?? "it holds no certificate"}`) : { name, ...secret.pair };
}
