/** The cluster's certificate authority, and the certificates of its parts and users. */
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./run.ts";

/** Files of one certificate. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Who a certificate is for: a user with groups, or a server at names and addresses. */
export interface Subject {
  readonly name: string;
  readonly groups?: readonly string[];
  /** As OpenSSL writes them: `DNS:name`, `IP:address`. */
  readonly at?: readonly string[];
}

const request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365"];

/** Makes the authority in `dir`. */
export async function makeAuthority(dir: string): Promise<Certificate> {
  const files = filesOf(dir, "ca");
  await run([...request, "-keyout", files.key, "-out", files.cert, "-subj", "/CN=weir-test-cluster"]);
  return files;
}

/** Signs a certificate for `subject`; its files are `dir/FILE.crt` and `dir/FILE.key`. */
export async function issue(dir: string, file: string, subject: Subject): Promise<Certificate> {
  const [authority, files] = [filesOf(dir, "ca"), filesOf(dir, file)];
  const name = [...(subject.groups ?? []).map((group) => `/O=${group}`), `/CN=${subject.name}`].join("");
  const names = subject.at === undefined ? [] : ["-addext", `subjectAltName=${subject.at.join(",")}`];
  const usage = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth,clientAuth", ...names];
  await run([...request, "-CA", authority.cert, "-CAkey", authority.key, "-keyout", files.key, "-out", files.cert, "-subj", name, ...usage]);
  return files;
}

/** Makes the pair of keys that ServiceAccount tokens are signed and checked with. */
export function makeTokenKeys(dir: string): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const files = { privateKey: path.join(dir, "tokens.key"), publicKey: path.join(dir, "tokens.pub") };
  writeFileSync(files.privateKey, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  writeFileSync(files.publicKey, publicKey.export({ type: "spki", format: "pem" }));
  return files;
}

function filesOf(dir: string, file: string): Certificate {
  return { cert: path.join(dir, `${file}.crt`), key: path.join(dir, `${file}.key`) };
}
