/** SPIFFE names: who somebody is, as a URI. The rules are those of the SPIFFE-ID specification, section 2. */
import { failed, ok, type Result } from "../lib/problem.ts";
import type { AppName, Namespace } from "./names.ts";

declare const brand: unique symbol;

/** The part of the world that has one set of roots: `weir.local`. */
export type TrustDomain = string & { readonly [brand]: "TrustDomain" };
/** `spiffe://TRUST-DOMAIN/PATH`. */
export type SpiffeId = string & { readonly [brand]: "SpiffeId" };

/** Of a mesh that was given no name. */
export const defaultTrustDomain: TrustDomain = "weir.local" as TrustDomain;

/** Where Weir's own parts live. */
const systemNamespace = "weir-system" as Namespace;
const controlPlaneApp = "weir-control" as AppName;

const maxIdBytes = 2048;
const scheme = "spiffe://";
const trustDomainPattern = /^[a-z0-9._-]{1,255}$/;
const segmentPattern = /^[a-zA-Z0-9._-]+$/;

/** Who an ID names, as far as Weir gives out such IDs. */
export type SpiffeSubject =
  | { readonly kind: "workload"; readonly namespace: string; readonly app: string }
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "other"; readonly path: string };

/** Reads the name of a trust domain, as a user writes it. */
export function parseTrustDomain(text: string): Result<TrustDomain> {
  if (trustDomainPattern.test(text)) return ok(text as TrustDomain);
  return failed({
    code: "trust-domain-invalid",
    message: `"${text}" is no name of a trust domain`,
    hint: "Write 1 to 255 of a-z, 0-9, `.`, `-` and `_`, like `example.com`.",
  });
}

/** Reads an ID that somebody else wrote: of a certificate, a request, a policy. */
export function parseSpiffeId(text: string): Result<SpiffeId> {
  const mistake = mistakeIn(text);
  if (mistake === undefined) return ok(text as SpiffeId);
  return failed({
    code: "spiffe-id-invalid",
    message: `"${text.slice(0, 200)}" is no SPIFFE ID: ${mistake}`,
    hint: "Write it like `spiffe://example.com/ns/default/sa/web`.",
  });
}

function mistakeIn(text: string): string | undefined {
  if (!text.startsWith(scheme)) return `it does not begin with ${scheme}`;
  const [domain = "", ...segments] = text.slice(scheme.length).split("/");
  if (!trustDomainPattern.test(domain)) return "the trust domain may have 1 to 255 of a-z, 0-9, `.`, `-` and `_`";
  if (segments.some((segment) => segment === "")) return "a part of its path is empty";
  if (segments.some((segment) => segment === "." || segment === "..")) return "`.` and `..` are no parts of a path";
  if (segments.some((segment) => !segmentPattern.test(segment))) return "its path may have a-z, A-Z, 0-9, `.`, `-` and `_`";
  // Everything above is ASCII: characters are bytes.
  return text.length > maxIdBytes ? `it is longer than ${maxIdBytes} bytes` : undefined;
}

/** The ID of a workload: what it is called, not where it runs. */
export function workloadId(trustDomain: TrustDomain, namespace: Namespace, app: AppName): SpiffeId {
  return `${scheme}${trustDomain}/ns/${namespace}/sa/${app}` as SpiffeId;
}

/** The ID of a node. `node` is a name that a platform accepts: lower-case letters, digits, `-` and `.`. Throws for any other: that is a bug. */
export function nodeId(trustDomain: TrustDomain, node: string): SpiffeId {
  const id = `${scheme}${trustDomain}/${nodeProxyId(node)}`;
  if (node.includes("/") || mistakeIn(id) !== undefined) throw new Error(`"${node}" cannot be the name of a node`);
  return id as SpiffeId;
}

/** By what the Envoys of a node ask for their configuration: as `proxyIdOf` its ID. */
export function nodeProxyId(node: string): string {
  return `node/${node}`;
}

/** By what an Envoy of this identity asks for its configuration: its ID without the trust domain. */
export function proxyIdOf(id: SpiffeId): string {
  return id.slice(trustDomainId(trustDomainOf(id)).length + 1);
}

/** The ID of Weir's own control plane. */
export function controlPlaneId(trustDomain: TrustDomain): SpiffeId {
  return workloadId(trustDomain, systemNamespace, controlPlaneApp);
}

/** The ID of a trust domain itself: its roots go by this name. */
export function trustDomainId(trustDomain: TrustDomain): SpiffeId {
  return `${scheme}${trustDomain}` as SpiffeId;
}

/** The trust domain of an ID. */
export function trustDomainOf(id: SpiffeId): TrustDomain {
  return (id.slice(scheme.length).split("/")[0] ?? "") as TrustDomain;
}

/** Whom an ID names. */
export function subjectOf(id: SpiffeId): SpiffeSubject {
  const [, ...segments] = id.slice(scheme.length).split("/");
  const [kind, first, third, app] = segments;
  if (kind === "ns" && third === "sa" && first !== undefined && app !== undefined && segments.length === 4) return { kind: "workload", namespace: first, app };
  if (kind === "node" && first !== undefined && segments.length === 2) return { kind: "node", node: first };
  return { kind: "other", path: segments.map((segment) => `/${segment}`).join("") };
}
