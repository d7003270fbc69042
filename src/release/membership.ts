/**
 * How pods join the mesh and leave it while requests go on: a pod's own rules, its listeners, and what other nodes think of it change one after the other,
 * each only when Envoy and the node have said that the one before is done. Pure: called again whenever something changed, it moves every pod one step on.
 *
 * Pods that join together call each other: none refuses plaintext before all are captured. Pods that leave together: none sends plaintext before all take it.
 *
 * Joining: `found` → its node gets a hold on its namespace → `listening`: its listeners, which take plaintext too → in Envoy, and its node holds its
 * certificate → `capturing`: its rules → there → `known`: other nodes call it by mutual TLS → all of them, and what was under way in plaintext has arrived →
 * `joined`: plaintext ends (in a strict pod).
 * Leaving: `opening`: plaintext again → in Envoy → `parting`: other nodes call it in plaintext → all of them → `releasing`: its rules go → gone → forgotten.
 */
import { sameFields } from "../lib/memoize.ts";
import type { MeshPod, MeshPods, PinnedPod } from "../model/mesh-pod.ts";
import type { TrustDomain } from "../model/spiffe.ts";

export type MemberStage = "found" | "listening" | "capturing" | "known" | "joined" | "opening" | "parting" | "releasing";

export interface Member {
  /** As it is wanted, or was when it was wanted last. */
  readonly pod: MeshPod;
  readonly stage: MemberStage;
  /** When the stage began; milliseconds since the epoch. */
  readonly since: number;
  /** Its network namespace as its node reported it last. */
  readonly networkNamespace?: string;
  /** Its node captured it before its first container started: its rules were there before its listeners, and stay. */
  readonly guarded?: true;
}

/** What a node says of one pod. */
export interface PodNews {
  readonly phase: "searching" | "pinned" | "captured" | "failed";
  readonly networkNamespace?: string;
}

/** What the Envoys of a cluster are known to have, from acknowledged and outstanding configuration. */
export interface ProxyKnowledge {
  /** The listeners of this pod are in its node's Envoy, with this namespace and mode, and no others may come before the next change. */
  hasListeners(pod: PinnedPod): boolean;
  /** Every Envoy but that of the pod's own node calls this pod by mutual TLS, whatever it was sent before. */
  allTunnelTo(pod: MeshPod): boolean;
  /** No Envoy does. */
  noneTunnelsTo(pod: MeshPod): boolean;
}

export interface MembershipInput {
  /** By uid: who should be in the mesh. */
  readonly wanted: ReadonlyMap<string, MeshPod>;
  /** By uid: every pod that still runs, wanted or not. What is not here has no namespace any more. */
  readonly running: ReadonlySet<string>;
  /** Uids of pods that their node captured at their start. */
  readonly guarded: ReadonlySet<string>;
  /** By node, by uid. */
  readonly news: ReadonlyMap<string, ReadonlyMap<string, PodNews>>;
  /** Uids of pods that had joined when somebody knew last: it holds for those of nodes that say nothing. */
  readonly joinedBefore: ReadonlySet<string>;
  readonly proxies: ProxyKnowledge;
  /** The pod's node holds the certificate that it answers and calls with: Envoy fails what comes before that. */
  readonly isCertified: (pod: MeshPod) => boolean;
  readonly now: number;
}

/** So long one pod that does not come on may hold up the others. */
export const patienceMs = 10_000;
/** So long plaintext may be on its way into a pod: an Envoy that has a lot to do takes new connections late. */
export const arrivalMs = 1_000;

/**
 * The next step from `before`, by uid. A pod that nobody here knew and that its node captured already, or that had joined before its node fell silent (we were
 * restarted), is taken for what it was: joined.
 */
export function nextMembers(before: ReadonlyMap<string, Member>, input: MembershipInput): ReadonlyMap<string, Member> {
  const members = new Map<string, Member>();
  for (const [uid, pod] of input.wanted) {
    const known = before.get(uid);
    members.set(uid, known === undefined ? newcomer(pod, input) : returned({ ...known, pod }, input.now));
  }
  for (const [uid, known] of before) {
    if (!input.wanted.has(uid) && input.running.has(uid)) members.set(uid, leaving(known, input.now));
  }
  // The first round takes everybody as far as they can go alone; what waits for all of them is decided by where they are then.
  const alone = new Map([...members].map(([uid, member]) => [uid, step(member, input, { join: false, leave: false })]));
  const together = {
    join: !isAnyAt(alone, ["found", "listening", "capturing"], input) && hasArrived(alone, input),
    leave: !isAnyAt(alone, ["opening"], input),
  };
  const next = new Map([...alone].map(([uid, member]) => [uid, step(member, input, together)]));
  for (const [uid, member] of next) if (!input.wanted.has(uid) && isGone(member, input)) next.delete(uid);
  return sameMembers(before, next) ? before : next;
}

/** What all that join, or leave, at the same time have reached. */
interface Together {
  readonly join: boolean;
  readonly leave: boolean;
}

function isAnyAt(members: ReadonlyMap<string, Member>, stages: readonly MemberStage[], { wanted, now }: MembershipInput): boolean {
  const isJoining = !stages.includes("opening");
  return [...members].some(([uid, { stage, since }]) => wanted.has(uid) === isJoining && stages.includes(stage) && now - since < patienceMs);
}

/** Whether what running pods sent in plaintext, before the last of them was captured, has had time to arrive. Who was captured at its start sent none. */
function hasArrived(members: ReadonlyMap<string, Member>, { now }: MembershipInput): boolean {
  return [...members.values()].every(({ stage, guarded, since }) => stage !== "known" || guarded === true || now - since >= arrivalMs);
}

function newcomer(pod: MeshPod, input: MembershipInput): Member {
  if (input.guarded.has(pod.uid)) return { pod, stage: "found", since: input.now, guarded: true };
  const reported = input.news.get(pod.node);
  const news = reported?.get(pod.uid);
  // A node that is silent may be lost, or only its agent: what still runs there is strict and speaks mutual TLS.
  const isJoined = reported === undefined ? input.joinedBefore.has(pod.uid) : news?.phase === "captured" && news.networkNamespace !== undefined;
  return { pod, stage: isJoined ? "joined" : "found", since: input.now };
}

/** One that was on its way out and is wanted again goes back to the stage that is true of it now. */
function returned(member: Member, now: number): Member {
  switch (member.stage) {
    case "opening":
    case "parting":
      return { ...member, stage: "known", since: now };
    case "releasing":
      return { ...member, stage: "listening", since: now };
    case "found":
    case "listening":
    case "capturing":
    case "known":
    case "joined":
      return member;
    default:
      return member.stage satisfies never;
  }
}

/** One that is no longer wanted turns back where it is. */
function leaving(member: Member, now: number): Member {
  switch (member.stage) {
    case "joined":
    case "known":
      return { ...member, stage: "opening", since: now };
    case "capturing":
      return { ...member, stage: "releasing", since: now };
    case "found":
    case "listening":
    case "opening":
    case "parting":
    case "releasing":
      return member;
    default:
      return member.stage satisfies never;
  }
}

function newsOf({ pod }: Member, { news }: MembershipInput): PodNews | undefined {
  return news.get(pod.node)?.get(pod.uid);
}

/** As far as it can go now. */
function step(member: Member, input: MembershipInput, together: Together): Member {
  const reported = newsOf(member, input)?.networkNamespace;
  const here = reported === undefined || reported === member.networkNamespace ? member : moved(member, reported, input.now);
  const stage = nextStage(here, input, together);
  return stage === here.stage ? here : step({ ...here, stage, since: input.now }, input, together);
}

/** A pod whose sandbox was made anew begins again in the new namespace, apart from what other nodes think of it. */
function moved(member: Member, networkNamespace: string, now: number): Member {
  const isNew = member.networkNamespace !== undefined && ["listening", "capturing", "known", "joined"].includes(member.stage);
  return isNew ? { ...member, networkNamespace, stage: "listening", since: now } : { ...member, networkNamespace };
}

function nextStage(member: Member, input: MembershipInput, together: Together): MemberStage {
  const { proxies, isCertified } = input;
  const phase = newsOf(member, input)?.phase;
  const listening = pinned(member);
  switch (member.stage) {
    case "found":
      return listening === undefined ? "found" : "listening";
    case "listening":
      return listening !== undefined && isCertified(listening) && proxies.hasListeners(listening) ? "capturing" : "listening";
    case "capturing":
      return phase === "captured" ? "known" : "capturing";
    case "known":
      return together.join && proxies.allTunnelTo(member.pod) ? "joined" : "known";
    case "joined":
      return "joined";
    case "opening":
      return listening === undefined || proxies.hasListeners(listening) ? "parting" : "opening";
    case "parting":
      return together.leave && proxies.noneTunnelsTo(member.pod) ? "releasing" : "parting";
    case "releasing":
      return "releasing";
    default:
      return member.stage satisfies never;
  }
}

/** Its rules are out (or never were in): its listeners may go, and it is forgotten. */
function isGone(member: Member, input: MembershipInput): boolean {
  const phase = newsOf(member, input)?.phase;
  if (member.stage === "found" || member.stage === "listening") return true;
  return member.stage === "releasing" && phase !== "captured";
}

/** The pod with its namespace and the mode that holds now; undefined while its node has no hold on it. */
export function pinned({ pod, stage, networkNamespace }: Member): PinnedPod | undefined {
  if (networkNamespace === undefined) return undefined;
  return { ...pod, networkNamespace, ...(stage === "joined" || pod.mode === "permissive" ? {} : { mode: "permissive", meanwhile: true }) };
}

/** Whether the pod's rules are to be in it. */
export function isCaptured({ stage, guarded }: Member): boolean {
  return (guarded === true && stage !== "releasing") || ["capturing", "known", "joined", "opening", "parting"].includes(stage);
}

/** What compile needs to know of members. Pods that say the same as in `before` are the same objects. */
export function meshPods(members: ReadonlyMap<string, Member>, trustDomain: TrustDomain, before?: MeshPods): MeshPods {
  const all = [...members.values()];
  const tunnelled = all.filter(({ stage }) => ["known", "joined", "opening"].includes(stage));
  const held = all.flatMap((member) => (member.stage === "found" ? [] : (pinned(member) ?? []))).sort((a, b) => (a.uid < b.uid ? -1 : 1));
  const known = new Map([...(before?.pinned.values() ?? [])].flat().map((pod) => [pod.uid, pod]));
  const shared = held.map((pod) => {
    const old = known.get(pod.uid);
    return old !== undefined && sameFields(old, pod) ? old : pod;
  });
  return { trustDomain, joined: new Map(tunnelled.map(({ pod }) => [pod.address, pod])), pinned: Map.groupBy(shared, (pod) => pod.node) };
}

function sameMembers(a: ReadonlyMap<string, Member>, b: ReadonlyMap<string, Member>): boolean {
  return (
    a.size === b.size &&
    [...b].every(([uid, member]) => {
      const old = a.get(uid);
      return old !== undefined && old.stage === member.stage && old.networkNamespace === member.networkNamespace && sameFields(old.pod, member.pod);
    })
  );
}
