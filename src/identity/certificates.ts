/** Reading certificates: what node:crypto knows of them, and the few extensions that it does not show. */
import "reflect-metadata";
import { X509Certificate } from "node:crypto";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as ParsedCertificate,
  SubjectAlternativeNameExtension,
} from "@peculiar/x509";
import { parseSpiffeId, type SpiffeId } from "../model/spiffe.ts";

/** A root by the name that nodes and control plane use for it, with its text. */
export interface Root {
  /** Hex SHA-256 of the certificate. */
  readonly id: string;
  readonly pem: string;
}

export interface CaExtensions {
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  readonly canSignCertificates: boolean;
}

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Reads all certificates of a PEM text, in their order; text between them is skipped. Throws when one of them is broken. */
export function readCertificates(pem: string): readonly X509Certificate[] {
  return (pem.match(pemBlock) ?? []).map((block) => new X509Certificate(block));
}

/** One certificate as PEM that ends with a line break, however it was written before. */
export function pemOf(certificate: X509Certificate): string {
  return certificate.toString();
}

/** The certificate as a root. */
export function rootOf(certificate: X509Certificate): Root {
  return { id: certificate.fingerprint256.replaceAll(":", "").toLowerCase(), pem: pemOf(certificate) };
}

/** Whether `issuer` signed `certificate`: the names fit and the signature is right. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The way from a certificate up to a self-signed one, through `others`; ends before when nobody signed the last. */
export function pathUp(certificate: X509Certificate, others: readonly X509Certificate[]): readonly X509Certificate[] {
  const path = [certificate];
  let top = certificate;
  while (!isSignedBy(top, top)) {
    const issuer = others.find((candidate) => !path.includes(candidate) && isSignedBy(top, candidate));
    if (issuer === undefined) break;
    path.push(issuer);
    top = issuer;
  }
  return path;
}

/** What the extensions say about signing others. */
export function caExtensions(certificate: X509Certificate): CaExtensions {
  const parsed = new ParsedCertificate(certificate.raw);
  const constraints = parsed.getExtension(BasicConstraintsExtension);
  const usages = parsed.getExtension(KeyUsagesExtension)?.usages ?? 0;
  return {
    isCa: constraints?.ca === true,
    pathLength: constraints?.pathLength,
    canSignCertificates: (usages & KeyUsageFlags.keyCertSign) !== 0,
  };
}

/** Whose certificate it is: its only URI, which must be a SPIFFE ID; undefined otherwise. */
export function spiffeIdOf(certificate: X509Certificate): SpiffeId | undefined {
  const names = new ParsedCertificate(certificate.raw).getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  const uris = names.filter((name) => name.type === "url");
  const parsed = uris.length === 1 && uris[0] !== undefined ? parseSpiffeId(uris[0].value) : undefined;
  return parsed?.ok === true ? parsed.value : undefined;
}
