/** What a person wants to know of a certificate: whose it is, who says so, how long. */
import type { X509Certificate } from "node:crypto";
import type { Problem } from "../lib/problem.ts";
import type { SpiffeId } from "../model/spiffe.ts";
import { isSignedBy, pathUp, readCertificates, rootOf, spiffeIdOf } from "./certificates.ts";
import { isUsable, renewAt } from "./renewal.ts";

/** One certificate of an authority. Times are milliseconds since the epoch. */
export interface CertificateFacts {
  readonly subject: string;
  /** Hex SHA-256 of it: for a root, its id. */
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface SvidDescription {
  /** Undefined when the certificate names nobody. */
  readonly id: SpiffeId | undefined;
  /** Those above it, the root last when it is reached. */
  readonly issuers: readonly CertificateFacts[];
  readonly notBefore: number;
  readonly notAfter: number;
  /** Hex. */
  readonly serial: string;
  /** About when the node asks for the next one. */
  readonly renewAt: number;
  /** Why peers would refuse it; none when they would not. */
  readonly problems: readonly Problem[];
}

/**
 * Describes the first certificate of a chain.
 * @param chainPem as the proxy shows it
 * @param bundlePem the trusted roots
 * @throws when there is no certificate in the chain, or a broken one
 */
export function describeSvid(chainPem: string, bundlePem: string, now: number): SvidDescription {
  const [leaf, ...intermediates] = readCertificates(chainPem);
  if (leaf === undefined) throw new Error("the chain holds no certificate");
  const roots = readCertificates(bundlePem);
  const path = pathUp(leaf, [...intermediates, ...roots]);
  const notBefore = leaf.validFromDate.getTime();
  const notAfter = leaf.validToDate.getTime();
  const id = spiffeIdOf(leaf);
  return {
    id,
    issuers: path.slice(1).map(factsOf),
    notBefore,
    notAfter,
    serial: leaf.serialNumber.toLowerCase(),
    renewAt: renewAt({ notBefore, notAfter }, 0.5),
    problems: [...(id === undefined ? [invalid("the certificate names no SPIFFE ID")] : []), ...mistakesOfPath(path, roots), ...mistakesOfTime(path, now)],
  };
}

function mistakesOfPath(path: readonly X509Certificate[], roots: readonly X509Certificate[]): readonly Problem[] {
  const top = path.at(-1);
  if (top === undefined || !isSignedBy(top, top)) return [invalid(`nobody who is trusted signed "${nameOf(top)}"`)];
  return roots.some((root) => root.fingerprint256 === top.fingerprint256) ? [] : [invalid(`the root "${nameOf(top)}" is not trusted`)];
}

function mistakesOfTime(path: readonly X509Certificate[], now: number): readonly Problem[] {
  return path
    .filter(({ validFromDate, validToDate }) => !isUsable({ notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }, now))
    .map((certificate) => ({
      code: "svid-not-valid-now",
      message: `"${nameOf(certificate)}" is valid from ${certificate.validFromDate.toISOString()} to ${certificate.validToDate.toISOString()}, not now`,
      hint: "See whether its node reaches the control plane, and look at the clocks of both.",
    }));
}

function invalid(message: string): Problem {
  return { code: "svid-invalid", message, hint: "Restart the workload to get a new certificate." };
}

/** What there is to know of an authority's certificate. */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  return {
    subject: nameOf(certificate),
    fingerprint: rootOf(certificate).id,
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  };
}

function nameOf(certificate: X509Certificate | undefined): string {
  return certificate?.subject?.replaceAll("\n", ", ") ?? (certificate === undefined ? "" : (spiffeIdOf(certificate) ?? certificate.serialNumber));
}
