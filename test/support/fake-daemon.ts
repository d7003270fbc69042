/** A daemon without a machine: real store rules, control loop and API; a platform in memory and an Envoy that acknowledges everything at once. */
import type { TestContext } from "node:test";
import type { Hono } from "hono";
import { realClock } from "../../src/agent/real-clock.ts";
import type { ApiContext, KeptVolume, Machine } from "../../src/api/context.ts";
import type { LogLine } from "../../src/api/contract.ts";
import { allRoutes } from "../../src/api/routes.ts";
import { createApi } from "../../src/api/server.ts";
import { ControlLoop } from "../../src/daemon/control-loop.ts";
import { type EnvoyState, nothingSent } from "../../src/daemon/envoy-link.ts";
import { Cell } from "../../src/lib/cell.ts";
import { ok } from "../../src/lib/problem.ts";
import { type Fate, MemoryProvider } from "../../src/providers/memory/memory-provider.ts";
import type { ReplicaOrder, RunOrder } from "../../src/providers/provider.ts";
import { Registry } from "../../src/registry/registry.ts";
import { MemoryStore } from "../../src/store/memory-store.ts";

export interface FakeDaemon {
  readonly api: Hono;
  readonly store: MemoryStore;
  readonly control: ControlLoop;
  readonly registry: Registry;
  /** What was logged as a warning or an error. */
  readonly complaints: string[];
  /** True while Envoy does not answer. */
  mute: boolean;
  /** What Envoy says about the next World, if it refuses something. */
  refuses: string | undefined;
  quits: number;
  /** Data that versions left behind. */
  volumes: readonly KeptVolume[];
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what the API answers
  post<T>(path: string, body: unknown): Promise<{ readonly status: number; readonly body: T }>;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller says what the API answers
  get<T>(path: string): Promise<{ readonly status: number; readonly body: T }>;
}

export const gateway = { address: "127.0.0.1", port: 8080, socketDir: "/run", domain: "localhost" };

/** Starts one; it ends with the test. `fate` says what becomes of replicas, `traits` what the platform can do beside them, `outcome` what becomes of jobs' runs. */
export function startFakeDaemon(
  t: TestContext,
  fate: (replica: ReplicaOrder) => Fate = () => "ready",
  traits: Partial<ApiContext["platform"]> = {},
  outcome: (run: RunOrder) => "succeeded" | "failed" | undefined = () => "succeeded",
): FakeDaemon {
  const complaints: string[] = [];
  const complain = (message: string, fields: unknown): void => void complaints.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: () => {}, info: () => {}, warn: complain, error: complain };
  const stop = new AbortController();
  const store = new MemoryStore(realClock);
  const provider = new MemoryProvider({ clock: realClock, fate, outcome });
  const registry = new Registry();
  const state = new Cell<EnvoyState>(nothingSent);
  const control = new ControlLoop({ store, provider, registry, envoy: { state }, gateway, clock: realClock, log });
  const context: ApiContext = {
    store,
    observed: control.observed,
    machine: fakeMachine(() => daemon),
    platform: { runs: "commands", teller: "the node agent", seeProxies: "`weir system status` shows the proxies", ...traits },
    clock: realClock,
    log,
    about: { version: "test", pid: 1, startedAt: 0, stateDir: "/state", sockets: {}, gatewayUrl: "http://127.0.0.1:8080" },
    quit: () => void (daemon.quits += 1),
  };
  const api = createApi(context, allRoutes, stop.signal);
  const send = async (path: string, init?: RequestInit) => {
    const response = await api.request(path, init);
    const text = await response.text();
    const body = response.headers.get("content-type")?.includes("ndjson")
      ? text
          .trim()
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as unknown)
      : JSON.parse(text);
    return { status: response.status, body };
  };
  const daemon: FakeDaemon = {
    api,
    store,
    control,
    registry,
    complaints,
    mute: false,
    refuses: undefined,
    quits: 0,
    volumes: [],
    post: (path, body) => send(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    get: (path) => send(path),
  };
  const work = Promise.all([provider.start(stop.signal), control.start(stop.signal), acknowledge(daemon, state, stop.signal)]);
  t.after(async () => {
    stop.abort();
    await work;
  });
  return daemon;
}

async function acknowledge(daemon: FakeDaemon, state: Cell<EnvoyState>, signal: AbortSignal): Promise<void> {
  for await (const published of daemon.registry.published.watch(signal)) {
    if (published === undefined) continue;
    const sent = { world: published.world, nodeRevision: published.world.revision, gatewayRevision: 0 };
    state.update((before) => ({ ...before, newest: sent, since: [...before.since, sent] }));
    await realClock.sleep(1, signal);
    while (daemon.mute && !signal.aborted) await realClock.sleep(5, signal);
    const refusals = daemon.refuses === undefined ? [] : [{ proxy: "node", name: "mesh", message: daemon.refuses, at: realClock.now() }];
    state.update((before) => ({
      newest: sent,
      node: sent,
      ackedRevision: published.world.revision,
      since: before.since.slice(before.since.indexOf(sent)),
      refusals,
    }));
  }
}

function fakeMachine(daemon: () => FakeDaemon): Machine {
  const line = (workload: string): LogLine => ({ at: 1, workload, stream: "stderr", line: "the disk is on fire" });
  return {
    readLogs: async ({ workloads }) => workloads.map(line),
    async *followLogs({ workloads }, signal) {
      const seen = new Set<string>();
      while (!signal.aborted) {
        for (const workload of workloads) if (!seen.has(workload)) yield line(workload);
        for (const workload of workloads) seen.add(workload);
        await realClock.sleep(2, signal);
      }
    },
    exec: async (workload) => ({ kind: "program", argv: ["enter", workload], env: { A: "1" } }),
    keptVolumes: async (queries) =>
      ok(
        daemon().volumes.filter((one) =>
          queries.some(({ namespace, app, version }) => one.namespace === namespace && one.app === app && (version ?? one.version) === one.version),
        ),
      ),
    deleteVolumes: async (volumes) => {
      daemon().volumes = daemon().volumes.filter((one) => !volumes.includes(one));
      return ok(undefined);
    },
    replaceProxies: async () => ["node"],
    proxies: async () => [],
    agent: async () => ({ state: "running" }),
    stop: async () => {},
  };
}
