/** Authorities that users bring, made by openssl. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { certified } from "../../test/support/certificates.ts";
import { opensslCa, opensslVerify, p256 } from "../../test/support/openssl.ts";
import { temporaryFolder } from "../../test/support/real.ts";
import { createSigner } from "./issue.ts";
import { type CaFiles, checkPlugIn, readCaFolder } from "./plug-in.ts";

const web = "spiffe://weir.local/ns/shop/sa/web";
const p384 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

function codesOf(files: CaFiles, now = Date.now()): readonly string[] {
  const result = checkPlugIn(files, now);
  return result.ok ? [] : result.problems.map(({ code }) => code);
}

for (const [kind, key] of Object.entries({ "P-256": p256, "P-384": p384, "RSA 2048": rsa })) {
  test(`Istio's layout in a folder, ${kind}: openssl accepts what it signs`, async (t) => {
    const folder = temporaryFolder(t);
    const root = opensslCa(folder, { name: "root", key });
    const middle = opensslCa(folder, { name: "middle", key, issuer: root });
    const signer = opensslCa(folder, { name: "signer", key, issuer: middle });
    const files = {
      "ca-cert.pem": signer.certificate,
      "ca-key.pem": signer.key,
      "cert-chain.pem": signer.certificate + middle.certificate,
      "root-cert.pem": root.certificate,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    writeFileSync(path.join(folder, "notes.txt"), "not ours");
    const result = checkPlugIn(await readCaFolder(folder), Date.now());
    assert.ok(result.ok);
    const { chain } = await certified(await createSigner(result.value), web);
    assert.equal(chain.match(/BEGIN/g)?.length, 3);
    assert.equal(opensslVerify(folder, chain, root.certificate), "OK");
  });
}

test("cert-manager's layout: the chain is in tls.crt", async (t) => {
  const folder = temporaryFolder(t);
  const root = opensslCa(folder, { name: "root" });
  const signer = opensslCa(folder, { name: "signer", issuer: root });
  const result = checkPlugIn({ "tls.crt": signer.certificate, "tls.key": signer.key, "ca.crt": root.certificate }, Date.now());
  assert.ok(result.ok);
  assert.equal(result.value.origin, "plug-in");
  assert.equal(opensslVerify(folder, (await certified(await createSigner(result.value), web)).chain, root.certificate), "OK");
});

test("a root that signs itself, as cert-manager's self-signed issuers make them", async (t) => {
  const folder = temporaryFolder(t);
  const root = opensslCa(folder, { name: "root" });
  const result = checkPlugIn({ "tls.crt": root.certificate, "tls.key": root.key }, Date.now());
  assert.ok(result.ok);
  assert.equal(result.value.intermediates, "");
  assert.equal(opensslVerify(folder, (await certified(await createSigner(result.value), web)).chain, root.certificate), "OK");
});

test("more roots beside the own one are trusted too", (t) => {
  const folder = temporaryFolder(t);
  const root = opensslCa(folder, { name: "root" });
  const other = opensslCa(folder, { name: "other" });
  const result = checkPlugIn({ "tls.crt": root.certificate, "tls.key": root.key, "ca.crt": root.certificate + other.certificate }, Date.now());
  assert.ok(result.ok);
  assert.equal(result.value.alsoTrusted.length, 1);
});

test("files that are missing or no PEM", (t) => {
  const { certificate, key } = opensslCa(temporaryFolder(t), { name: "root" });
  assert.deepEqual(codesOf({}), ["ca-file-missing"]);
  assert.deepEqual(codesOf({ "tls.crt": certificate }), ["ca-file-missing"]);
  assert.deepEqual(codesOf({ "ca-key.pem": key, "ca-cert.pem": " " }), ["ca-file-missing"]);
  assert.deepEqual(codesOf({ "tls.crt": "hello", "tls.key": key }), ["ca-unreadable"]);
  assert.deepEqual(codesOf({ "tls.crt": certificate, "tls.key": "hello" }), ["ca-unreadable"]);
  const broken = certificate.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
  assert.deepEqual(codesOf({ "tls.crt": certificate, "tls.key": key, "ca.crt": broken }), ["ca-unreadable"]);
});

test("a key of somebody else, a chain with a hole, a time that is over or not yet come", (t) => {
  const folder = temporaryFolder(t);
  const root = opensslCa(folder, { name: "root" });
  const signer = opensslCa(folder, { name: "signer", issuer: root });
  assert.deepEqual(codesOf({ "tls.crt": signer.certificate, "tls.key": root.key, "ca.crt": root.certificate }), ["ca-key-mismatch"]);
  assert.deepEqual(codesOf({ "tls.crt": signer.certificate, "tls.key": signer.key }), ["ca-chain-broken"]);
  const stranger = opensslCa(folder, { name: "root" });
  assert.deepEqual(codesOf({ "tls.crt": signer.certificate, "tls.key": signer.key, "ca.crt": stranger.certificate }), ["ca-chain-broken"]);
  const files = { "tls.crt": signer.certificate, "tls.key": signer.key, "ca.crt": root.certificate };
  const yearMs = 365 * 86_400_000;
  assert.deepEqual(codesOf(files, Date.now() + yearMs), ["ca-not-valid-now", "ca-not-valid-now"]);
  assert.deepEqual(codesOf(files, Date.now() - yearMs), ["ca-not-valid-now", "ca-not-valid-now"]);
});

test("certificates that may not sign, and paths that are too short", (t) => {
  const folder = temporaryFolder(t);
  const root = opensslCa(folder, { name: "root" });
  const below = (extensions: string) => {
    const signer = opensslCa(folder, { name: "signer", issuer: root, extensions });
    return { "tls.crt": signer.certificate, "tls.key": signer.key, "ca.crt": root.certificate };
  };
  assert.deepEqual(codesOf(below("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyCertSign")), ["ca-not-authority"]);
  assert.deepEqual(codesOf(below("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature")), ["ca-not-authority"]);
  const short = opensslCa(folder, { name: "short", extensions: "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign" });
  const signer = opensslCa(folder, { name: "signer", issuer: short });
  assert.deepEqual(codesOf({ "tls.crt": signer.certificate, "tls.key": signer.key, "ca.crt": short.certificate }), ["ca-not-authority"]);
});

test("weak and strange keys", (t) => {
  const folder = temporaryFolder(t);
  for (const key of [
    ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    ["-algorithm", "ED25519"],
  ]) {
    const { certificate, key: pem } = opensslCa(folder, { name: "root", key });
    assert.deepEqual(codesOf({ "tls.crt": certificate, "tls.key": pem }), ["ca-key-unsupported"]);
  }
});
