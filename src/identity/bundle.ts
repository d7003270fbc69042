/** Whom to trust: the roots of our own trust domain and of those that are the same mesh under another name. */
import type { TrustDomain } from "../model/spiffe.ts";
import type { Root } from "./certificates.ts";
import { readCertificates, rootOf } from "./certificates.ts";

export interface DomainRoots {
  readonly trustDomain: TrustDomain;
  readonly roots: readonly Root[];
}

export interface TrustBundle {
  readonly own: DomainRoots;
  /** Other names of this mesh: identities under them are accepted when they lead to these roots. */
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

/** All roots as one PEM text, each once: for those who cannot tell trust domains apart. */
export function bundlePem(bundle: TrustBundle): string {
  return uniqueRoots([bundle.own, ...bundle.aliases].flatMap(({ roots }) => roots))
    .map(({ pem }) => pem)
    .join("");
}
