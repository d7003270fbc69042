/** A node's keeper of identities: a key and a certificate for each that is wanted, renewed in time. Keys are made here and never leave. */
import type { Readable } from "../lib/cell.ts";
import { Cell } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { messageOf } from "../lib/message-of.ts";
import type { SpiffeId } from "../model/spiffe.ts";
import { sameBundle, type TrustBundle } from "./bundle.ts";
import type { CertificateClient, SvidAnswer } from "./certificate-client.ts";
import { createKeyPair, type KeyPair } from "./keys.ts";
import { isUsable, redialDelayMs, renewAt, retryDelayMs } from "./renewal.ts";
import { createRequest } from "./request.ts";
import type { NodeReport } from "./rotation.ts";

/** A certificate with its key, as the proxy wants them. */
export interface HeldSvid {
  readonly id: SpiffeId;
  readonly chain: string;
  readonly key: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Id of the root above it. */
  readonly root: string;
}

/** All that a node holds at one moment. */
export interface NodeIdentities {
  /** Grows with every change. */
  readonly revision: number;
  readonly svids: ReadonlyMap<SpiffeId, HeldSvid>;
  /** Undefined until the authority has answered once. */
  readonly bundle: TrustBundle | undefined;
}

export interface NodeIdentitiesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The identities that this node needs now: its own and those of its workloads. */
  readonly wanted: Readable<ReadonlySet<SpiffeId>>;
  readonly client: CertificateClient;
  /** From 0 to 1, evenly. */
  random(): number;
  /** The newest revision that the proxy works with. Absent: every published one at once. */
  acknowledged?(): number;
  /** How often to report and to fetch the trust bundle when there is nothing else to ask. Default one minute: it is how fast a new root is spread. */
  readonly refreshMs?: number;
}

/** What is known of one wanted identity. */
interface Entry {
  held?: HeldSvid;
  /** When to ask for the next certificate. */
  askAt: number;
  /** How often it was refused in a row. */
  failures: number;
}

/** In one call; the authority takes more. */
const batchSize = 500;
const minRenewMs = 60_000;

/**
 * Keeps certificates until `signal` aborts: new ones are asked for at once and together, each is renewed at about half of its life. While the
 * authority is away or refuses, what is held stays until it expires. What is no longer wanted is forgotten with its key.
 */
export function keepNodeIdentities(options: NodeIdentitiesOptions, signal: AbortSignal): Readable<NodeIdentities> {
  const cell = new Cell<NodeIdentities>({ revision: 0, svids: new Map(), bundle: undefined });
  void run(cell, options, signal).catch((error: unknown) => options.log.error("the keeper of identities ended", { error }));
  return cell;
}

async function run(cell: Cell<NodeIdentities>, options: NodeIdentitiesOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, refreshMs = 60_000 } = options;
  const entries = new Map<SpiffeId, Entry>();
  let refreshAt = 0;
  let failures = 0;
  while (!signal.aborted) {
    const wanted = options.wanted.get();
    keepWanted(entries, wanted);
    publish(cell, entries, undefined, clock.now());
    const due = [...entries].filter(([, { askAt }]) => askAt <= clock.now()).slice(0, batchSize);
    if (due.length > 0 || refreshAt <= clock.now()) {
      const isAnswered = await ask(cell, entries, new Map(due), options, signal);
      failures = isAnswered ? 0 : failures + 1;
      refreshAt = clock.now() + (isAnswered ? refreshMs * (0.9 + 0.2 * random()) : redialDelayMs(failures, random()));
      // Together again: one call for all of them.
      if (!isAnswered) for (const [, entry] of due) entry.askAt = refreshAt;
    }
    const next = Math.min(refreshAt, ...[...entries.values()].flatMap(({ askAt, held }) => [askAt, held?.notAfter ?? Number.POSITIVE_INFINITY]));
    await sleepUntil(next, wanted, options, signal);
  }
}

/** Forgets what is no longer wanted, and wants what is new at once. */
function keepWanted(entries: Map<SpiffeId, Entry>, wanted: ReadonlySet<SpiffeId>): void {
  for (const id of entries.keys()) if (!wanted.has(id)) entries.delete(id);
  for (const id of wanted) if (!entries.has(id)) entries.set(id, { askAt: 0, failures: 0 });
}

/** Publishes what can be shown now. What has expired is not: peers would refuse it, and the proxy should say that it has none. */
function publish(cell: Cell<NodeIdentities>, entries: ReadonlyMap<SpiffeId, Entry>, bundle: TrustBundle | undefined, now: number): void {
  for (const entry of entries.values()) if (entry.held !== undefined && now >= entry.held.notAfter) delete entry.held;
  const svids = new Map([...entries].flatMap(([id, { held }]) => (held === undefined ? [] : [[id, held] as const])));
  cell.update((before) => {
    const isSame = svids.size === before.svids.size && [...svids].every(([id, held]) => before.svids.get(id) === held);
    const isSameTrust = bundle === undefined || (before.bundle !== undefined && sameBundle(before.bundle, bundle));
    if (isSame && isSameTrust) return before;
    return { revision: before.revision + 1, svids: isSame ? before.svids : svids, bundle: isSameTrust ? before.bundle : bundle };
  });
}

async function ask(
  cell: Cell<NodeIdentities>,
  entries: ReadonlyMap<SpiffeId, Entry>,
  due: ReadonlyMap<SpiffeId, Entry>,
  options: NodeIdentitiesOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { client, clock, log } = options;
  try {
    const keys = new Map<SpiffeId, KeyPair>();
    for (const id of due.keys()) keys.set(id, await createKeyPair());
    const requests = await Promise.all([...keys].map(async ([id, pair]) => ({ id, csr: await createRequest(pair) })));
    const { answers, bundle } = await client.issue(requests, reportOf(cell.get(), options), signal);
    for (const [at, [id, { privatePem }]] of [...keys].entries()) {
      const entry = due.get(id);
      const answer = answers[at];
      if (entry !== undefined && answer !== undefined) take(id, entry, answer, privatePem, options);
    }
    // What was not wanted any more while the authority worked is not in `entries`: it is dropped with its key.
    publish(cell, entries, bundle, clock.now());
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    log.warn("the certificate authority does not answer", { error: messageOf(error), waiting: due.size });
    return false;
  }
}

function take(id: SpiffeId, entry: Entry, answer: SvidAnswer, key: string, options: NodeIdentitiesOptions): void {
  if (answer.kind === "refused") {
    options.log.warn("identity refused", { id, code: answer.code, reason: answer.reason });
    entry.failures += 1;
    entry.askAt = options.clock.now() + retryDelayMs(entry.failures, options.random());
    return;
  }
  const { chain, notBefore, notAfter, root } = answer;
  entry.held = { id, chain, key, notBefore, notAfter, root };
  entry.failures = 0;
  // A certificate whose half is over already (an authority near its end, a wrong clock) is not asked for again in a loop.
  entry.askAt = Math.max(renewAt({ notBefore, notAfter }, options.random()), options.clock.now() + minRenewMs);
  if (!isUsable({ notBefore, notAfter }, options.clock.now()))
    options.log.warn("the certificate is not valid now: look at the clocks", { id, notBefore, notAfter });
}

/** What the proxy works with; undefined while it has not acknowledged what is published. */
function reportOf({ revision, svids, bundle }: NodeIdentities, { acknowledged }: NodeIdentitiesOptions): NodeReport | undefined {
  if (bundle === undefined || (acknowledged !== undefined && acknowledged() < revision)) return undefined;
  return { trusts: bundle.own.roots.map(({ id }) => id), signedBy: [...new Set([...svids.values()].map(({ root }) => root))] };
}

/** Sleeps until `time`, until something else is wanted, or until the end. */
async function sleepUntil(time: number, wanted: ReadonlySet<SpiffeId>, options: NodeIdentitiesOptions, signal: AbortSignal): Promise<void> {
  const awake = new AbortController();
  const wake = (): void => awake.abort();
  signal.addEventListener("abort", wake);
  if (signal.aborted) wake();
  const watching = (async () => {
    for await (const newer of options.wanted.watch(awake.signal)) if (newer !== wanted) wake();
  })();
  await options.clock.sleep(Math.max(0, time - options.clock.now()), awake.signal);
  wake();
  signal.removeEventListener("abort", wake);
  await watching;
}
