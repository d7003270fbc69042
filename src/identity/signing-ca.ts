/** A certificate authority that can sign, as plain texts: what is kept, and what a plug-in gives. */
import type { Root } from "./certificates.ts";

export interface SigningCa {
  readonly origin: "own" | "plug-in";
  /** The certificate that signs. */
  readonly certificate: string;
  /** Its private key. */
  readonly key: string;
  /** What a server sends after an SVID: `certificate` and those above it, without the root. Empty when the root itself signs. */
  readonly intermediates: string;
  /** The root above it. */
  readonly root: Root;
  /** Only of a root of our own: signs the next intermediate. */
  readonly rootKey?: string;
  /** Roots that its owner wants trusted besides. */
  readonly alsoTrusted: readonly Root[];
  /** The latest beginning and the earliest end on the way from the certificate to its root, ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The end of the root alone. */
  readonly rootNotAfter: number;
}
