import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { p256 } from "../../test/support/openssl.ts";
import { temporaryFolder } from "../../test/support/real.ts";
import { runs } from "../../test/support/runs.ts";
import { createKeyPair, signingAlgorithm } from "./keys.ts";
import { createRequest, verifyRequest } from "./request.ts";

test("a request gives its key, whoever made it, and what it asks for besides is ignored", async (t) => {
  const keys = await createKeyPair();
  const ours = await verifyRequest(await createRequest(keys));
  assert.ok(ours.ok);
  assert.ok(createPublicKey({ key: Buffer.from(ours.value), format: "der", type: "spki" }).equals(createPublicKey(keys.privatePem)));
  const theirs = await verifyRequest(opensslRequest(temporaryFolder(t), p256));
  assert.ok(theirs.ok);
});

function opensslRequest(folder: string, key: readonly string[]): Buffer {
  const file = path.join(folder, "key.pem");
  execFileSync("openssl", ["genpkey", ...key, "-out", file], { stdio: "ignore" });
  const names = ["-subj", "/CN=root", "-addext", "subjectAltName=URI:spiffe://weir.local/ns/weir-system/sa/weir-control"];
  execFileSync("openssl", ["req", "-new", "-key", file, ...names, "-outform", "DER", "-out", path.join(folder, "csr")], { stdio: "ignore" });
  return readFileSync(path.join(folder, "csr"));
}

test("openssl says that our requests are signed by their own key", async () => {
  const input = await createRequest(await createKeyPair());
  execFileSync("openssl", ["req", "-inform", "DER", "-noout", "-verify"], { input, stdio: ["pipe", "ignore", "ignore"] });
});

test("only P-256: not P-384, not RSA, not Ed25519", async (t) => {
  const others = [
    ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    ["-algorithm", "RSA"],
    ["-algorithm", "ED25519"],
  ];
  for (const key of others) {
    const result = await verifyRequest(opensslRequest(temporaryFolder(t), key));
    assert.equal(result.ok ? "accepted" : result.problems[0]?.code, "csr-key-unsupported", key.join(" "));
  }
});

test("somebody else's key is refused: the signature must be by the key that is certified", async () => {
  const [mine, theirs] = [await createKeyPair(), await createKeyPair()];
  const forged = await createRequest({ ...mine, publicKey: theirs.publicKey });
  const result = await verifyRequest(forged);
  assert.equal(result.ok ? "accepted" : result.problems[0]?.code, "csr-invalid");
});

test("a request with any bits turned is refused or still gives its signer's key, and never throws", async () => {
  const good = await createRequest(await createKeyPair());
  const before = await verifyRequest(good);
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
      const broken = Uint8Array.from(good);
      broken[at] = (broken[at] ?? 0) ^ bits;
      const after = await verifyRequest(broken);
      // The library is lenient about lengths outside of what is signed.
      if (after.ok) assert.deepEqual(after, before, `byte ${at} ^ ${bits}`);
    }),
    { numRuns: runs(150) },
  );
});

test("garbage and what is too long are refused", async () => {
  for (const bytes of [new Uint8Array(), Buffer.from("hello"), new Uint8Array(5000)]) assert.equal((await verifyRequest(bytes)).ok, false);
});

test("what an authority's key may be", () => {
  assert.equal(signingAlgorithm(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey)?.hash, "SHA-384");
  assert.equal(signingAlgorithm(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey)?.name, "RSASSA-PKCS1-v1_5");
  assert.equal(signingAlgorithm(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey), undefined);
  assert.equal(signingAlgorithm(generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey), undefined);
  assert.equal(signingAlgorithm(generateKeyPairSync("ed25519").publicKey), undefined);
});
