/**
 * The replacement of the root, as a pure state machine; time is an argument. At every moment every node accepts every other one's certificate:
 *
 *   stable      one root signs and is trusted
 *   spreading   the old root signs, both are trusted; until every node that holds certificates says that it trusts the new root
 *   moving      the new root signs, both are trusted; until no node can hold a certificate of the old root any longer
 *
 * What a node holds is recorded before it gets it, and a record ends only by time or by the node's own word; so a node that is away holds
 * `spreading` up until its certificates have expired, and one that keeps old certificates holds `moving` up as long.
 */
import { canonicalJson } from "../lib/canonical-json.ts";
import { failed, ok, type Result } from "../lib/problem.ts";
import { rootLifeMs, skewMs } from "./authority.ts";
import { uniqueRoots } from "./bundle.ts";
import type { Root } from "./certificates.ts";
import type { SigningCa } from "./signing-ca.ts";

export type Rotation =
  | { readonly phase: "stable"; readonly signer: SigningCa }
  | { readonly phase: "spreading"; readonly signer: SigningCa; readonly next: SigningCa; readonly since: number }
  | { readonly phase: "moving"; readonly signer: SigningCa; readonly previous: readonly [Root, ...Root[]]; readonly since: number };

export interface NodeRecord {
  /** Ids of the roots that it trusts, as it last said. */
  readonly trusts: readonly string[];
  /** By id of a root: until when it may hold certificates below that root. */
  readonly holds: Readonly<Record<string, number>>;
}

export interface RotationState {
  readonly rotation: Rotation;
  /** By name of the node; nodes that hold nothing are absent. */
  readonly nodes: Readonly<Record<string, NodeRecord>>;
}

/** What a node says about itself: ids of roots. */
export interface NodeReport {
  readonly trusts: readonly string[];
  readonly signedBy: readonly string[];
}

/** What an authority of our own needs next. */
export type CaWork = "nothing" | "new intermediate" | "new root";

const hourMs = 3_600_000;

/** Every root that nodes must trust now; the signing one first. */
export function trustedRoots(rotation: Rotation): readonly Root[] {
  const own = rootsOf(rotation.signer);
  switch (rotation.phase) {
    case "stable":
      return uniqueRoots(own);
    case "spreading":
      return uniqueRoots([...own, ...rootsOf(rotation.next)]);
    case "moving":
      return uniqueRoots([...own, ...rotation.previous]);
    default:
      return rotation satisfies never;
  }
}

function rootsOf(ca: SigningCa): readonly [Root, ...Root[]] {
  return [ca.root, ...ca.alsoTrusted];
}

/**
 * Wants another authority; one that signs already, or will, changes nothing. Below the same root it signs at once: nobody has to learn anything. With another root it waits until everybody trusts
 * that. A second wish replaces the first while that one spreads; later it is refused.
 */
export function wantSigner<State extends RotationState>(state: State, next: SigningCa, now: number): Result<State> {
  const { rotation } = state;
  const known = rotation.phase === "spreading" ? [rotation.signer, rotation.next] : [rotation.signer];
  if (known.some((one) => canonicalJson(one) === canonicalJson(next))) return ok(state);
  if (next.root.id === rotation.signer.root.id) return ok({ ...state, rotation: { ...rotation, signer: next } });
  if (rotation.phase !== "moving") return ok({ ...state, rotation: { phase: "spreading", signer: rotation.signer, next, since: now } });
  return failed({
    code: "rotation-running",
    message: "the last replacement of the root is not complete: certificates of the one before are still in use",
    hint: "Wait until they have expired, a day at most.",
  });
}

/** Notes, before it happens, that a node gets certificates from the present signer that end at `notAfter`. */
export function recordIssued<State extends RotationState>(state: State, node: string, notAfter: number): State {
  const root = state.rotation.signer.root.id;
  const before = state.nodes[node] ?? { trusts: [], holds: {} };
  // Whole hours: so the record of a node that renews one certificate after the other rarely changes.
  const until = Math.max(before.holds[root] ?? 0, Math.ceil(notAfter / hourMs) * hourMs);
  if (before.holds[root] === until) return state;
  return withNode(state, node, { ...before, holds: { ...before.holds, [root]: until } });
}

/** Notes what a node says. It cannot say that it holds more than was recorded. */
export function recordReport<State extends RotationState>(state: State, node: string, report: NodeReport): State {
  const before = state.nodes[node];
  if (before === undefined) return state;
  const holds = Object.fromEntries(Object.entries(before.holds).filter(([root]) => report.signedBy.includes(root)));
  const trusts = [...report.trusts].sort();
  const isSame = Object.keys(holds).length === Object.keys(before.holds).length && trusts.join() === before.trusts.join();
  return isSame ? state : withNode(state, node, { trusts, holds });
}

function withNode<State extends RotationState>(state: State, node: string, record: NodeRecord): State {
  return { ...state, nodes: { ...state.nodes, [node]: record } };
}

/** Forgets what has expired and takes the steps that are safe at `now`. The same state when there are none. */
export function advance<State extends RotationState>(state: State, now: number): State {
  const current = forgetExpired(state, now);
  const { rotation, nodes } = current;
  switch (rotation.phase) {
    case "stable":
      return current;
    case "spreading": {
      const { signer, next } = rotation;
      const isEverywhere = Object.values(nodes).every(({ trusts }) => trusts.includes(next.root.id));
      // An expired one signs nothing that anybody would accept: waiting would only make it worse.
      if (!isEverywhere && signer.notAfter > now) return current;
      return advance({ ...current, rotation: { phase: "moving", signer: next, previous: rootsOf(signer), since: now } }, now);
    }
    case "moving": {
      const [old] = rotation.previous;
      const isHeld = Object.values(nodes).some(({ holds }) => old.id in holds);
      return isHeld ? current : { ...current, rotation: { phase: "stable", signer: rotation.signer } };
    }
    default:
      return rotation satisfies never;
  }
}

function forgetExpired<State extends RotationState>(state: State, now: number): State {
  const isOver = (until: number): boolean => until + skewMs <= now;
  const records = Object.entries(state.nodes);
  if (!records.some(([, { holds }]) => Object.keys(holds).length === 0 || Object.values(holds).some(isOver))) return state;
  const kept = records
    .map(([node, record]) => [node, { ...record, holds: Object.fromEntries(Object.entries(record.holds).filter(([, until]) => !isOver(until))) }] as const)
    .filter(([, { holds }]) => Object.keys(holds).length > 0);
  return { ...state, nodes: Object.fromEntries(kept) };
}

/**
 * What an authority needs at `now`: a new intermediate at half of the life of this one, a new root when a fifth of its life is left.
 * A plug-in's owner cares for it; and while a rotation runs, only the intermediate is renewed.
 */
export function workFor(rotation: Rotation, now: number): CaWork {
  const { signer } = rotation;
  if (signer.origin === "plug-in") return "nothing";
  if (rotation.phase === "stable" && signer.rootNotAfter - now < rootLifeMs / 5) return "new root";
  const isHalfOver = now >= (signer.notBefore + signer.notAfter) / 2;
  // In the last year of a root a new intermediate would end with it all the same.
  return isHalfOver && signer.notAfter < signer.rootNotAfter ? "new intermediate" : "nothing";
}
