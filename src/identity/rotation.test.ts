import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/support/runs.ts";
import { defaultTrustDomain } from "../model/spiffe.ts";
import { type AuthorityState, readAuthorityState, writeAuthorityState } from "./authority-state.ts";
import { advance, recordIssued, recordReport, trustedRoots, wantSigner, workFor } from "./rotation.ts";
import type { SigningCa } from "./signing-ca.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const start = Date.UTC(2027, 0, 1);

function ca(root: string, more: Partial<SigningCa> = {}): SigningCa {
  const until = start + 3650 * dayMs;
  const texts = { certificate: `${root} certificate`, key: `${root} key`, intermediates: `${root} above` };
  return { origin: "own", ...texts, root: { id: root, pem: `${root} pem` }, alsoTrusted: [], notBefore: start, notAfter: until, rootNotAfter: until, ...more };
}

const fresh: AuthorityState = { trustDomain: defaultTrustDomain, rotation: { phase: "stable", signer: ca("A") }, nodes: {} };

function rotate<State extends AuthorityState>(state: State, next: SigningCa, now: number): State {
  const wanted = wantSigner(state, next, now);
  assert.ok(wanted.ok);
  return wanted.value;
}

const trusted = (state: AuthorityState): readonly string[] => trustedRoots(state.rotation).map(({ id }) => id);

test("nobody holds anything: the new root signs at once, and alone", () => {
  const state = advance(rotate(fresh, ca("B"), start), start);
  assert.equal(state.rotation.phase, "stable");
  assert.deepEqual(trusted(state), ["B"]);
});

test("who signs already, or will, is not wanted anew: its owner may say it every minute", () => {
  assert.equal(rotate(fresh, ca("A"), start), fresh);
  const spreading = rotate(recordIssued(fresh, "one", start + dayMs), ca("B"), start);
  assert.equal(rotate(spreading, ca("B"), start + hourMs), spreading);
  assert.equal(rotate(fresh, ca("A", { certificate: "the next below A" }), start).rotation.signer.certificate, "the next below A");
});

test("old only, both with the old signing, both with the new signing, new only", () => {
  let state = recordIssued(fresh, "one", start + dayMs);
  state = recordReport(state, "one", { trusts: ["A"], signedBy: ["A"] });
  state = advance(rotate(state, ca("B"), start), start);
  assert.equal(state.rotation.phase, "spreading");
  assert.equal(state.rotation.signer.root.id, "A");
  assert.deepEqual(trusted(state), ["A", "B"]);
  state = advance(recordReport(state, "one", { trusts: ["A", "B"], signedBy: ["A"] }), start + hourMs);
  assert.equal(state.rotation.phase, "moving");
  assert.equal(state.rotation.signer.root.id, "B");
  assert.deepEqual(trusted(state), ["B", "A"]);
  state = advance(recordIssued(state, "one", start + hourMs + dayMs), start + hourMs);
  assert.equal(state.rotation.phase, "moving");
  state = advance(recordReport(state, "one", { trusts: ["A", "B"], signedBy: ["B"] }), start + 2 * hourMs);
  assert.equal(state.rotation.phase, "stable");
  assert.deepEqual(trusted(state), ["B"]);
});

test("a node that is away holds it up, and only until its certificates have expired", () => {
  let state = recordIssued(fresh, "away", start + dayMs);
  state = advance(rotate(state, ca("B"), start), start + dayMs);
  assert.equal(state.rotation.phase, "spreading");
  state = advance(state, start + dayMs + minuteMs);
  assert.equal(state.rotation.phase, "stable");
  assert.deepEqual(state.nodes, {});
});

test("an expired signer is replaced without waiting", () => {
  const state = recordIssued({ ...fresh, rotation: { phase: "stable", signer: ca("A", { notAfter: start + hourMs }) } }, "one", start + hourMs);
  const waiting = advance(rotate(state, ca("B"), start), start);
  assert.equal(waiting.rotation.phase, "spreading");
  assert.notEqual(advance(waiting, start + hourMs).rotation.phase, "spreading");
});

test("below the same root another certificate signs at once, in every phase", () => {
  const spreading = rotate(recordIssued(fresh, "one", start + dayMs), ca("B"), start);
  const renewed = rotate(spreading, ca("A", { certificate: "newer" }), start);
  assert.equal(renewed.rotation.phase, "spreading");
  assert.equal(renewed.rotation.signer.certificate, "newer");
  assert.deepEqual(trusted(renewed), ["A", "B"]);
});

test("a second wish replaces the first while it spreads, and is refused while nodes move", () => {
  const spreading = rotate(recordIssued(fresh, "one", start + dayMs), ca("B"), start);
  assert.deepEqual(trusted(rotate(spreading, ca("C"), start)), ["A", "C"]);
  const moving = advance(recordReport(spreading, "one", { trusts: ["A", "B"], signedBy: ["A"] }), start);
  const refused = wantSigner(moving, ca("C"), start);
  assert.equal(refused.ok ? "accepted" : refused.problems[0]?.code, "rotation-running");
});

test("the record of a node rarely changes, and a node cannot add to it", () => {
  const state = recordIssued(fresh, "one", start + 30 * minuteMs);
  assert.equal(recordIssued(state, "one", start + 50 * minuteMs), state);
  assert.equal(recordReport(state, "stranger", { trusts: ["B"], signedBy: ["B"] }), state);
  const reported = recordReport(state, "one", { trusts: ["A"], signedBy: ["A", "Z"] });
  assert.deepEqual(Object.keys(reported.nodes["one"]?.holds ?? {}), ["A"]);
  assert.equal(recordReport(reported, "one", { trusts: ["A"], signedBy: ["A"] }), reported);
});

test("what an authority needs: an intermediate at half its life, a root when a fifth is left; a plug-in nothing", () => {
  const own = ca("A", { notAfter: start + 365 * dayMs });
  const phase = "stable";
  assert.equal(workFor({ phase, signer: own }, start + 180 * dayMs), "nothing");
  assert.equal(workFor({ phase, signer: own }, start + 183 * dayMs), "new intermediate");
  assert.equal(workFor({ phase, signer: own }, start + 2921 * dayMs), "new root");
  assert.equal(workFor({ phase, signer: { ...own, origin: "plug-in" } }, start + 3000 * dayMs), "nothing");
  const spreading = { phase: "spreading", signer: ca("A", { notAfter: start + 3000 * dayMs }), next: ca("B"), since: start } as const;
  assert.equal(workFor(spreading, start + 2921 * dayMs), "new intermediate");
});

test("a kept state comes back as it was; anything else is no state, and the error shows no key", () => {
  const spreading = rotate(recordIssued(fresh, "one", start), ca("B", { rootKey: "secret" }), start);
  const moving = advance(recordReport(recordIssued(spreading, "one", start + dayMs), "one", { trusts: ["B"], signedBy: ["A"] }), start);
  for (const state of [fresh, spreading, moving]) assert.deepEqual(readAuthorityState(writeAuthorityState(state)), state);
  assert.throws(() => readAuthorityState("{}"), /cannot be read/);
  assert.throws(
    () => readAuthorityState("secret"),
    (error) => error instanceof Error && !error.message.includes("secret"),
  );
  const broken = writeAuthorityState(spreading).replace('"notAfter"', '"notafter"');
  assert.throws(
    () => readAuthorityState(broken),
    (error) => error instanceof Error && !error.message.includes("secret"),
  );
});

/** What a proxy works with, and what its keeper holds for it. */
interface Material {
  readonly trusts: readonly string[];
  readonly svid: { readonly root: string; readonly notAfter: number } | undefined;
}

interface Node {
  readonly name: string;
  proxy: Material;
  held: Material;
}

const nothing: Material = { trusts: [], svid: undefined };

/** A mesh of nodes that call the authority, lose answers, and hand on what they got whenever they please. */
function createMesh(count: number) {
  const nodes: Node[] = Array.from({ length: count }, (_, at) => ({ name: `node ${at}`, proxy: nothing, held: nothing }));
  let state = fresh;
  let now = start;
  let roots = 0;
  const isValid = ({ svid }: Material): boolean => svid !== undefined && svid.notAfter > now;
  return {
    state: () => state,
    pass(ms: number) {
      now += ms;
    },
    tick() {
      state = advance(state, now);
    },
    restart() {
      state = readAuthorityState(writeAuthorityState(state));
    },
    rotate() {
      roots += 1;
      const wanted = wantSigner(state, ca(`root ${roots}`), now);
      if (wanted.ok) state = advance(wanted.value, now);
    },
    /** One call; an answer that is lost has been recorded all the same. */
    call(at: number, isLost: boolean, isEager: boolean) {
      const node = nodes[at % count];
      if (node === undefined) return;
      if (!isValid(node.held)) node.held = { ...node.held, svid: undefined };
      const { trusts, svid } = node.held;
      if (node.proxy === node.held && trusts.length > 0) {
        state = recordReport(state, node.name, { trusts, signedBy: svid === undefined ? [] : [svid.root] });
      }
      state = advance(state, now);
      const isDue = isEager || svid === undefined || now > svid.notAfter - 12 * hourMs;
      const next = isDue ? { root: state.rotation.signer.root.id, notAfter: now + dayMs } : svid;
      if (isDue) state = recordIssued(state, node.name, now + dayMs);
      state = advance(state, now);
      if (!isLost) node.held = { trusts: trusted(state), svid: next };
    },
    acknowledge(at: number) {
      const node = nodes[at % count];
      if (node !== undefined) node.proxy = node.held;
    },
    /** Whoever can show a valid certificate is accepted by everybody who can. */
    check() {
      const able = nodes.filter(({ proxy }) => isValid(proxy));
      for (const { name, proxy } of able) {
        for (const other of able) {
          assert.ok(other.proxy.trusts.includes(proxy.svid?.root ?? ""), `${other.name} refuses ${name} in ${state.rotation.phase}`);
        }
      }
      return able.length;
    },
  };
}

const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("call" as const), node: fc.nat(3), isLost: fc.boolean(), isEager: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("acknowledge" as const), node: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 8 * hourMs }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rotate" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("tick" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);

test("at every moment every node accepts every other, whatever is lost, late or away", () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 30, maxLength: 150, size: "max" }), (events) => {
      const mesh = createMesh(4);
      for (const step of events) {
        if (step.kind === "call") mesh.call(step.node, step.isLost, step.isEager);
        else if (step.kind === "acknowledge") mesh.acknowledge(step.node);
        else if (step.kind === "pass") mesh.pass(step.ms);
        else mesh[step.kind]();
        mesh.check();
      }
    }),
    { numRuns: runs(500) },
  );
});

test("a rotation comes to its end within two days of nodes that work as they should", () => {
  const mesh = createMesh(4);
  const hour = (): void => {
    mesh.pass(hourMs);
    for (let node = 0; node < 4; node += 1) {
      mesh.call(node, false, false);
      mesh.acknowledge(node);
    }
    assert.equal(mesh.check(), 4);
  };
  for (let hours = 0; hours < 30; hours += 1) hour();
  mesh.rotate();
  const phases = new Set<string>();
  for (let hours = 0; hours < 48 && mesh.state().rotation.phase !== "stable"; hours += 1) {
    hour();
    phases.add(mesh.state().rotation.phase);
  }
  assert.deepEqual([...phases], ["spreading", "moving", "stable"]);
  assert.deepEqual(trusted(mesh.state()), ["root 1"]);
});
