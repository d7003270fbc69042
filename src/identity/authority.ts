/** A certificate authority of our own: a root for ten years and an intermediate for one, both P-256. */
import "reflect-metadata";
import { randomBytes, X509Certificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  X509Certificate as ParsedCertificate,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { TrustDomain } from "../model/spiffe.ts";
import { rootOf } from "./certificates.ts";
import { createKeyPair, type KeyPair, readSigningKey } from "./keys.ts";
import type { SigningCa } from "./signing-ca.ts";

const dayMs = 86_400_000;
export const rootLifeMs = 3650 * dayMs;
const intermediateLifeMs = 365 * dayMs;
/** Clocks of nodes may be this late. */
export const skewMs = 60_000;

/** Makes a new root and an intermediate below it. */
export async function createOwnCa(trustDomain: TrustDomain, now: number): Promise<SigningCa> {
  const keys = await createKeyPair();
  const name = authorityName(trustDomain, "root");
  const notBefore = wholeSecond(now - skewMs);
  const notAfter = wholeSecond(now + rootLifeMs);
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomSerial(),
    name,
    keys,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    extensions: await authorityExtensions(keys, 1),
  });
  return addIntermediate(trustDomain, { pem: root.toString("pem"), key: keys.privatePem, notAfter }, now);
}

/** Makes a new intermediate below the same root. Throws when the root's key is not here: a plug-in's owner renews it. */
export function renewIntermediate(trustDomain: TrustDomain, ca: SigningCa, now: number): Promise<SigningCa> {
  if (ca.rootKey === undefined) throw new Error("only a root of our own can sign a new intermediate here");
  return addIntermediate(trustDomain, { pem: ca.root.pem, key: ca.rootKey, notAfter: ca.rootNotAfter }, now);
}

interface OwnRoot {
  readonly pem: string;
  readonly key: string;
  readonly notAfter: number;
}

async function addIntermediate(trustDomain: TrustDomain, root: OwnRoot, now: number): Promise<SigningCa> {
  const keys = await createKeyPair();
  const issuer = new ParsedCertificate(root.pem);
  const notBefore = wholeSecond(now - skewMs);
  const notAfter = Math.min(wholeSecond(now + intermediateLifeMs), root.notAfter);
  const signer = readSigningKey(root.key);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: authorityName(trustDomain, "intermediate"),
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    extensions: [...(await authorityExtensions(keys, 0)), await AuthorityKeyIdentifierExtension.create(issuer.publicKey)],
  });
  const pem = new X509Certificate(certificate.toString("pem")).toString();
  const above = rootOf(new X509Certificate(root.pem));
  return {
    origin: "own",
    certificate: pem,
    key: keys.privatePem,
    intermediates: pem,
    root: above,
    rootKey: root.key,
    alsoTrusted: [],
    notBefore,
    notAfter,
    rootNotAfter: root.notAfter,
  };
}

/** Two roots of one domain have different names: some who verify look for an issuer by its name alone. */
function authorityName(trustDomain: TrustDomain, kind: "root" | "intermediate"): Name {
  // A common name may have 64 characters, an organization too.
  return new Name([{ O: [trustDomain.slice(0, 64)] }, { CN: [`Weir ${kind} ${randomBytes(4).toString("hex")}`] }]);
}

async function authorityExtensions(keys: KeyPair, pathLength: number): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
}

/** Certificates count in seconds. */
export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

/** A serial number of 16 bytes, positive and without leading zeros: 126 random bits. */
export function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}
