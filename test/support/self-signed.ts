/** A certificate with its key for tests that only need one that is valid. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A self-signed certificate (ECDSA P-256) and its key, PEM. */
export function selfSigned(name: string): { readonly certificate: string; readonly key: string } {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-pair-"));
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", `/CN=${name}`];
  try {
    execFileSync("openssl", [...made, "-keyout", path.join(dir, "key"), "-out", path.join(dir, "crt")], { stdio: "ignore" });
    return { certificate: readFileSync(path.join(dir, "crt"), "utf8"), key: readFileSync(path.join(dir, "key"), "utf8") };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
