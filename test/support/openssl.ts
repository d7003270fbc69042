/** The openssl program: authorities as users make them, and a second opinion. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface OpensslCa {
  readonly certificate: string;
  readonly key: string;
}

export interface OpensslCaOptions {
  readonly name: string;
  /** Arguments of `openssl genpkey`. */
  readonly key?: readonly string[];
  readonly extensions?: string;
  readonly days?: number;
  readonly issuer?: OpensslCa;
}

export const p256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/** Makes an authority in `folder`: below its issuer, or self-signed. */
export function opensslCa(folder: string, options: OpensslCaOptions): OpensslCa {
  const { name, key = p256, extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign", days = 30, issuer } = options;
  const file = (suffix: string): string => path.join(folder, `${name}.${suffix}`);
  execFileSync("openssl", ["genpkey", ...key, "-out", file("key")], { stdio: "ignore" });
  execFileSync("openssl", ["req", "-new", "-key", file("key"), "-subj", `/CN=${name}`, "-out", file("csr")], { stdio: "ignore" });
  writeFileSync(file("ext"), `${extensions}\nsubjectKeyIdentifier=hash\n`);
  const signing = ["x509", "-req", "-in", file("csr"), "-extfile", file("ext"), "-days", String(days), "-out", file("pem")];
  if (issuer === undefined) {
    execFileSync("openssl", [...signing, "-key", file("key")], { stdio: "ignore" });
  } else {
    writeFileSync(file("issuer"), `${issuer.certificate}\n${issuer.key}`);
    execFileSync("openssl", [...signing, "-CA", file("issuer"), "-CAkey", file("issuer"), "-CAcreateserial"], { stdio: "ignore" });
  }
  return { certificate: readFileSync(file("pem"), "utf8"), key: readFileSync(file("key"), "utf8") };
}

/** A self-signed certificate for the host `name`, and its key. */
export function selfSigned(name: string): OpensslCa {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-pair-"));
  try {
    return opensslCa(folder, { name, extensions: `basicConstraints=critical,CA:TRUE\nsubjectAltName=DNS:${name}` });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `openssl verify -x509_strict` says about a chain: "OK", or its complaint. */
export function opensslVerify(folder: string, chain: string, roots: string, ...more: readonly string[]): string {
  const [leaf = "", ...above] = chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  const write = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const untrusted = above.join("").trim() === "" ? [] : ["-untrusted", write("above.pem", above.join(""))];
  const args = ["verify", "-x509_strict", "-CAfile", write("roots.pem", roots), ...untrusted, ...more, write("leaf.pem", leaf)];
  const { status, stderr, stdout } = spawnSync("openssl", args, { encoding: "utf8" });
  return status === 0 ? "OK" : stderr + stdout;
}
