/** SVIDs: one certificate for one SPIFFE ID and one key. */
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type Name,
  X509Certificate as ParsedCertificate,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { SpiffeId } from "../model/spiffe.ts";
import { randomSerial, skewMs, wholeSecond } from "./authority.ts";
import { readSigningKey, type SigningKey } from "./keys.ts";
import type { SigningCa } from "./signing-ca.ts";

/** How long an SVID lives. */
export const svidLifeMs = 24 * 3_600_000;

/** A certificate authority with everything read that each SVID needs. */
export interface Signer {
  readonly ca: SigningCa;
  readonly signingKey: SigningKey;
  readonly issuer: Name;
  /** The extensions that are the same in every SVID. */
  readonly extensions: readonly Extension[];
}

export interface Svid {
  readonly id: SpiffeId;
  /** The certificate, then the intermediates above it, without the root. */
  readonly chain: string;
  /** Hex. */
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Id of the root above it. */
  readonly root: string;
}

/** Makes a CA ready to sign. Throws when its texts are broken: check a plug-in's before. */
export async function createSigner(ca: SigningCa): Promise<Signer> {
  const certificate = new ParsedCertificate(ca.certificate);
  const ownKeyId = certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId;
  return {
    ca,
    signingKey: readSigningKey(ca.key),
    issuer: certificate.subjectName,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      ownKeyId === undefined ? await AuthorityKeyIdentifierExtension.create(certificate.publicKey) : new AuthorityKeyIdentifierExtension(ownKeyId),
    ],
  };
}

/**
 * Signs an SVID for a public key (SubjectPublicKeyInfo, DER). It begins a minute ago, for clocks that are late, and never outlives its issuer.
 * Throws when the issuer is not valid now.
 */
export async function issueSvid(signer: Signer, id: SpiffeId, spki: Uint8Array, now: number, lifeMs: number = svidLifeMs): Promise<Svid> {
  return { id, ...(await issueFor(signer, [{ type: "url", value: id }], spki, { now, lifeMs })) };
}

/** The same for a server that clients know by DNS names: one that does not speak SPIFFE. */
export function issueServing(signer: Signer, names: readonly string[], spki: Uint8Array, now: number): Promise<Omit<Svid, "id">> {
  return issueFor(
    signer,
    names.map((value) => ({ type: "dns", value })),
    spki,
    { now, lifeMs: svidLifeMs },
  );
}

async function issueFor(
  signer: Signer,
  names: readonly { readonly type: "url" | "dns"; readonly value: string }[],
  spki: Uint8Array,
  { now, lifeMs }: { readonly now: number; readonly lifeMs: number },
): Promise<Omit<Svid, "id">> {
  const { ca } = signer;
  const notBefore = Math.max(wholeSecond(now - skewMs), ca.notBefore);
  const notAfter = Math.min(wholeSecond(now + lifeMs), ca.notAfter);
  if (notAfter <= now || notBefore > now) throw new Error("the certificate authority is not valid now");
  const serial = randomSerial();
  const publicKey = new PublicKey(Uint8Array.from(spki));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial,
    issuer: signer.issuer,
    publicKey,
    signingKey: signer.signingKey.key,
    signingAlgorithm: signer.signingKey.algorithm,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    extensions: [
      ...signer.extensions,
      await SubjectKeyIdentifierExtension.create(publicKey),
      // Critical, because the subject is empty (RFC 5280, 4.2.1.6).
      new SubjectAlternativeNameExtension([...names], true),
    ],
  });
  return { chain: `${certificate.toString("pem")}\n${ca.intermediates}`, serial, notBefore, notAfter, root: ca.root.id };
}
