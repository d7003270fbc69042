/**
 * One control plane at a time: whoever holds the Lease. The others wait, ready to follow.
 *
 * Who finds the Lease unchanged for as long as it lasts, by its own clock, takes it (as client-go's leader election does). Who holds it and cannot reach the API server goes on:
 * nobody else can take it there either, and nodes keep what they have. Who finds it in other hands has lost it, for good.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { type LeasePlace, type LeaseRecord, readLease, writeLease } from "../../providers/kubernetes/lease.ts";

export interface LeadershipOptions {
  readonly client: Pick<KubeClient, "get" | "apply" | "create">;
  readonly clock: Clock;
  readonly log: Log;
  readonly place: LeasePlace;
  /** Who we are: unique among all that ever ran. */
  readonly self: string;
}

export interface Leadership {
  /** Aborts when another holds the Lease: whatever we do as the leader must end. */
  readonly lost: AbortSignal;
  /** Gives the Lease up, so that the next need not wait. */
  release(): Promise<void>;
}

/** A request for the Lease that is not answered by then has failed. */
export const leasePatienceMs = 2_500;
/** A dead leader is followed after this. Traffic goes on meanwhile, changes wait. */
export const leaseDurationMs = 12_000;
const renewMs = 3_000;
/** How often others look: a Lease that was given up is taken at once. */
const lookMs = 1_000;

/** Waits until we hold the Lease. Undefined when `signal` aborts first. */
export async function becomeLeader(options: LeadershipOptions, signal: AbortSignal): Promise<Leadership | undefined> {
  const { client, clock, log, place, self } = options;
  let seen: Seen | undefined;
  let told = "";
  while (!signal.aborted) {
    const found = await readLease(client, place, signal);
    if (!found.ok) {
      // The holder cannot renew either: its time begins anew when it can again.
      seen = undefined;
      log.warn("the lease cannot be read", { reason: found.error.message });
    } else {
      seen = observe(seen, found.value, clock.now());
      if (mayTake(seen, self, clock.now())) {
        const taken = await writeLease(client, place, { holder: self, durationMs: leaseDurationMs, now: clock.now(), before: found.value }, signal);
        if (taken.ok) return hold(options, taken.value);
        log.info("another was faster", { reason: taken.error.message });
      } else if (found.value !== undefined && found.value.holder !== told) {
        told = found.value.holder;
        log.info("stands by", { leader: told });
      }
    }
    await clock.sleep(lookMs, signal);
  }
  return undefined;
}

/** A state of the Lease, and since when we know it to be so. */
interface Seen {
  readonly lease: LeaseRecord | undefined;
  readonly since: number;
}

function observe(before: Seen | undefined, lease: LeaseRecord | undefined, now: number): Seen {
  const same = before !== undefined && before.lease?.holder === lease?.holder && before.lease?.renewedAt === lease?.renewedAt;
  return same ? { ...before, lease } : { lease, since: now };
}

function mayTake({ lease, since }: Seen, self: string, now: number): boolean {
  return lease === undefined || lease.holder === "" || lease.holder === self || now - since >= lease.durationMs;
}

function hold(options: LeadershipOptions, first: LeaseRecord): Leadership {
  const { client, clock, log, place, self } = options;
  const [lost, released] = [new AbortController(), new AbortController()];
  let lease = first;
  const renewing = (async () => {
    for (;;) {
      await clock.sleep(renewMs, released.signal);
      if (released.signal.aborted) return;
      const now = clock.now();
      const renewed = await writeLease(client, place, { holder: self, durationMs: leaseDurationMs, now, before: lease }, released.signal);
      if (renewed.ok) {
        lease = renewed.value;
        continue;
      }
      if (released.signal.aborted) return;
      const found = await readLease(client, place, released.signal);
      if (!found.ok) log.warn("the lease cannot be renewed; going on without", { reason: found.error.message });
      else if (found.value?.holder === self) lease = found.value;
      else {
        log.error("another leads now", { leader: found.value?.holder ?? "" });
        lost.abort();
        return;
      }
    }
  })();
  return {
    lost: lost.signal,
    async release() {
      released.abort();
      await renewing;
      if (lost.signal.aborted) return;
      await writeLease(client, place, { holder: "", durationMs: leaseDurationMs, now: clock.now(), before: lease });
    },
  };
}
