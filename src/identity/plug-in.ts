/** A certificate authority that the user brings: an intermediate with its key, in the layout of Istio or of cert-manager. */
import { createPrivateKey, createPublicKey, type KeyObject, type X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { caExtensions, pathUp, pemOf, readCertificates, rootOf } from "./certificates.ts";
import { signingAlgorithm } from "./keys.ts";
import type { SigningCa } from "./signing-ca.ts";

/** The files of a folder, or the data of a Secret, by name. */
export type CaFiles = Readonly<Record<string, string>>;

/** The names that mean something in a folder or Secret of a certificate authority. */
const layouts = [
  { certificate: "ca-cert.pem", key: "ca-key.pem", chain: "cert-chain.pem", roots: "root-cert.pem" },
  { certificate: "tls.crt", key: "tls.key", chain: "tls.crt", roots: "ca.crt" },
] as const;

type Layout = (typeof layouts)[number];

/** Reads those files of a folder that belong to one of the layouts. Throws when the folder cannot be read. */
export async function readCaFolder(folder: string): Promise<CaFiles> {
  const known: ReadonlySet<string> = new Set(layouts.flatMap((layout) => Object.values(layout)));
  const names = (await readdir(folder)).filter((name) => known.has(name));
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(path.join(folder, name), "utf8")] as const)));
}

/**
 * Checks an authority that the user brings, up to its root, and collects everything that is wrong with it.
 * @param files a folder's (`ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`, `root-cert.pem`) or a `kubernetes.io/tls` Secret's (`tls.crt`, `tls.key`, `ca.crt`)
 * @param now at which everything must be valid
 */
export function checkPlugIn(files: CaFiles, now: number): Result<SigningCa> {
  const layout = layouts.find(({ certificate, key }) => certificate in files || key in files);
  if (layout === undefined) return failed(problem("ca-file-missing", "there are no files of a certificate authority"));
  const missing = [layout.certificate, layout.key].filter((name) => (files[name] ?? "").trim() === "");
  if (missing.length > 0) return failed(...missing.map((name) => problem("ca-file-missing", `the certificate authority has no ${name}`)));
  const read = readMaterial(files, layout);
  if (!read.ok) return read;
  const { signer, key, others } = read.value;
  const path = pathUp(signer, others);
  const problems = [...mistakesOfKey(signer, key, layout), ...mistakesOfPath(path, now)];
  if (problems.length > 0) return failed(...problems);
  return ok(asSigningCa(path, files[layout.key] ?? "", read.value.roots));
}

interface Material {
  readonly signer: X509Certificate;
  readonly key: KeyObject;
  readonly others: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
}

function readMaterial(files: CaFiles, layout: Layout): Result<Material> {
  const problems: Problem[] = [];
  const attempt = <T>(name: string, read: (text: string) => T): T | undefined => {
    try {
      return read(files[name] ?? "");
    } catch {
      problems.push(problem("ca-unreadable", `${name} of the certificate authority cannot be read`));
      return undefined;
    }
  };
  const [signer, ...rest] = attempt(layout.certificate, readCertificates) ?? [];
  if (signer === undefined && problems.length === 0) problems.push(problem("ca-unreadable", `${layout.certificate} holds no certificate`));
  const chain = attempt(layout.chain, readCertificates) ?? [];
  const roots = attempt(layout.roots, readCertificates) ?? [];
  const key = attempt(layout.key, createPrivateKey);
  if (signer === undefined || key === undefined || problems.length > 0) return failed(...problems);
  return ok({ signer, key, others: [...rest, ...chain, ...roots], roots });
}

function mistakesOfKey(signer: X509Certificate, key: KeyObject, layout: Layout): readonly Problem[] {
  const isPair = createPublicKey(key).equals(signer.publicKey);
  return isPair ? [] : [problem("ca-key-mismatch", `${layout.key} is not the key of the certificate in ${layout.certificate}`)];
}

function mistakesOfPath(path: readonly X509Certificate[], now: number): readonly Problem[] {
  const problems = path.flatMap((certificate, below) => mistakesOfAuthority(certificate, below, now));
  const top = path.at(-1);
  const reachesRoot = top?.checkIssued(top) === true && top.verify(top.publicKey);
  if (!reachesRoot) problems.push(problem("ca-chain-broken", `nobody here signed "${nameOf(top)}", and it is no root`));
  return problems;
}

/** @param below how many authorities are between this one and the SVIDs */
function mistakesOfAuthority(certificate: X509Certificate, below: number, now: number): Problem[] {
  const name = nameOf(certificate);
  const problems: Problem[] = [];
  const { isCa, canSignCertificates, pathLength } = caExtensions(certificate);
  if (!isCa || !canSignCertificates) problems.push(problem("ca-not-authority", `"${name}" may not sign certificates: it lacks CA:TRUE or keyCertSign`));
  if (pathLength !== undefined && pathLength < below)
    problems.push(problem("ca-not-authority", `"${name}" allows ${pathLength} authorities below it, there are ${below}`));
  if (certificate.validToDate.getTime() <= now) problems.push(problem("ca-not-valid-now", `"${name}" expired at ${certificate.validToDate.toISOString()}`));
  if (certificate.validFromDate.getTime() > now)
    problems.push(problem("ca-not-valid-now", `"${name}" is valid from ${certificate.validFromDate.toISOString()} on`));
  if (signingAlgorithm(certificate.publicKey) === undefined) problems.push(problem("ca-key-unsupported", `the key of "${name}" is not supported`));
  return problems;
}

function asSigningCa(path: readonly X509Certificate[], key: string, roots: readonly X509Certificate[]): SigningCa {
  const [signer] = path;
  const top = path.at(-1);
  if (signer === undefined || top === undefined) throw new Error("a path has at least one certificate");
  const root = rootOf(top);
  return {
    origin: "plug-in",
    certificate: pemOf(signer),
    key,
    intermediates: path
      .filter((certificate) => certificate !== top)
      .map(pemOf)
      .join(""),
    root,
    alsoTrusted: roots.map(rootOf).filter(({ id }) => id !== root.id),
    notBefore: Math.max(...path.map((certificate) => certificate.validFromDate.getTime())),
    notAfter: Math.min(...path.map((certificate) => certificate.validToDate.getTime())),
    rootNotAfter: top.validToDate.getTime(),
  };
}

function nameOf(certificate: X509Certificate | undefined): string {
  return certificate?.subject?.replaceAll("\n", ", ") ?? "a certificate without a name";
}

const hints: Readonly<Record<string, string>> = {
  "ca-file-missing": "Give ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem, or tls.crt, tls.key and ca.crt.",
  "ca-unreadable": "Write certificates and the key as PEM, the key without a passphrase.",
  "ca-key-mismatch": "Take certificate and key from the same place, and replace both at once.",
  "ca-chain-broken": "Add the missing certificates up to the self-signed root.",
  "ca-not-authority": "Issue it again with CA:TRUE, keyCertSign and a path length that is long enough.",
  "ca-not-valid-now": "Renew it, and look at the clocks.",
  "ca-key-unsupported": "Use ECDSA P-256 or P-384, or RSA from 2048 bits on.",
};

function problem(code: string, message: string): Problem {
  const hint = hints[code];
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
