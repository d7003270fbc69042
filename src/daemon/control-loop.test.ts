/** The loop against a platform and an Envoy that do exactly what the test says. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { commit, config, service, stack } from "../../test/support/declared.ts";
import { gateway } from "../../test/support/fake-daemon.ts";
import { realClock } from "../agent/real-clock.ts";
import type { Observed } from "../api/context.ts";
import { Cell } from "../lib/cell.ts";
import type { LocalStore, Write } from "../model/declared.ts";
import type { AppKey, VersionKey, VersionName } from "../model/names.ts";
import type { Stack } from "../model/types.ts";
import type { Workload, WorkloadPhase } from "../model/workload.ts";
import type { PlatformOrder, PlatformState, Provider } from "../providers/provider.ts";
import { Registry } from "../registry/registry.ts";
import { changeWeights } from "../release/app-weights.ts";
import { planStack } from "../release/plan.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { ControlLoop } from "./control-loop.ts";
import { type EnvoyState, nothingSent } from "./envoy-link.ts";

class HandProvider implements Provider {
  readonly state = new Cell<PlatformState | undefined>(undefined);
  readonly orders: PlatformOrder[] = [];
  apply(order: PlatformOrder): number {
    this.orders.push(order);
    return this.orders.length;
  }
  async start(): Promise<void> {}
  report(...workloads: readonly Workload[]): void {
    this.state.set({ connected: true, generation: this.orders.length, workloads: new Map(workloads.map((workload) => [workload.id, workload])) });
  }
  /** The newest order as `ID state`. */
  get newest(): readonly string[] {
    return this.orders.at(-1)?.replicas.map(({ id, state }) => `${id} ${state}`) ?? [];
  }
}

interface Rig {
  readonly store: MemoryStore;
  readonly provider: HandProvider;
  readonly registry: Registry;
  readonly loop: ControlLoop;
  readonly envoy: Cell<EnvoyState>;
  readonly errors: string[];
  /** Envoy acknowledges the newest World. */
  ack(): void;
}

function rig(t: TestContext, old?: Rig, wrap: (store: MemoryStore) => LocalStore = (store) => store): Rig {
  const store = old?.store ?? new MemoryStore(realClock);
  const provider = old?.provider ?? new HandProvider();
  const [registry, envoy, errors] = [new Registry(), new Cell<EnvoyState>(nothingSent), [] as string[]];
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: (message: string) => void errors.push(message) };
  const loop = new ControlLoop({ store: wrap(store), provider, registry, envoy: { state: envoy }, gateway, clock: realClock, log });
  const stop = new AbortController();
  const work = loop.start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
  });
  const ack = (): void => {
    const world = registry.published.get()?.world;
    if (world === undefined) return;
    const sent = { world, nodeRevision: world.revision, gatewayRevision: 0 };
    envoy.set({ newest: sent, node: sent, since: [sent], ackedRevision: world.revision, refusals: [] });
  };
  return { store, provider, registry, loop, envoy, errors, ack };
}

function declare(store: MemoryStore, changes: Partial<Stack>): void {
  const plan = planStack(store.snapshot.get(), stack(changes), realClock.now());
  assert.ok(plan.ok, JSON.stringify(plan));
  commit(store, plan.value.writes);
}

async function until(loop: ControlLoop, holds: (observed: Observed) => boolean): Promise<Observed> {
  for await (const observed of loop.observed.watch(AbortSignal.timeout(8_000))) if (observed !== undefined && holds(observed)) return observed;
  throw new Error("never");
}
const pause = () => new Promise((resolve) => setTimeout(resolve, 15));

function workload(order: PlatformOrder, index: number, phase: WorkloadPhase): Workload {
  const replica = order.replicas[index];
  assert.ok(replica);
  const { namespace, app, version } = replica.template.service;
  const address = `100.64.0.${index + 1}`;
  const network = { address, captureAddress: address, capturePort: 15_001, networkNamespace: `/ns/${replica.id}` };
  return {
    id: replica.id,
    key: `${namespace}/${app}@${version}` as VersionKey,
    namespace,
    app,
    version,
    hash: replica.template.hash,
    phase,
    since: realClock.now(),
    restarts: 0,
    network,
  };
}

test("before the platform has spoken nobody is told anything", async (t) => {
  const { store, provider, registry, loop } = rig(t);
  declare(store, { services: [service("web")] });
  await pause();
  assert.deepEqual([registry.published.get(), provider.orders, loop.observed.get()], [undefined, [], undefined]);
  provider.report();
  await until(loop, (observed) => observed.declared.objects.service.size === 1);
  assert.equal(provider.newest.length, 1);
});

test("a replica's whole life: ordered with its template on record, served, taken out, stopped, forgotten", async (t) => {
  const { store, provider, registry, loop, ack } = rig(t);
  provider.report();
  declare(store, { services: [service("web", { egress: true })], configs: [config("c", { a: "1" })] });
  const { declared } = await until(loop, (observed) => observed.replicas.replicas.size === 1);
  const [id] = [...(loop.observed.get()?.replicas.replicas.keys() ?? [])];
  assert.deepEqual([provider.newest, declared.objects.template.size], [[`${id} run`], 1]);
  assert.deepEqual(provider.orders.at(-1)?.names["default"], { web: "100.100.0.2", "web-v1": "100.100.0.3" });
  const order = provider.orders.at(-1);
  assert.ok(order);
  provider.report(workload(order, 0, "starting"));
  await until(loop, (observed) => observed.world.captures.length === 1 && observed.world.captures[0]?.egress === true && observed.world.endpoints.size === 0);
  provider.report(workload(order, 0, "ready"));
  await until(loop, (observed) => observed.world.endpoints.size === 1);
  ack();
  await until(loop, (observed) => observed.replicas.envoy.has.has(id ?? ""));
  declare(store, {});
  await until(loop, (observed) => observed.world.endpoints.size === 0);
  await pause();
  assert.deepEqual(provider.newest, [`${id} run`], "Envoy has not let go");
  ack();
  await until(loop, (observed) => [...observed.replicas.replicas.values()].every((replica) => replica.stage === "stopping"));
  await pause();
  assert.deepEqual(provider.newest, [`${id} stop`]);
  provider.report(workload(order, 0, "exited"));
  await until(loop, (observed) => observed.world.captures.length === 0);
  await pause();
  assert.deepEqual(provider.newest, [`${id} stop`], "Envoy still listens in its namespace");
  ack();
  await until(loop, (observed) => observed.replicas.replicas.size === 0);
  await pause();
  assert.deepEqual([provider.newest, store.snapshot.get().objects.template.size], [[], 0]);
  assert.equal(registry.published.get()?.world.captures.length, 0);
});

test("another daemon in its place orders the very same, old templates included", async (t) => {
  const first = rig(t);
  first.provider.report();
  declare(first.store, { services: [service("web", { scale: 2 })] });
  await until(first.loop, (observed) => observed.replicas.replicas.size === 2);
  const order = first.provider.orders.at(-1);
  assert.ok(order);
  first.provider.report(workload(order, 0, "ready"), workload(order, 1, "ready"));
  await until(first.loop, (observed) => observed.world.endpoints.size === 1);
  declare(first.store, { services: [service("web", { scale: 2, command: ["newer"] })] });
  await until(first.loop, (observed) => observed.replicas.replicas.size === 4);
  await pause();
  const before = first.provider.newest;
  const second = rig(t, first);
  await until(second.loop, (observed) => observed.replicas.replicas.size === 4);
  await pause();
  assert.deepEqual(second.provider.newest, before);
  assert.deepEqual(
    second.provider.orders
      .at(-1)
      ?.replicas.map((replica) => replica.template.service.command[0])
      .toSorted(),
    ["newer", "newer", "serve", "serve"],
  );
});

test("a rollout moves the World by itself, and stops", async (t) => {
  const { store, provider, registry, loop } = rig(t);
  provider.report();
  declare(store, { services: [service("web"), service("web@v2")] });
  const app = store.snapshot.get().objects.app.get("default/web")?.value;
  assert.ok(app);
  const moved = changeWeights(app, new Map([["v2" as VersionName, 10_000]]), { now: realClock.now(), durationMs: 350, change: "promote v2" });
  assert.ok(moved.ok);
  commit(store, [{ op: "put", kind: "app", key: "default/web", value: moved.value }]);
  const seen = new Set<number>();
  await until(loop, (observed) => {
    const weight = observed.world.apps.get("default/web" as AppKey)?.weights.get("v2" as VersionName) ?? 0;
    seen.add(weight);
    return weight === 10_000;
  });
  assert.ok(seen.size >= 3, `steps: ${[...seen].join()}`);
  const { revision } = registry.published.get()?.world ?? {};
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(registry.published.get()?.world.revision, revision, "nothing ticks any more");
});

test("a store that cannot be written delays, and ends nothing", { timeout: 10_000 }, async (t) => {
  let full = true;
  const wrap = (store: MemoryStore): LocalStore => ({
    snapshot: store.snapshot,
    watch: (from, signal) => store.watch(from, signal),
    commit: (writes) => store.commit(writes),
    commitNow: (writes: readonly Write[]) => {
      if (full) throw new Error("database or disk is full");
      return store.commitNow(writes);
    },
  });
  const { store, provider, loop, errors } = rig(t, undefined, wrap);
  provider.report();
  declare(store, { services: [service("web")] });
  await pause();
  assert.deepEqual([provider.newest, errors.length > 0], [[], true], "no replica without its template on record");
  full = false;
  await until(loop, (observed) => observed.declared.objects.template.size === 1);
  assert.equal(provider.newest.length, 1);
});

test("what runs and nobody declared or knows is ended", async (t) => {
  const { provider, loop } = rig(t);
  const { namespace, app, version } = service("ghost");
  provider.report({ id: "ghost-v1-0-abc", key: "default/ghost@v1" as VersionKey, namespace, app, version, hash: "?", phase: "ready", since: 0, restarts: 0 });
  await until(loop, () => true);
  assert.deepEqual(provider.newest, [], "left out of the order, so the platform drains it");
});
