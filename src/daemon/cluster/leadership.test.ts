import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, silentLog } from "../../../test/support/real.ts";
import { VirtualClock } from "../../../test/support/virtual-clock.ts";
import type { ApiError, ApiResult } from "../../providers/kubernetes/api-error.ts";
import { becomeLeader, type Leadership, leaseDurationMs } from "./leadership.ts";

interface StoredLease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity: string; readonly renewTime: string; readonly leaseTransitions: number };
}

/** One Lease behind an API server that can be away. */
function fakeApi() {
  let stored: StoredLease | undefined;
  let version = 0;
  const refuse = (kind: "notFound" | "exists" | "conflict" | "unavailable"): ApiResult<never> => ({
    ok: false,
    error: { kind, message: kind, causes: [] } as ApiError,
  });
  const keep = (object: unknown): ApiResult<unknown> => {
    version += 1;
    stored = { ...(object as StoredLease), metadata: { resourceVersion: String(version) } };
    return { ok: true, value: stored };
  };
  const api = {
    away: false,
    get lease(): StoredLease["spec"] | undefined {
      return stored?.spec;
    },
    /** As if another had written. */
    steal(holder: string): void {
      keep({ spec: { holderIdentity: holder, renewTime: "later", leaseDurationSeconds: leaseDurationMs / 1_000, leaseTransitions: 9 } });
    },
    get: async (): Promise<ApiResult<unknown>> => (api.away ? refuse("unavailable") : stored === undefined ? refuse("notFound") : { ok: true, value: stored }),
    create: async (_: unknown, object: unknown): Promise<ApiResult<unknown>> =>
      api.away ? refuse("unavailable") : stored === undefined ? keep(object) : refuse("exists"),
    apply: async (_: unknown, object: unknown): Promise<ApiResult<unknown>> => {
      if (api.away) return refuse("unavailable");
      return (object as StoredLease).metadata.resourceVersion === stored?.metadata.resourceVersion ? keep(object) : refuse("conflict");
    },
  };
  return api;
}

function candidate(api: ReturnType<typeof fakeApi>, clock: VirtualClock, self: string) {
  const stop = new AbortController();
  const state: { leadership?: Leadership; stop: AbortController } = { stop };
  const place = { namespace: "weir-system", name: "weir-control" };
  const ended = becomeLeader({ client: api, clock, log: silentLog, place, self }, stop.signal).then((leadership) => {
    if (leadership !== undefined) state.leadership = leadership;
  });
  return { state, ended };
}

test("the first leads; the second stands by while the first renews, and leads when it was silent for as long as the lease lasts", async () => {
  const [api, clock] = [fakeApi(), new VirtualClock()];
  const one = candidate(api, clock, "one");
  await eventually(() => one.state.leadership !== undefined, "one leads");
  const two = candidate(api, clock, "two");
  await clock.advance(60_000);
  assert.equal(two.state.leadership, undefined, "the lease was renewed all the time");
  assert.equal(api.lease?.holderIdentity, "one");
  // One hangs: it does not write any more.
  const apply = api.apply;
  api.apply = async (place, object) => ((object as StoredLease).spec.holderIdentity === "one" ? new Promise(() => {}) : apply(place, object));
  await clock.advance(leaseDurationMs - 1_000);
  assert.equal(two.state.leadership, undefined, "not before its time");
  await clock.advance(6_000);
  assert.ok(two.state.leadership !== undefined);
  assert.deepEqual([api.lease?.holderIdentity, api.lease?.leaseTransitions], ["two", 1]);
});

test("a lease that was given up is taken at once", async () => {
  const [api, clock] = [fakeApi(), new VirtualClock()];
  const one = candidate(api, clock, "one");
  await eventually(() => one.state.leadership !== undefined, "one leads");
  const two = candidate(api, clock, "two");
  await clock.advance(2_000);
  await one.state.leadership?.release();
  await clock.advance(1_500);
  assert.ok(two.state.leadership !== undefined);
});

test("a leader goes on while the API server is away, and has lost when it finds another", async () => {
  const [api, clock] = [fakeApi(), new VirtualClock()];
  const one = candidate(api, clock, "one");
  await eventually(() => one.state.leadership !== undefined, "one leads");
  api.away = true;
  await clock.advance(300_000);
  assert.equal(one.state.leadership?.lost.aborted, false);
  api.away = false;
  await clock.advance(4_000);
  assert.equal(one.state.leadership?.lost.aborted, false, "still its own");
  api.away = true;
  await clock.advance(30_000);
  api.steal("two");
  api.away = false;
  await clock.advance(4_000);
  assert.equal(one.state.leadership?.lost.aborted, true);
  await one.state.leadership?.release();
  assert.equal(api.lease?.holderIdentity, "two", "what is another's is not given up");
});

test("the time that the API server was away counts for nobody", async () => {
  const [api, clock] = [fakeApi(), new VirtualClock()];
  const one = candidate(api, clock, "one");
  await eventually(() => one.state.leadership !== undefined, "one leads");
  const two = candidate(api, clock, "two");
  await clock.advance(5_000);
  api.away = true;
  await clock.advance(120_000);
  api.away = false;
  await clock.advance(60_000);
  assert.deepEqual([two.state.leadership, one.state.leadership?.lost.aborted, api.lease?.holderIdentity], [undefined, false, "one"]);
});

test("of many that start at once one leads, and whoever is told to end stops waiting", async () => {
  const [api, clock] = [fakeApi(), new VirtualClock()];
  const all = ["a", "b", "c", "d"].map((self) => candidate(api, clock, self));
  await clock.advance(5_000);
  assert.equal(all.filter(({ state }) => state.leadership !== undefined).length, 1);
  for (const { state } of all) state.stop.abort();
  await Promise.all(all.map(({ ended }) => ended));
});
