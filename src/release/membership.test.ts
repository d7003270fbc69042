/** Joining and leaving, step by step, and under every order of events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MeshPod } from "../model/mesh-pod.ts";
import type { Namespace } from "../model/names.ts";
import { defaultTrustDomain, type SpiffeId } from "../model/spiffe.ts";
import { arrivalMs, isCaptured, type Member, type MembershipInput, meshPods, nextMembers, type PodNews, patienceMs, pinned } from "./membership.ts";

function pod(uid: string, said: Partial<MeshPod> = {}): MeshPod {
  const identity = `spiffe://weir.local/ns/default/sa/${uid}` as SpiffeId;
  return { uid, namespace: "default" as Namespace, name: `${uid}-0`, node: "n1", address: `10.0.0.${uid.length}`, identity, mode: "strict", ...said };
}

/** One pod, and everything around it that answers as told. */
class Around {
  members: ReadonlyMap<string, Member> = new Map();
  wanted = true;
  running = true;
  guarded = false;
  joinedBefore = false;
  silent = false;
  news: PodNews | undefined;
  listeners = false;
  certified = true;
  tunnels: "none" | "some" | "all" = "none";
  now = 0;
  readonly pod = pod("web");

  /** A second later each time, unless told otherwise. */
  step(ms = 1_000): Member | undefined {
    this.now += ms;
    const input: MembershipInput = {
      wanted: this.wanted ? new Map([["web", this.pod]]) : new Map(),
      running: new Set(this.running ? ["web"] : []),
      guarded: new Set(this.guarded ? ["web"] : []),
      joinedBefore: new Set(this.joinedBefore ? ["web"] : []),
      news: new Map(this.silent ? [] : [["n1", new Map(this.news === undefined ? [] : [["web", this.news]])]]),
      proxies: {
        hasListeners: () => this.listeners,
        allTunnelTo: () => this.tunnels === "all",
        noneTunnelsTo: () => this.tunnels === "none",
      },
      isCertified: () => this.certified,
      now: this.now,
    };
    this.members = nextMembers(this.members, input);
    return this.members.get("web");
  }
}

const held = { phase: "pinned", networkNamespace: "/run/ns/web" } as const;
const captured = { phase: "captured", networkNamespace: "/run/ns/web" } as const;

function joined(): Around {
  const around = new Around();
  Object.assign(around, { news: held });
  around.step();
  Object.assign(around, { listeners: true });
  around.step();
  Object.assign(around, { news: captured });
  around.step();
  Object.assign(around, { tunnels: "all" });
  assert.equal(around.step()?.stage, "joined");
  return around;
}

test("joining: listeners, then rules, then other nodes, then no plaintext", () => {
  const around = new Around();
  assert.equal(around.step()?.stage, "found");
  around.news = { phase: "searching" };
  assert.equal(around.step()?.stage, "found", "its node has no hold on it yet");

  around.news = held;
  const listening = around.step();
  assert.equal(listening?.stage, "listening");
  assert.equal(listening === undefined ? undefined : pinned(listening)?.mode, "permissive", "others still call it in plaintext");
  assert.equal(listening === undefined ? undefined : isCaptured(listening), false, "no rule without a listener");

  Object.assign(around, { listeners: true, certified: false });
  assert.equal(around.step()?.stage, "listening", "what it sends would fail before there is a certificate");
  around.certified = true;
  assert.equal(around.step()?.stage, "capturing");
  around.news = captured;
  assert.equal(around.step()?.stage, "known");
  around.tunnels = "some";
  const known = around.step();
  assert.equal(known?.stage, "known", "one that does not know yet would be refused");
  Object.assign(around, { tunnels: "all", now: known?.since });
  assert.equal(around.step(arrivalMs - 1)?.stage, "known", "what somebody sent in plaintext may not have arrived");
  const last = around.step(1);
  assert.equal(last === undefined ? undefined : pinned(last)?.mode, "strict");
});

test("leaving: plaintext, then other nodes, then the rules", () => {
  const around = joined();
  around.wanted = false;
  around.listeners = false;
  const opening = around.step();
  assert.equal(opening?.stage, "opening");
  assert.equal(opening === undefined ? undefined : pinned(opening)?.mode, "permissive");

  around.listeners = true;
  assert.equal(around.step()?.stage, "parting");
  around.tunnels = "some";
  assert.equal(around.step()?.stage, "parting", "who still uses mutual TLS needs the listener");
  around.tunnels = "none";
  const releasing = around.step();
  assert.equal(releasing?.stage, "releasing");
  assert.equal(releasing === undefined ? undefined : isCaptured(releasing), false);
  assert.equal(around.step()?.stage, "releasing", "its listeners stay while a rule may lead to them");
  around.news = held;
  assert.equal(around.step(), undefined);
});

test("a change of mind goes on from where it is", () => {
  const around = joined();
  around.wanted = false;
  around.step();
  around.wanted = true;
  assert.equal(around.step()?.stage, "known", "the others call it by mutual TLS all the same");
  assert.equal(around.step()?.stage, "joined");

  around.wanted = false;
  around.step();
  around.tunnels = "none";
  assert.equal(around.step()?.stage, "releasing");
  around.wanted = true;
  assert.equal(around.step()?.stage, "known", "its rules and listeners are still there");
});

test("a pod that ended is forgotten at once; one that nobody here knew and is captured goes on", () => {
  const around = joined();
  around.wanted = false;
  around.running = false;
  assert.equal(around.step(), undefined);

  const again = new Around();
  Object.assign(again, { news: captured, listeners: true, tunnels: "all" });
  assert.equal(again.step()?.stage, "joined");
});

test("a node that is silent: its pods are what they were; when it speaks, what it says counts", () => {
  const around = new Around();
  Object.assign(around, { silent: true, joinedBefore: true });
  const silent = around.step();
  assert.equal(silent?.stage, "joined");
  assert.ok(silent !== undefined && isCaptured(silent), "nobody takes its rules out");
  Object.assign(around, { silent: false, news: captured, listeners: true, tunnels: "all" });
  const back = around.step();
  assert.deepEqual([back?.stage, back?.networkNamespace], ["joined", captured.networkNamespace]);

  const stranger = new Around();
  stranger.silent = true;
  assert.equal(stranger.step()?.stage, "found", "nobody ever said that it had joined");
  const speaking = new Around();
  Object.assign(speaking, { joinedBefore: true, news: held });
  assert.equal(speaking.step()?.stage, "listening", "its node knows better");
});

test("a pod that its node captured at its start stays captured while its listeners come", () => {
  const around = new Around();
  around.guarded = true;
  for (const [news, listeners, stage] of [
    [undefined, false, "found"],
    [captured, false, "listening"],
    [captured, true, "known"],
  ] as const) {
    Object.assign(around, { news, listeners, tunnels: "some" });
    const member = around.step();
    assert.equal(member?.stage, stage);
    assert.equal(member === undefined ? undefined : isCaptured(member), true);
  }
  around.wanted = false;
  Object.assign(around, { tunnels: "none" });
  assert.equal(around.step()?.stage, "releasing");
});

test("a pod that was captured at its start sent nothing in plaintext: it is strict as soon as all know it", () => {
  const around = new Around();
  Object.assign(around, { guarded: true, news: captured, listeners: true, tunnels: "all" });
  assert.equal(around.step(0)?.stage, "joined");
});

test("a sandbox made anew begins again in its new namespace", () => {
  const around = joined();
  Object.assign(around, { news: { phase: "pinned", networkNamespace: "/run/ns/web-2" }, listeners: false });
  const member = around.step();
  assert.equal(member?.stage, "listening");
  assert.equal(member?.networkNamespace, "/run/ns/web-2");
});

test("pods that join together refuse plaintext together; one that does not come on is waited for, but not for ever", () => {
  const [api, web] = [pod("api"), pod("webapp", { node: "n2" })];
  const input = (now: number, webPhase: PodNews["phase"]): MembershipInput => ({
    wanted: new Map([api, web].map((one) => [one.uid, one])),
    running: new Set([api.uid, web.uid]),
    guarded: new Set(),
    joinedBefore: new Set(),
    news: new Map([
      ["n1", new Map([[api.uid, captured]])],
      ["n2", new Map([[web.uid, { phase: webPhase, networkNamespace: "/run/ns/webapp" }]])],
    ]),
    proxies: { hasListeners: () => true, allTunnelTo: () => true, noneTunnelsTo: () => false },
    isCertified: () => true,
    now,
  });
  const begun = new Map([api, web].map((one): [string, Member] => [one.uid, { pod: one, stage: "found", since: 0 }]));
  const stages = (members: ReadonlyMap<string, Member>) => [members.get(api.uid)?.stage, members.get(web.uid)?.stage];
  const first = nextMembers(begun, input(1, "pinned"));
  assert.deepEqual(stages(first), ["known", "capturing"], "webapp still calls in plaintext");
  const second = nextMembers(first, input(2, "captured"));
  assert.deepEqual(stages(second), ["known", "known"], "what webapp sent is under way");
  assert.deepEqual(stages(nextMembers(second, input(2 + arrivalMs, "captured"))), ["joined", "joined"]);
  assert.deepEqual(stages(nextMembers(first, input(1 + patienceMs, "failed"))), ["joined", "capturing"]);
});

test("pods that leave together send plaintext only when all take it", () => {
  const [api, web] = [pod("api"), pod("webapp", { node: "n2" })];
  const begun = new Map([api, web].map((one): [string, Member] => [one.uid, { pod: one, stage: "joined", since: 0, networkNamespace: `/run/ns/${one.uid}` }]));
  const input = (apiTakesPlaintext: boolean): MembershipInput => ({
    wanted: new Map(),
    running: new Set([api.uid, web.uid]),
    guarded: new Set(),
    joinedBefore: new Set(),
    news: new Map([api, web].map((one) => [one.node, new Map([[one.uid, { phase: "captured", networkNamespace: `/run/ns/${one.uid}` } as const]])])),
    proxies: { hasListeners: ({ uid }) => uid === web.uid || apiTakesPlaintext, allTunnelTo: () => false, noneTunnelsTo: () => true },
    isCertified: () => true,
    now: 1,
  });
  const stages = (members: ReadonlyMap<string, Member>) => [members.get(api.uid)?.stage, members.get(web.uid)?.stage];
  const first = nextMembers(begun, input(false));
  assert.deepEqual(stages(first), ["opening", "parting"]);
  assert.deepEqual(stages(nextMembers(first, input(true))), ["releasing", "releasing"]);
});

test("what does not change keeps its identity", () => {
  const around = joined();
  const { members } = around;
  around.step();
  assert.equal(around.members, members);
  const first = meshPods(members, defaultTrustDomain);
  const second = meshPods(members, defaultTrustDomain, first);
  assert.equal(second.pinned.get("n1")?.[0], first.pinned.get("n1")?.[0]);
  assert.equal(second.joined.get("10.0.0.3")?.uid, "web");
});

test("whatever happens in whatever order: no rule without listeners and certificate, no strictness before everybody knows", () => {
  const event = fc.constantFrom("wanted", "unwanted", "held", "captured", "listeners", "no listeners", "certificate", "no certificate", "all", "some", "none");
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const around = new Around();
      let before: Member | undefined;
      for (const one of events) {
        if (one === "wanted" || one === "unwanted") around.wanted = one === "wanted";
        else if (one === "held" || one === "captured") around.news = one === "held" ? held : captured;
        else if (one === "listeners" || one === "no listeners") around.listeners = one === "listeners";
        else if (one === "certificate" || one === "no certificate") around.certified = one === "certificate";
        else around.tunnels = one;
        const member = around.step();
        if (member === undefined || before === undefined) {
          before = member;
          continue;
        }
        if (!isCaptured(before) && isCaptured(member)) assert.ok(around.listeners && around.certified, "a rule before the listener, or before the certificate");
        const [was, is] = [pinned(before), pinned(member)];
        if (was?.mode === "permissive" && is?.mode === "strict") assert.deepEqual([around.tunnels, before.stage], ["all", "known"]);
        if (isCaptured(before) && member.stage === "releasing") assert.ok(around.tunnels === "none" || before.stage === "capturing");
        before = member;
      }
    }),
  );
});
