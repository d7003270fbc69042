/**
 * Which replicas should run, which should get traffic and which may go: new before old, out of Envoy before stopped.
 * Pure: called again whenever something changed, it moves every version one step on. This is where no request is lost.
 */
import { fnv1a } from "../lib/fnv.ts";
import type { VersionKey } from "../model/names.ts";
import type { Workload } from "../model/workload.ts";

/** One declared version as it should run now. */
export interface WantedVersion {
  readonly key: VersionKey;
  readonly app: string;
  readonly version: string;
  /** Hash of all that a replica is made from: another hash, another replica. */
  readonly hash: string;
  readonly scale: number;
  /** Each number is one replica's at a time, which has its data: the one before ends before the next one starts. Absent: new ones come first. */
  readonly numbered?: boolean;
}

/** running: serves whenever it is ready · leaving: out of the endpoints, Envoy has yet to say so · stopping: the platform drains and ends it. */
export type ReplicaStage = "running" | "leaving" | "stopping";

export interface Replica {
  readonly id: string;
  readonly key: VersionKey;
  readonly hash: string;
  /** Its number among the replicas of a version, from 0. */
  readonly index: number;
  readonly stage: ReplicaStage;
  /** When the stage began; milliseconds since the epoch. */
  readonly since: number;
}

/** What Envoy knows of replicas, by id. */
export interface EnvoyKnowledge {
  /** Has acknowledged as an endpoint, and was not told otherwise since. */
  readonly has: ReadonlySet<string>;
  /** May still send requests to: in the acknowledged configuration or in any sent since. */
  readonly mayHave: ReadonlySet<string>;
  /** May still listen in their namespaces. */
  readonly mayCapture: ReadonlySet<string>;
}

export interface ReplaceInput {
  readonly wanted: ReadonlyMap<VersionKey, WantedVersion>;
  /** By id. */
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly envoy: EnvoyKnowledge;
  readonly now: number;
}

export interface Replacement {
  readonly replicas: ReadonlyMap<string, Replica>;
  /** When to look again although nothing happens; undefined: no need. */
  readonly wakeAt?: number;
}

/** How long a replica waits for Envoy's word that it is out: an Envoy that is not there sends nothing either. */
export const envoyPatienceMs = 15_000;

/** The next step from `before`. Replicas that the platform runs and nobody knew (after a restart of ours) are taken over as they are. */
export function replace(before: ReadonlyMap<string, Replica>, input: ReplaceInput): Replacement {
  const known = adopt(before, input);
  const keys = new Set([...input.wanted.keys(), ...[...known].map((replica) => replica.key)]);
  const byKey = Map.groupBy(known, (replica) => replica.key);
  const next = [...keys].toSorted().flatMap((key) => stepVersion(byKey.get(key) ?? [], input.wanted.get(key), input));
  const moved = next.map((replica) => (mayStop(replica, input) ? { ...replica, stage: "stopping" as const, since: input.now } : replica));
  const kept = moved.filter((replica) => !isGone(replica, input));
  const ends = kept.map((replica) => patienceEnd(replica, input)).filter((end) => end !== undefined);
  return { replicas: new Map(kept.map((replica) => [replica.id, replica])), ...(ends.length === 0 ? {} : { wakeAt: Math.min(...ends) }) };
}

/** When we stop waiting for Envoy; undefined when we do not. */
function patienceEnd(replica: Replica, { workloads }: ReplaceInput): number | undefined {
  if (replica.stage === "leaving") return replica.since + envoyPatienceMs;
  const workload = workloads.get(replica.id);
  return replica.stage === "stopping" && workload?.phase === "exited" ? workload.since + envoyPatienceMs : undefined;
}

function adopt(before: ReadonlyMap<string, Replica>, { workloads, now }: ReplaceInput): readonly Replica[] {
  const found = [...workloads.values()]
    .filter((workload) => !before.has(workload.id))
    .map((workload): Replica => {
      const stage = isEnding(workload) ? "stopping" : "running";
      return { id: workload.id, key: workload.key, hash: workload.hash, index: indexOf(workload.id), stage, since: now };
    });
  const updated = [...before.values()].map((replica): Replica => {
    const workload = workloads.get(replica.id);
    // The platform ends it, whatever we want: it cannot come back under this id.
    return replica.stage !== "stopping" && workload !== undefined && isEnding(workload) ? { ...replica, stage: "stopping", since: now } : replica;
  });
  return [...updated, ...found];
}

function isEnding(workload: Workload): boolean {
  return workload.phase === "draining" || workload.phase === "exited";
}

function mayStop(replica: Replica, { envoy, now }: ReplaceInput): boolean {
  return replica.stage === "leaving" && (!envoy.mayHave.has(replica.id) || now - replica.since >= envoyPatienceMs);
}

/** An ended replica is forgotten, and its namespace with it, when Envoy listens there no longer. */
function isGone(replica: Replica, { workloads, envoy, now }: ReplaceInput): boolean {
  if (replica.stage !== "stopping") return false;
  const workload = workloads.get(replica.id);
  if (workload === undefined) return true;
  return workload.phase === "exited" && (!envoy.mayCapture.has(replica.id) || now - workload.since >= envoyPatienceMs);
}

function stepVersion(replicas: readonly Replica[], wanted: WantedVersion | undefined, input: ReplaceInput): readonly Replica[] {
  const leave = (replica: Replica): Replica => ({ ...replica, stage: "leaving", since: input.now });
  if (wanted === undefined || wanted.scale === 0) return replicas.map((replica) => (replica.stage === "running" ? leave(replica) : replica));
  if (wanted.numbered === true) return stepNumbered(replicas, wanted, input);
  const revived = revive(replicas, wanted, input.now);
  const current = revived.filter((replica) => replica.stage === "running" && replica.hash === wanted.hash).toSorted(byWorth(input));
  const old = revived.filter((replica) => replica.stage === "running" && replica.hash !== wanted.hash).toSorted(byWorth(input));
  const keptCurrent = current.slice(0, wanted.scale);
  const added = newReplicas(revived, wanted, { count: wanted.scale - keptCurrent.length, input });
  const available = keptCurrent.filter((replica) => isAvailable(replica, input)).length;
  const keptOld = old.slice(0, Math.max(0, wanted.scale - available));
  const kept = new Set([...keptCurrent, ...keptOld]);
  return [...revived.map((replica) => (replica.stage !== "running" || kept.has(replica) ? replica : leave(replica))), ...added];
}

/** As a StatefulSet: numbers from 0, one after the other from the highest on, and the next only when the one before is in use. Who serves nobody may go at once. */
function stepNumbered(all: readonly Replica[], wanted: WantedVersion, input: ReplaceInput): readonly Replica[] {
  const replicas = all.filter((replica) => !isGone(replica, input));
  const running = replicas.filter((replica) => replica.stage === "running");
  const tooMany = running.filter((replica) => replica.index >= wanted.scale);
  const [current = [], old = []] = [true, false].map((isCurrent) =>
    running.filter((replica) => replica.index < wanted.scale && (replica.hash === wanted.hash) === isCurrent),
  );
  const added = missingNumbers(replicas, wanted, input);
  const isQuiet = added.length === 0 && running.length === replicas.length && current.every((replica) => isAvailable(replica, input));
  const useless = old.filter((replica) => !isReady(replica, input));
  const highest = old.toSorted((a, b) => b.index - a.index).slice(0, 1);
  const leaving = new Set([...tooMany, ...(useless.length > 0 ? useless : isQuiet ? highest : [])]);
  return [...replicas.map((replica): Replica => (leaving.has(replica) ? { ...replica, stage: "leaving", since: input.now } : replica)), ...added];
}

/** New replicas for numbers that nobody has, not even on the way out. */
function missingNumbers(replicas: readonly Replica[], wanted: WantedVersion, { now, workloads }: ReplaceInput): readonly Replica[] {
  const taken = new Set(replicas.map(({ index }) => index));
  const ids = new Set([...replicas.map(({ id }) => id), ...workloads.keys()]);
  const free = Array.from({ length: wanted.scale }, (_, index) => index).filter((index) => !taken.has(index));
  return free.map((index) => ({ id: newId(wanted, index, ids), key: wanted.key, hash: wanted.hash, index, stage: "running", since: now }));
}

/** Takes leaving replicas of the wanted hash back: nobody has told them to stop. */
function revive(replicas: readonly Replica[], wanted: WantedVersion, now: number): readonly Replica[] {
  const running = replicas.filter((replica) => replica.stage === "running" && replica.hash === wanted.hash).length;
  let missing = wanted.scale - running;
  return replicas.map((replica) => {
    if (missing <= 0 || replica.stage !== "leaving" || replica.hash !== wanted.hash) return replica;
    missing -= 1;
    return { ...replica, stage: "running", since: now };
  });
}

/** The ones to keep first: those that Envoy uses, those that are ready, the oldest numbers. */
function byWorth(input: ReplaceInput): (a: Replica, b: Replica) => number {
  const worth = (replica: Replica): number => (isAvailable(replica, input) ? 0 : isReady(replica, input) ? 1 : 2);
  return (a, b) => worth(a) - worth(b) || a.index - b.index || (a.id < b.id ? -1 : 1);
}

function isReady(replica: Replica, { workloads }: ReplaceInput): boolean {
  return workloads.get(replica.id)?.phase === "ready";
}

function isAvailable(replica: Replica, input: ReplaceInput): boolean {
  return isReady(replica, input) && input.envoy.has.has(replica.id);
}

function newReplicas(
  all: readonly Replica[],
  wanted: WantedVersion,
  { count, input }: { readonly count: number; readonly input: ReplaceInput },
): readonly Replica[] {
  const used = new Set(all.filter((replica) => replica.stage === "running" && replica.hash === wanted.hash).map((replica) => replica.index));
  const ids = new Set(all.map((replica) => replica.id));
  const added: Replica[] = [];
  for (let index = 0; added.length < count; index += 1) {
    if (used.has(index)) continue;
    const id = newId(wanted, index, ids);
    added.push({ id, key: wanted.key, hash: wanted.hash, index, stage: "running", since: input.now });
  }
  return added;
}

/** `web-v1-0-x7k2p`: depends on what it stands for alone, so that asking twice, before and after a crash of ours, asks for the same replica. */
function newId(wanted: WantedVersion, index: number, taken: ReadonlySet<string>): string {
  for (let attempt = 0; ; attempt += 1) {
    const id = `${wanted.app.slice(0, 40)}-${wanted.version.slice(0, 40)}-${index}-${shortHash(`${wanted.key} ${wanted.hash} ${index} ${attempt}`)}`;
    if (!taken.has(id)) return id;
  }
}

/** Six letters and digits. */
function shortHash(text: string): string {
  return fnv1a(text).toString(36).padStart(6, "0").slice(-6);
}

function indexOf(id: string): number {
  return Number(/-(\d+)-[a-z0-9]+$/.exec(id)?.[1] ?? 0);
}

/** The replicas that get traffic: running and ready now. Grouped by version, in the order of ids. */
export function servingReplicas(
  replicas: ReadonlyMap<string, Replica>,
  workloads: ReadonlyMap<string, Workload>,
): ReadonlyMap<VersionKey, readonly Workload[]> {
  const serving = [...replicas.values()]
    .filter((replica) => replica.stage === "running")
    .map((replica) => workloads.get(replica.id))
    .filter((workload) => workload?.phase === "ready" && workload.network !== undefined)
    .filter((workload) => workload !== undefined)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return Map.groupBy(serving, (workload) => workload.key);
}
