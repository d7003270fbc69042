/** Authorities and certificates for tests. */

import { createOwnCa } from "../../src/identity/authority.ts";
import type { AuthorityStore } from "../../src/identity/authority-state.ts";
import { openCertificateAuthority } from "../../src/identity/certificate-authority.ts";
import { createSigner, issueSvid, type Signer, type Svid } from "../../src/identity/issue.ts";
import { createKeyPair, type KeyPair } from "../../src/identity/keys.ts";
import { createRequest, verifyRequest } from "../../src/identity/request.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { defaultTrustDomain, parseSpiffeId, type SpiffeId } from "../../src/model/spiffe.ts";

/** A SPIFFE ID that must be one. */
export function spiffe(text: string): SpiffeId {
  const parsed = parseSpiffeId(text);
  if (parsed.ok) return parsed.value;
  throw new Error(parsed.problems[0]?.message);
}

/** A fresh authority that can sign. */
export async function someSigner(now: number = Date.now()): Promise<Signer> {
  return createSigner(await createOwnCa(defaultTrustDomain, now));
}

/** The public key as a CA gets it: out of a checked request. */
export async function publicKeyOf(keys: KeyPair): Promise<Uint8Array> {
  const verified = await verifyRequest(await createRequest(keys));
  if (verified.ok) return verified.value;
  throw new Error(verified.problems[0]?.message);
}

/** A certificate with its key. */
export async function certified(signer: Signer, id: string, now: number = Date.now(), lifeMs?: number): Promise<Svid & { readonly key: string }> {
  const keys = await createKeyPair();
  return { ...(await issueSvid(signer, spiffe(id), await publicKeyOf(keys), now, lifeMs)), key: keys.privatePem };
}

/** Keeps a text in memory, and counts. */
export function memoryStore(): AuthorityStore & { text: string | undefined; saves: number } {
  return {
    text: undefined,
    saves: 0,
    load() {
      return Promise.resolve(this.text);
    },
    save(text) {
      this.text = text;
      this.saves += 1;
      return Promise.resolve();
    },
  };
}

/** An authority of our own that keeps its state in memory. */
export function someAuthority(clock: Clock, store: AuthorityStore = memoryStore()) {
  return openCertificateAuthority({ clock, store, trustDomain: defaultTrustDomain });
}
