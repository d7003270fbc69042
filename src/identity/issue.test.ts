/** What the authority makes, judged by node:crypto and by openssl. */
import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { X509Certificate as ParsedCertificate } from "@peculiar/x509";
import { certified, publicKeyOf, someSigner, spiffe } from "../../test/support/certificates.ts";
import { opensslVerify } from "../../test/support/openssl.ts";
import { temporaryFolder } from "../../test/support/real.ts";
import { defaultTrustDomain } from "../model/spiffe.ts";
import { createOwnCa, renewIntermediate } from "./authority.ts";
import { caExtensions, readCertificates, spiffeIdOf } from "./certificates.ts";
import { createSigner, issueSvid } from "./issue.ts";
import { createKeyPair } from "./keys.ts";

const dayMs = 86_400_000;
const web = "spiffe://weir.local/ns/shop/sa/web";

test("an SVID has what the SPIFFE X.509-SVID specification asks, and nothing else", async () => {
  const now = Date.now();
  const svid = await certified(await someSigner(now), web, now);
  const certificate = new X509Certificate(svid.chain);
  assert.equal(certificate.subject, undefined);
  assert.equal(certificate.subjectAltName, `URI:${web}`);
  assert.equal(spiffeIdOf(certificate), web);
  assert.equal(certificate.ca, false);
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(svid.key)));
  assert.equal(certificate.validToDate.getTime(), svid.notAfter);
  assert.equal(certificate.validFromDate.getTime(), svid.notBefore);
  assert.ok(Math.abs(svid.notAfter - now - dayMs) <= 1000);
  assert.ok(now - svid.notBefore >= 60_000 && now - svid.notBefore < 61_000);
  const critical = Array.from(new ParsedCertificate(certificate.raw).extensions, ({ type, critical }) => `${type}${critical ? "!" : ""}`);
  assert.deepEqual(critical.sort(), ["2.5.29.14", "2.5.29.15!", "2.5.29.17!", "2.5.29.19!", "2.5.29.35", "2.5.29.37"]);
});

test("serial numbers have 16 bytes and never come twice", async () => {
  const signer = await someSigner();
  const spki = await publicKeyOf(await createKeyPair());
  const serials = new Set<string>();
  for (let i = 0; i < 50; i += 1) serials.add((await issueSvid(signer, spiffe(web), spki, Date.now())).serial);
  assert.equal(serials.size, 50);
  for (const serial of serials) assert.match(serial, /^[4-7][0-9a-f]{31}$/);
});

test("openssl accepts the chain as server and as client, in its strictest mode", async (t) => {
  const signer = await someSigner();
  const { chain } = await certified(signer, web);
  for (const purpose of ["sslserver", "sslclient"]) assert.equal(opensslVerify(temporaryFolder(t), chain, signer.ca.root.pem, "-purpose", purpose), "OK");
  assert.match(opensslVerify(temporaryFolder(t), chain, (await someSigner()).ca.root.pem), /unable to get|verification failed/);
});

test("node:crypto follows the chain; root and intermediate may sign what they should", async () => {
  const signer = await someSigner();
  const [leaf, intermediate] = readCertificates((await certified(signer, web)).chain);
  const root = new X509Certificate(signer.ca.root.pem);
  assert.ok(leaf !== undefined && intermediate !== undefined);
  assert.ok(leaf.checkIssued(intermediate) && leaf.verify(intermediate.publicKey));
  assert.ok(intermediate.checkIssued(root) && intermediate.verify(root.publicKey));
  assert.deepEqual(caExtensions(intermediate), { isCa: true, pathLength: 0, canSignCertificates: true });
  assert.deepEqual(caExtensions(root), { isCa: true, pathLength: 1, canSignCertificates: true });
  assert.equal(Math.round((root.validToDate.getTime() - Date.now()) / dayMs), 3650);
  assert.equal(Math.round((intermediate.validToDate.getTime() - Date.now()) / dayMs), 365);
});

test("an SVID never outlives its issuer, and an expired issuer signs nothing", async () => {
  const now = Date.now();
  const signer = await someSigner(now);
  const spki = await publicKeyOf(await createKeyPair());
  const late = signer.ca.notAfter - 3_600_000;
  assert.equal((await issueSvid(signer, spiffe(web), spki, late)).notAfter, signer.ca.notAfter);
  await assert.rejects(issueSvid(signer, spiffe(web), spki, signer.ca.notAfter), /not valid now/);
  const early = await issueSvid(signer, spiffe(web), spki, now);
  assert.equal(early.notBefore, signer.ca.notBefore);
});

test("a new intermediate stands below the same root, and ends with it", async (t) => {
  const now = Date.now();
  const before = await createOwnCa(defaultTrustDomain, now);
  const after = await renewIntermediate(defaultTrustDomain, before, now + 200 * dayMs);
  assert.equal(after.root.id, before.root.id);
  assert.notEqual(after.certificate, before.certificate);
  assert.equal((await renewIntermediate(defaultTrustDomain, before, now + 3600 * dayMs)).notAfter, before.rootNotAfter);
  const { chain } = await certified(await createSigner(after), web, now + 200 * dayMs);
  const at = String(Math.floor((now + 200 * dayMs) / 1000));
  assert.equal(opensslVerify(temporaryFolder(t), chain, before.root.pem, "-attime", at), "OK");
});
