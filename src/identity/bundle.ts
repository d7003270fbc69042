/** Whom to trust: the roots of our own trust domain, and of its aliases. */
import type { TrustDomain } from "../model/spiffe.ts";
import type { Root } from "./certificates.ts";
import { readCertificates, rootOf } from "./certificates.ts";

export interface DomainRoots {
  readonly trustDomain: TrustDomain;
  readonly roots: readonly Root[];
}

export interface TrustBundle {
  readonly own: DomainRoots;
  /** Other trust domains whose identities are let in when they lead to these roots. */
  readonly aliases: readonly DomainRoots[];
}

/** Roots from PEM texts, each once, in their order. Throws when a certificate is broken. */
export function readRoots(pem: string): readonly Root[] {
  return uniqueRoots(readCertificates(pem).map(rootOf));
}

/** Each root once; the first stays. */
export function uniqueRoots(roots: readonly Root[]): readonly Root[] {
  return [...new Map(roots.toReversed().map((root) => [root.id, root] as const)).values()].toReversed();
}

/** Whether two bundles trust the same. */
export function sameBundle(a: TrustBundle, b: TrustBundle): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint(bundle: TrustBundle): string {
  return [bundle.own, ...bundle.aliases].map(({ trustDomain, roots }) => `${trustDomain} ${roots.map(({ id }) => id).join(" ")}`).join("\n");
}

/** Our own roots as one PEM text. Those of aliases are not for those who cannot tell trust domains apart: they would sign identities of ours. */
export function bundlePem({ own }: TrustBundle): string {
  return own.roots.map(({ pem }) => pem).join("");
}
