/** Brings objects of ours onto a cluster and keeps them there: writes what differs, puts back what others changed, never touches what is not ours. */
import { backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { inTurns } from "../../lib/in-turns.ts";
import type { Log } from "../../lib/log.ts";
import type { ApiError, ApiResult } from "./api-error.ts";
import type { KubeClient, ObjectPlace } from "./client.ts";
import type { KubeRunner, KubeWritten } from "./objects.ts";
import { writtenReader } from "./read-declarations.ts";
import { readMeta } from "./read-objects.ts";
import { record } from "./readers.ts";
import { isRunnerKind, managedLabel, replicasManager, type WrittenKind, type WrittenObject, writtenKey, writtenKinds } from "./workload-objects.ts";

export interface WorkloadWriterOptions {
  readonly client: Pick<KubeClient, "get" | "apply" | "delete">;
  readonly clock: Clock;
  readonly log: Log;
}

/** What became of one object. */
interface Entry {
  /** What was tried last. */
  readonly object: WrittenObject;
  /** What the cluster made of it, and when; absent: it refused. */
  readonly applied?: { readonly digest: string; readonly at: number };
  /** The cluster has shown us what we applied. */
  readonly seen: boolean;
  /** In a row: refusals, or changes by others that were put back. */
  readonly troubles: number;
  readonly notBefore: number;
  /** One line why it could not be applied. */
  readonly reason?: string;
  /** Somebody else has it, and that does as well. */
  readonly left?: true;
}

const waits = { firstMs: 500, longestMs: 30_000 };
/** So long what we hear of an object may be from before we applied it. */
const echoMs = 5_000;
/** Who changes an object again within this time fights for it: each round waits longer. */
const calmMs = 60_000;
const atOnce = 4;

export class WorkloadWriter {
  readonly #options: WorkloadWriterOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: WorkloadWriterOptions) {
    this.#options = options;
  }

  /** Object → one line why it is not as it should be. */
  get reasons(): ReadonlyMap<string, string> {
    return new Map([...this.#entries].flatMap(([key, { reason }]) => (reason === undefined ? [] : [[key, reason] as const])));
  }

  /**
   * One round: applies what is due and deletes what is unwanted. `held` is what the cluster has of ours. Answers when to look again although nothing
   * happened; undefined: no need.
   */
  async round(
    wanted: readonly WrittenObject[],
    { held, unwanted }: { readonly held: ReadonlyMap<string, KubeWritten>; readonly unwanted: readonly KubeWritten[] },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const keys = new Set(wanted.map(writtenKey));
    for (const key of this.#entries.keys()) if (!keys.has(key)) this.#entries.delete(key);
    const work: (() => Promise<void>)[] = [];
    const waits: number[] = [];
    for (const object of wanted) {
      const due = this.#dueAt(object, held.get(writtenKey(object)));
      if (due === undefined) continue;
      if (due > this.#options.clock.now()) waits.push(due);
      else work.push(() => this.#apply(object, held.get(writtenKey(object)), signal));
    }
    await inTurns(work, atOnce, signal);
    let isDone = true;
    const remove = (object: KubeWritten) => async (): Promise<void> => {
      isDone = (await this.#delete(object, signal)) && isDone;
    };
    // Only then: what replaces it is there.
    await inTurns(unwanted.map(remove), atOnce, signal);
    const retries = [...this.#entries.values()].flatMap(({ reason, left, notBefore }) => (reason === undefined && left !== true ? [] : [notBefore]));
    const all = [...waits, ...retries, ...(isDone ? [] : [this.#options.clock.now() + echoMs])];
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** When to apply an object: a time that is over means now; undefined: it is as it should be. */
  #dueAt(object: WrittenObject, held: KubeWritten | undefined): number | undefined {
    const key = writtenKey(object);
    const entry = this.#entries.get(key);
    if (entry === undefined || !isSame(entry.object, object)) return 0;
    const { applied, notBefore } = entry;
    if (applied === undefined) return notBefore;
    if (held?.terminating === true) return undefined;
    if (held?.digest === applied.digest) {
      if (!entry.seen) this.#entries.set(key, { ...entry, seen: true });
      return undefined;
    }
    return entry.seen ? notBefore : Math.max(notBefore, applied.at + echoMs);
  }

  async #apply(object: WrittenObject, held: KubeWritten | undefined, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#options;
    const key = writtenKey(object);
    const before = this.#entries.get(key);
    const place = placeOf(object.kind, object.metadata);
    const hindrance = held === undefined ? await this.#hindrance(object, place, signal) : undefined;
    if (hindrance?.taken === true && doesAsWell.has(object.kind)) return this.#left(object);
    if (hindrance !== undefined) return this.#failed(object, hindrance.reason);
    const handedOver = await this.#handOver(object, held, signal);
    const answer = handedOver.ok ? await client.apply(place, object, { force: true, signal }) : handedOver;
    if (signal.aborted) return;
    if (!answer.ok) return this.#failed(object, describe(object, answer.error));
    const { digest } = writtenReader(object.kind)(answer.value);
    const now = clock.now();
    // What we never see although we applied it is no change by others; it is applied again all the same, ever more slowly.
    const again = before?.applied !== undefined && isSame(before.object, object) ? { ...before, at: before.applied.at } : undefined;
    const troubles = again !== undefined && now - again.at < calmMs ? again.troubles + 1 : 0;
    if (again?.seen === true) log.info("put back what somebody changed", { object: key });
    else log.debug("applied", { object: key });
    this.#entries.set(key, { object, applied: { digest, at: now }, seen: false, troubles, notBefore: troubles === 0 ? 0 : now + backoffMs(waits, troubles) });
  }

  /** Who no longer says how many pods there are must not take the number away: without anybody who says it the API server makes it one. */
  async #handOver(object: WrittenObject, held: KubeWritten | undefined, signal: AbortSignal): Promise<ApiResult<unknown>> {
    if (held === undefined || !isRunner(held) || !held.saysReplicas || replicasOf(object) !== undefined) return { ok: true, value: undefined };
    const { apiVersion, kind, metadata } = object;
    const count = { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace }, spec: { replicas: held.wanted } };
    return this.#options.client.apply(placeOf(kind, metadata), count, { force: true, manager: replicasManager, signal });
  }

  /** Why an object that we did not see may not be written: somebody else's has its name (`taken`), or we cannot know. */
  async #hindrance(object: WrittenObject, place: ObjectPlace, signal: AbortSignal): Promise<{ readonly reason: string; readonly taken: boolean } | undefined> {
    const found = await this.#options.client.get(place, signal);
    if (!found.ok) return found.error.kind === "notFound" ? undefined : { reason: describe(object, found.error), taken: false };
    if (readMeta(record(found.value)).labels[managedLabel.key] === managedLabel.value) return undefined;
    const reason = `there is a ${object.kind} ${object.metadata.name} already, which Weir has not made: delete it, or choose another name`;
    return { reason, taken: true };
  }

  /** Somebody else's does as well: it is used as it is, and looked for again now and then. */
  #left(object: WrittenObject): void {
    const now = this.#options.clock.now();
    this.#entries.set(writtenKey(object), { object, left: true, seen: false, troubles: 0, notBefore: now + waits.longestMs });
  }

  #failed(object: WrittenObject, reason: string): void {
    const { clock, log } = this.#options;
    const key = writtenKey(object);
    const before = this.#entries.get(key);
    const isAgain = before !== undefined && isSame(before.object, object);
    const troubles = isAgain ? before.troubles + 1 : 1;
    log[before?.reason === reason ? "debug" : "warn"]("an object cannot be applied; trying again", { object: key, reason });
    // What was applied before is no longer known to be there.
    this.#entries.set(key, { object, seen: false, troubles, notBefore: clock.now() + backoffMs(waits, troubles), reason });
  }

  /** False: it could not be deleted. */
  async #delete(object: KubeWritten, signal: AbortSignal): Promise<boolean> {
    const { client, log } = this.#options;
    const name = writtenKey({ kind: object.kind, metadata: object });
    // A Job is gone when its pods are: what comes after it must not run beside them.
    const answer = await client.delete(placeOf(object.kind, object), {
      uid: object.uid,
      signal,
      ...(object.kind === "Job" ? { propagation: "Foreground" as const } : {}),
    });
    if (answer.ok || answer.error.kind === "notFound") log.info("deleted what is no longer declared", { object: name });
    else log.warn("an object cannot be deleted; trying again", { object: name, reason: answer.error.message });
    return answer.ok || answer.error.kind === "notFound";
  }
}

/** An account or a budget of an app's name that was there before it: that of a Deployment which it adopted, mostly. */
const doesAsWell: ReadonlySet<WrittenKind> = new Set(["ServiceAccount", "PodDisruptionBudget"]);

function isRunner(object: KubeWritten): object is KubeRunner {
  return isRunnerKind(object.kind);
}

function replicasOf(object: WrittenObject): unknown {
  return record(object["spec"])["replicas"];
}

function isSame(a: WrittenObject, b: WrittenObject): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function placeOf(kind: WrittenKind, { namespace, name }: { readonly namespace: string; readonly name: string }): ObjectPlace {
  return { kind: writtenKinds[kind], namespace, name };
}

function describe({ kind, metadata: { name } }: WrittenObject, error: ApiError): string {
  return `${kind} ${name}: ${error.message}`;
}
