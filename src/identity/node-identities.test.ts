import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { type TestContext, test } from "node:test";
import { memoryStore, someAuthority, spiffe } from "../../test/support/certificates.ts";
import { eventually, silentLog } from "../../test/support/real.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { Cell } from "../lib/cell.ts";
import { defaultTrustDomain, type SpiffeId } from "../model/spiffe.ts";
import { createOwnCa } from "./authority.ts";
import { type CertificateClient, createLocalClient, type SvidRequest } from "./certificate-client.ts";
import { keepNodeIdentities, type NodeIdentitiesOptions } from "./node-identities.ts";
import type { NodeReport } from "./rotation.ts";

const hourMs = 3_600_000;
const web = spiffe("spiffe://weir.local/ns/shop/sa/web");
const cart = spiffe("spiffe://weir.local/ns/shop/sa/cart");
const ids = (...list: SpiffeId[]): ReadonlySet<SpiffeId> => new Set(list);

interface Seen {
  readonly calls: (readonly SvidRequest[])[];
  readonly reports: (NodeReport | undefined)[];
  isAway: boolean;
  readonly refused: Set<SpiffeId>;
}

function spied(client: CertificateClient, seen: Seen): CertificateClient {
  return {
    async issue(requests, report, signal) {
      seen.calls.push(requests);
      seen.reports.push(report);
      if (seen.isAway) throw new Error("nobody there");
      const allowed = requests.filter(({ id }) => !seen.refused.has(id));
      const issued = await client.issue(allowed, report, signal);
      const answers = new Map(allowed.map(({ id }, at) => [id, issued.answers[at]] as const));
      return { ...issued, answers: requests.map(({ id }) => answers.get(id) ?? { kind: "refused", code: "identity-not-here", reason: "no" }) };
    },
  };
}

async function keeper(t: TestContext, wanted: Cell<ReadonlySet<SpiffeId>>, more: Partial<NodeIdentitiesOptions> = {}) {
  const clock = new VirtualClock({ now: Date.UTC(2027, 0, 1), atRest: 1 });
  const authority = await someAuthority(clock, memoryStore());
  const seen: Seen = { calls: [], reports: [], isAway: false, refused: new Set() };
  const ended = new AbortController();
  t.after(() => ended.abort());
  const client = spied(createLocalClient(authority, "one"), seen);
  const held = keepNodeIdentities({ clock, log: silentLog, wanted, client, random: () => 0.5, ...more }, ended.signal);
  await clock.rest();
  return { clock, authority, seen, held };
}

test("what is wanted is asked for together, shown with its own key and the roots", async (t) => {
  const { held, seen, authority } = await keeper(t, new Cell(ids(web, cart)));
  const { svids, bundle } = held.get();
  assert.deepEqual([...svids.keys()], [web, cart]);
  assert.deepEqual(bundle, authority.bundle.get());
  assert.equal(seen.calls.length, 1);
  for (const { id, key, chain } of svids.values()) {
    const certificate = new X509Certificate(chain);
    assert.equal(certificate.subjectAltName, `URI:${id}`);
    assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
  }
  assert.notEqual(svids.get(web)?.key, svids.get(cart)?.key);
  for (const { csr } of seen.calls.flat()) assert.ok(!Buffer.from(csr).includes("PRIVATE"));
});

test("renewed at half of its life with a new key, also a week long", async (t) => {
  const { clock, held, seen } = await keeper(t, new Cell(ids(web)));
  const first = held.get().svids.get(web);
  await clock.advance(11 * hourMs);
  assert.equal(held.get().svids.get(web), first);
  await clock.advance(2 * hourMs);
  await clock.rest();
  const second = held.get().svids.get(web);
  assert.notEqual(second?.key, first?.key);
  for (let day = 0; day < 7; day += 1) {
    await clock.advance(24 * hourMs);
    assert.ok((held.get().svids.get(web)?.notAfter ?? 0) > clock.now() + 10 * hourMs);
  }
  const renewals = seen.calls.filter((requests) => requests.length > 0).length;
  assert.ok(renewals >= 14 && renewals <= 18, `${renewals} renewals`);
});

test("a new wish is asked for at once and alone; what is no longer wanted goes at once", async (t) => {
  const wanted = new Cell(ids(web));
  const { held, seen, clock } = await keeper(t, wanted);
  wanted.set(ids(web, cart));
  await eventually(() => held.get().svids.has(cart), "the new one");
  assert.deepEqual(
    seen.calls.at(-1)?.map(({ id }) => id),
    [cart],
  );
  await clock.rest();
  wanted.set(ids(cart));
  await eventually(() => !held.get().svids.has(web), "the old one gone");
});

test("while the authority is away what is held stays until it expires; then it is fetched again", async (t) => {
  const { clock, held, seen } = await keeper(t, new Cell(ids(web)));
  const first = held.get().svids.get(web);
  seen.isAway = true;
  await clock.advance(23 * hourMs);
  assert.equal(held.get().svids.get(web), first, "still shown");
  assert.ok(seen.calls.length < 6_000, `${seen.calls.length} calls in a day without an authority`);
  await clock.advance(2 * hourMs);
  await clock.rest();
  assert.equal(held.get().svids.size, 0, "expired");
  assert.notEqual(held.get().bundle, undefined, "still knows whom to trust");
  seen.isAway = false;
  await clock.advance(10 * 60_000);
  await clock.rest();
  assert.equal(held.get().svids.size, 1);
});

test("one that is refused does not keep the others waiting, and is asked for again", async (t) => {
  const wanted = new Cell(ids(web, cart));
  const clock = new VirtualClock({ now: Date.UTC(2027, 0, 1), atRest: 1 });
  const authority = await someAuthority(clock);
  const seen: Seen = { calls: [], reports: [], isAway: false, refused: new Set([cart]) };
  const ended = new AbortController();
  t.after(() => ended.abort());
  const held = keepNodeIdentities({ clock, log: silentLog, wanted, client: spied(createLocalClient(authority, "one"), seen), random: () => 0.5 }, ended.signal);
  await clock.rest();
  assert.deepEqual([...held.get().svids.keys()], [web]);
  seen.refused.clear();
  await clock.advance(2000);
  await clock.rest();
  assert.deepEqual([...held.get().svids.keys()], [web, cart]);
});

test("it reports what its proxy works with, and nothing before the proxy has acknowledged", async (t) => {
  let acknowledged = 0;
  const { clock, held, seen, authority } = await keeper(t, new Cell(ids(web)), { acknowledged: () => acknowledged });
  await clock.advance(70_000);
  assert.deepEqual(seen.reports, [undefined, undefined]);
  acknowledged = held.get().revision;
  await clock.advance(70_000);
  const root = authority.state.get().rotation.signer.root.id;
  assert.deepEqual(seen.reports.at(-1), { trusts: [root], signedBy: [root] });
});

test("a root is replaced in about half a day, and the node trusts both while both are in use", async (t) => {
  const { clock, authority, held } = await keeper(t, new Cell(ids(web)));
  const old = authority.state.get().rotation.signer.root.id;
  assert.ok((await authority.replaceSigner(await createOwnCa(defaultTrustDomain, clock.now()))).ok);
  assert.equal(authority.state.get().rotation.phase, "spreading");
  await clock.advance(3 * 60_000);
  await authority.tick();
  assert.equal(authority.state.get().rotation.phase, "moving");
  assert.equal(held.get().bundle?.own.roots.length, 2);
  assert.equal(held.get().svids.get(web)?.root, old);
  await clock.advance(13 * hourMs);
  await authority.tick();
  await clock.advance(6 * 60_000);
  await clock.rest();
  assert.equal(authority.state.get().rotation.phase, "stable");
  assert.deepEqual(
    held.get().bundle?.own.roots.map(({ id }) => id === old),
    [false],
  );
  assert.notEqual(held.get().svids.get(web)?.root, old);
});
