/** Keeps one kind's objects as the API server has them, for ever, whatever happens to the connection. */
import { backoffMs } from "../../lib/backoff.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { ApiError } from "./api-error.ts";
import type { KubeClient, ResourceKind, Selection, WatchNews } from "./client.ts";
import { Mirror } from "./mirror.ts";

export interface ReflectorOptions<T> {
  readonly client: Pick<KubeClient, "list" | "watch">;
  readonly kind: ResourceKind;
  /** Takes from an object what is needed of it. */
  readonly read: (raw: unknown) => T;
  readonly selection?: Selection;
  /**
   * The cluster may not have the kind, or not let us see it: then there are no objects, and it is looked for again now and then. Objects that were seen
   * stay when we may no longer look.
   */
  readonly mayBeMissing?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1: spreads the retries of many. */
  readonly random: () => number;
}

/** What is known of a kind. */
export interface Reflected<T> {
  /** By `NAMESPACE/NAME`, or `NAME`. */
  readonly objects: ReadonlyMap<string, T>;
  /** Everything was listed at least once. */
  readonly synced: boolean;
  /** False: `objects` is what was true when the API server was last heard of. */
  readonly connected: boolean;
  /** One line why not, when it is not connected. */
  readonly reason?: string;
}

const pageSize = 500;
/** A watch ends by itself after this to this times two, so that not all of them end at once. */
const watchSeconds = 300;
/**
 * A connection that is silent for longer may be dead. API servers send a bookmark about every minute, but none for a kind of which nothing ever happened
 * (seen with 1.37): then the watch is only renewed, which costs little.
 */
const patienceMs = 90_000;
const waits = { firstMs: 250, longestMs: 30_000 };
/** So long a kind that a cluster does not have is taken for missing. */
const missingMs = 10_000;
/** A watch that ended sooner than this did no good: the next one waits as after a failure. */
const shortestWatchMs = 1_000;

/** One attempt: `done` goes on at once, `failed` after a while. */
type Outcome = { readonly kind: "done" } | { readonly kind: "short" } | { readonly kind: "failed"; readonly error: ApiError };

export class Reflector<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #mirror: Mirror<T>;
  readonly #state: Cell<Reflected<T>>;
  /** Told once. */
  #missingBecause: string | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#mirror = new Mirror(options.read);
    this.#state = new Cell<Reflected<T>>({ objects: this.#mirror.objects, synced: false, connected: false, reason: "not heard of yet" });
  }

  get state(): Readable<Reflected<T>> {
    return this.#state;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let last: Outcome = { kind: "done" };
    while (!signal.aborted) {
      const outcome = this.#mirror.version === undefined ? await this.#list(signal) : await this.#watch(this.#mirror.version, signal);
      if (signal.aborted) return;
      if (outcome.kind === "failed" && this.#isMissing(outcome)) {
        this.#missing(outcome.error.message);
        await this.#options.clock.sleep(missingMs * (0.5 + this.#options.random() / 2), signal);
        continue;
      }
      const isHarmless = outcome.kind === "done" || (isGone(outcome) && !isGone(last));
      if (outcome.kind === "failed") this.#failed(outcome.error, isHarmless);
      failures = outcome.kind === "done" ? 0 : isHarmless ? failures : failures + 1;
      last = outcome;
      if (!isHarmless) await this.#options.clock.sleep(this.#waitMs(outcome, failures), signal);
    }
  }

  #isMissing(outcome: Outcome): boolean {
    if (this.#options.mayBeMissing !== true || outcome.kind !== "failed") return false;
    return outcome.error.kind === "notFound" || (outcome.error.kind === "forbidden" && this.#mirror.objects.size === 0);
  }

  #missing(reason: string): void {
    const { kind, log } = this.#options;
    if (this.#missingBecause !== reason) log.info(`${kind.resource} are not here`, { reason });
    this.#missingBecause = reason;
    this.#mirror.replace([], "");
    this.#mirror.expire();
    this.#set({ connected: true });
  }

  #failed(error: ApiError, isHarmless: boolean): void {
    const { kind, log } = this.#options;
    if (error.kind === "gone") this.#mirror.expire();
    const { connected, reason } = this.#state.get();
    const isNews = !isHarmless && (connected || reason !== error.message);
    log[isNews ? "warn" : "debug"](`${kind.resource} cannot be watched`, { reason: error.message });
    if (!isHarmless) this.#set({ connected: false, reason: error.message });
  }

  #waitMs(outcome: Outcome, failures: number): number {
    const asked = outcome.kind === "failed" && outcome.error.kind === "unavailable" ? (outcome.error.retryAfterMs ?? 0) : 0;
    return Math.max(backoffMs(waits, failures) * (0.5 + this.#options.random() / 2), asked);
  }

  /** Publishes what is known; silent when nothing of it is new. */
  #set(changes: { readonly connected: true } | { readonly connected: false; readonly reason: string }): void {
    const before = this.#state.get();
    const { objects } = this.#mirror;
    const synced = before.synced || changes.connected;
    const reason = changes.connected ? undefined : changes.reason;
    if (before.objects === objects && before.synced === synced && before.connected === changes.connected && before.reason === reason) return;
    this.#state.set({ objects, synced, ...changes });
  }

  async #list(signal: AbortSignal): Promise<Outcome> {
    const { client, kind, selection } = this.#options;
    const pages: ReturnType<Mirror<T>["page"]>[] = [];
    let next: string | undefined;
    do {
      const page = await client.list(kind, { ...selection, limit: pageSize, ...(next === undefined ? {} : { next }), signal });
      if (!page.ok) return { kind: "failed", error: page.error };
      pages.push(this.#mirror.page(page.value.items));
      next = page.value.next;
      if (next === undefined) this.#mirror.replace(pages, page.value.resourceVersion);
    } while (next !== undefined);
    this.#set({ connected: true });
    return { kind: "done" };
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<Outcome> {
    const { client, kind, selection, clock, random } = this.#options;
    const startedAt = clock.now();
    const seconds = Math.round(watchSeconds * (1 + random()));
    let [opened, heard] = [false, false];
    for await (const news of client.watch(kind, { ...selection, resourceVersion, seconds, patienceMs, signal })) {
      const error = this.#hear(news);
      if (error !== undefined) return opened && error.kind === "silent" ? { kind: "done" } : { kind: "failed", error };
      opened = true;
      heard ||= news.kind === "events";
    }
    return heard || clock.now() - startedAt >= shortestWatchMs ? { kind: "done" } : { kind: "short" };
  }

  #hear(news: WatchNews): ApiError | undefined {
    switch (news.kind) {
      case "open":
        break;
      case "events":
        this.#mirror.apply(news.events);
        break;
      case "failed":
        return news.error;
    }
    this.#set({ connected: true });
    return undefined;
  }
}

/** A version that expired is nothing to wait for, unless the new list's has expired, too. */
function isGone(outcome: Outcome): boolean {
  return outcome.kind === "failed" && outcome.error.kind === "gone";
}
