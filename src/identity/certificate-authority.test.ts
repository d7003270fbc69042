import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, publicKeyOf, someAuthority, spiffe } from "../../test/support/certificates.ts";
import { opensslCa, opensslVerify } from "../../test/support/openssl.ts";
import { temporaryFolder } from "../../test/support/real.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { defaultTrustDomain, type TrustDomain } from "../model/spiffe.ts";
import { createOwnCa } from "./authority.ts";
import { bundlePem } from "./bundle.ts";
import { openCertificateAuthority } from "./certificate-authority.ts";
import { describeSvid } from "./describe.ts";
import { createKeyPair } from "./keys.ts";
import { checkPlugIn } from "./plug-in.ts";

const dayMs = 86_400_000;
const start = Date.UTC(2027, 0, 1);
const web = spiffe("spiffe://weir.local/ns/shop/sa/web");

async function key() {
  return { id: web, spki: await publicKeyOf(await createKeyPair()) };
}

test("the authority is made once, kept before it is used, and the same after a restart", async () => {
  const store = memoryStore();
  const clock = new VirtualClock({ now: start });
  const first = await someAuthority(clock, store);
  assert.equal(store.saves, 1);
  const second = await someAuthority(clock, store);
  assert.deepEqual(second.state.get(), first.state.get());
  assert.deepEqual(second.bundle.get(), first.bundle.get());
});

test("what a node gets is kept before the first signature; when it cannot be kept, nothing is signed", async () => {
  const store = memoryStore();
  const authority = await someAuthority(new VirtualClock({ now: start }), store);
  const [svid] = await authority.issue("one", [await key()]);
  assert.ok(svid !== undefined && store.text?.includes('"one"') === true);
  store.save = () => Promise.reject(new Error("disk full"));
  await assert.rejects(authority.issue("two", [await key()]), /disk full/);
  assert.equal(authority.state.get().nodes["two"], undefined);
});

test("another trust domain's state, and a broken one, are not replaced by a new authority", async () => {
  const store = memoryStore();
  const clock = new VirtualClock({ now: start });
  await someAuthority(clock, store);
  await assert.rejects(openCertificateAuthority({ clock, store, trustDomain: "other.example" as TrustDomain }), /weir\.local, not of other\.example/);
  store.text = "broken";
  await assert.rejects(someAuthority(clock, store), /cannot be read/);
});

test("twelve years: intermediates and roots are renewed, and every certificate is good when it is made", async () => {
  const clock = new VirtualClock({ now: start });
  const authority = await someAuthority(clock);
  const first = authority.bundle.get().own.roots[0]?.id;
  const intermediates = new Set<string>();
  for (let step = 0; step < 73; step += 1) {
    await clock.advance(60 * dayMs);
    await authority.tick();
    const [svid] = await authority.issue("one", [await key()]);
    assert.ok(svid !== undefined);
    intermediates.add(authority.state.get().rotation.signer.certificate);
    const described = describeSvid(svid.chain, bundlePem(authority.bundle.get()), clock.now());
    assert.deepEqual(described.problems, []);
    assert.equal(described.notAfter - clock.now(), dayMs, "a whole day");
  }
  assert.ok(intermediates.size >= 20, `${intermediates.size} intermediates`);
  assert.ok(!authority.bundle.get().own.roots.some(({ id }) => id === first), "the first root is gone");
});

test("a plug-in in place of our own authority: both trusted until the old certificates are gone", async (t) => {
  const folder = temporaryFolder(t);
  const root = opensslCa(folder, { name: "root" });
  const now = Date.now();
  const clock = new VirtualClock({ now });
  const store = memoryStore();
  const own = await someAuthority(clock, store);
  const [before] = await own.issue("one", [await key()]);
  const plugIn = checkPlugIn({ "tls.crt": root.certificate, "tls.key": root.key }, now + 2000);
  assert.ok(plugIn.ok && before !== undefined);
  const authority = await openCertificateAuthority({ clock, store, trustDomain: defaultTrustDomain, plugIn: plugIn.value });
  const roots = bundlePem(authority.bundle.get());
  assert.equal(authority.state.get().rotation.phase, "spreading");
  assert.deepEqual(describeSvid(before.chain, roots, now).problems, []);
  await authority.report("one", { trusts: authority.bundle.get().own.roots.map(({ id }) => id), signedBy: [before.root] });
  assert.equal(authority.state.get().rotation.phase, "moving");
  const [after] = await authority.issue("one", [await key()]);
  assert.equal(after?.root, plugIn.value.root.id);
  assert.equal(opensslVerify(folder, after.chain, root.certificate), "OK");
  await authority.report("one", { trusts: authority.bundle.get().own.roots.map(({ id }) => id), signedBy: [after.root] });
  assert.deepEqual(
    authority.bundle.get().own.roots.map(({ id }) => id),
    [after.root],
  );
});

test("a wish for a new root is granted once, also over restarts; while another replacement runs it waits", async () => {
  const store = memoryStore();
  const clock = new VirtualClock({ now: start });
  const authority = await someAuthority(clock, store);
  const [svid] = await authority.issue("one", [await key()]);
  const ids = (): readonly string[] => authority.bundle.get().own.roots.map(({ id }) => id);
  assert.ok((await authority.replaceRoot("first")).ok);
  assert.equal(ids().length, 2);
  const roots = ids();
  assert.ok((await authority.replaceRoot("first")).ok);
  assert.deepEqual(ids(), roots);
  await authority.report("one", { trusts: ids(), signedBy: [svid?.root ?? ""] });
  assert.equal(authority.state.get().rotation.phase, "moving");
  const second = await authority.replaceRoot("second");
  assert.deepEqual(second.ok ? [] : second.problems.map(({ code }) => code), ["rotation-running"]);
  const again = await someAuthority(clock, store);
  assert.ok((await again.replaceRoot("first")).ok);
  assert.deepEqual(again.state.get(), authority.state.get());
  await clock.advance(2 * dayMs);
  await again.tick();
  assert.ok((await again.replaceRoot("second")).ok);
  assert.notEqual(again.state.get().rotation.signer.root.id, authority.state.get().rotation.signer.root.id);
});

test("aliases have roots of their own, which are no roots for who cannot tell trust domains apart", async () => {
  const clock = new VirtualClock({ now: start });
  const other = await createOwnCa("old.example" as TrustDomain, start);
  const authority = await someAuthority(clock);
  authority.setAliases([{ trustDomain: "old.example" as TrustDomain, roots: [other.root] }]);
  const bundle = authority.bundle.get();
  assert.deepEqual(bundle.aliases[0]?.roots, [other.root]);
  assert.equal(bundlePem(bundle), bundle.own.roots[0]?.pem);
  await authority.replaceSigner(await createOwnCa(defaultTrustDomain, start));
  assert.deepEqual(authority.bundle.get().aliases, bundle.aliases, "another root of ours changes nothing of them");
});

test("a description says what is wrong", async () => {
  const clock = new VirtualClock({ now: start });
  const authority = await someAuthority(clock);
  const stranger = await someAuthority(clock);
  const [svid] = await authority.issue("one", [await key()]);
  assert.ok(svid !== undefined);
  const roots = bundlePem(authority.bundle.get());
  const good = describeSvid(svid.chain, roots, start);
  assert.equal(good.id, web);
  assert.equal(good.serial, svid.serial);
  assert.match(good.issuers.map(({ subject }) => subject).join(" < "), /Weir intermediate .* < .*Weir root/);
  assert.ok(Math.abs(good.renewAt - start - dayMs / 2) < 60_000);
  const codes = (chain: string, bundle: string, now: number) => describeSvid(chain, bundle, now).problems.map(({ code }) => code);
  assert.deepEqual(codes(svid.chain, roots, start + dayMs), ["svid-not-valid-now"]);
  assert.deepEqual(codes(svid.chain, bundlePem(stranger.bundle.get()), start), ["svid-invalid"]);
  assert.deepEqual(codes(svid.chain.slice(0, svid.chain.indexOf("-----END") + 26), roots, start), ["svid-invalid"]);
  assert.deepEqual(codes(authority.bundle.get().own.roots[0]?.pem ?? "", roots, start), ["svid-invalid"]);
  assert.throws(() => describeSvid("", roots, start), /no certificate/);
});
