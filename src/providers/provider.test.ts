/** One suite for every provider; the local one against an agent that exists only on a socket. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { suite, type TestContext, test } from "node:test";
import { service } from "../../test/support/declared.ts";
import { silentLog } from "../../test/support/real.ts";
import type { AgentStatus, Desired, WorkloadStatus } from "../agent/contract.ts";
import { realClock } from "../agent/real-clock.ts";
import { callUnix, serveUnix, watchUnix } from "../agent/unix-http.ts";
import { Cell } from "../lib/cell.ts";
import type { Template } from "../model/declared.ts";
import type { Namespace } from "../model/names.ts";
import type { Service } from "../model/types.ts";
import { LocalProvider } from "./local/local-provider.ts";
import { platformState, workloadSpec } from "./local/translate.ts";
import type { AgentConnection } from "./local/watch.ts";
import { MemoryProvider } from "./memory/memory-provider.ts";
import type { PlatformState, Provider, ReplicaOrder } from "./provider.ts";

function template(changes: Partial<Service> = {}, more: Partial<Template> = {}): Template {
  return { hash: "h1", service: service("web", changes), restarts: 0, configs: [], secrets: [], ...more };
}
function order(id: string, state: "run" | "stop" = "run", hash = "h1"): ReplicaOrder {
  return { id, index: 0, state, template: template({}, { hash }) };
}

async function until(provider: Provider, holds: (state: PlatformState) => boolean): Promise<PlatformState> {
  for await (const state of provider.state.watch(AbortSignal.timeout(5000))) if (state !== undefined && holds(state)) return state;
  throw new Error(`never: ${JSON.stringify([...(provider.state.get()?.workloads.values() ?? [])])}`);
}
const phase = (id: string, wanted: string) => (state: PlatformState) => state.workloads.get(id)?.phase === wanted;

function describeProvider(name: string, make: (t: TestContext) => Promise<Provider>): void {
  async function started(t: TestContext): Promise<Provider> {
    const provider = await make(t);
    const stop = new AbortController();
    const work = provider.start(stop.signal);
    t.after(async () => {
      stop.abort();
      await work;
    });
    return provider;
  }
  suite(name, () => {
    test("says what runs before anything is ordered", async (t) => {
      const provider = await started(t);
      assert.equal((await until(provider, () => true)).workloads.size, 0);
    });

    test("starts what is ordered and reports it ready, with a network and its hash", async (t) => {
      const provider = await started(t);
      await until(provider, () => true);
      const generation = provider.apply({ replicas: [order("web-v1-0-a"), order("web-v1-1-b")], names: {} });
      const state = await until(provider, (now) => phase("web-v1-0-a", "ready")(now) && phase("web-v1-1-b", "ready")(now));
      assert.ok(state.generation >= generation);
      const workload = state.workloads.get("web-v1-0-a");
      assert.deepEqual([workload?.key, workload?.hash, workload?.restarts], ["default/web@v1", "h1", 0]);
      assert.notEqual(workload?.network?.address, state.workloads.get("web-v1-1-b")?.network?.address);
    });

    test("a stopped replica drains, ends, and stays reported until nobody orders it", async (t) => {
      const provider = await started(t);
      await until(provider, () => true);
      provider.apply({ replicas: [order("web-v1-0-a")], names: {} });
      await until(provider, phase("web-v1-0-a", "ready"));
      provider.apply({ replicas: [order("web-v1-0-a", "stop")], names: {} });
      await until(provider, phase("web-v1-0-a", "exited"));
      provider.apply({ replicas: [], names: {} });
      await until(provider, (state) => state.workloads.size === 0);
    });

    test("what is no longer ordered ends, too", async (t) => {
      const provider = await started(t);
      await until(provider, () => true);
      provider.apply({ replicas: [order("web-v1-0-a")], names: {} });
      await until(provider, phase("web-v1-0-a", "ready"));
      provider.apply({ replicas: [], names: {} });
      await until(provider, (state) => state.workloads.size === 0);
    });

    test("only the newest of many orders counts", async (t) => {
      const provider = await started(t);
      await until(provider, () => true);
      for (let i = 0; i < 50; i += 1) provider.apply({ replicas: [order(`web-v1-0-${i}`)], names: {} });
      const last = provider.apply({ replicas: [order("web-v1-0-last")], names: {} });
      const state = await until(provider, (now) => now.generation >= last && phase("web-v1-0-last", "ready")(now) && now.workloads.size === 1);
      assert.deepEqual([...state.workloads.keys()], ["web-v1-0-last"]);
    });
  });
}

describeProvider("memory", async () => new MemoryProvider({ clock: realClock }));
describeProvider("local", async (t) => new LocalProvider({ connection: connect(await fakeAgent(t)), clock: realClock, log: silentLog }));

interface FakeAgent {
  readonly socket: string;
  readonly received: Desired[];
  up(): Promise<void>;
  down(): Promise<void>;
  forget(): void;
}

/** An agent with the real one's words on a real socket, whose workloads are the memory provider's. */
async function fakeAgent(t: TestContext): Promise<FakeAgent> {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-agent-"));
  const socket = path.join(dir, "agent.sock");
  const status = new Cell<AgentStatus>(agentStatus(0, []));
  const received: Desired[] = [];
  let server: Server | undefined;
  const stop = new AbortController();
  const work = live(status, received, stop.signal);
  const up = async (): Promise<void> => {
    server = await serveUnix(socket, {
      "PUT /desired": ({ body }) => {
        received.push(body as Desired);
        return { generation: (body as Desired).generation };
      },
      "GET /watch": ({ signal }) => status.watch(signal),
    });
  };
  const down = async (): Promise<void> => {
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
  };
  await up();
  t.after(async () => {
    stop.abort();
    await Promise.all([down(), work]);
    rmSync(dir, { recursive: true });
  });
  return { socket, received, up, down, forget: () => void status.set(agentStatus(0, [])) };
}

async function live(status: Cell<AgentStatus>, received: readonly Desired[], signal: AbortSignal): Promise<void> {
  const next = { pending: "starting", starting: "ready", draining: "exited" } as const;
  while (!signal.aborted) {
    const desired = received.at(-1) ?? { generation: 0, workloads: [] };
    const before = new Map(status.get().workloads.map((workload) => [workload.id, workload]));
    const specs = new Map(desired.workloads.map((spec) => [spec.id, spec]));
    const after = [...new Set([...before.keys(), ...specs.keys()])].toSorted().flatMap((id): WorkloadStatus[] => {
      const [old, spec] = [before.get(id), specs.get(id)];
      if (old === undefined) return spec === undefined ? [] : [newStatus(spec.id, spec.specHash)];
      if (spec === undefined && old.phase === "exited") return [];
      const ending = (spec === undefined || spec.state === "stop") && old.phase !== "draining" && old.phase !== "exited";
      return [{ ...old, phase: ending ? "draining" : (next[old.phase as keyof typeof next] ?? old.phase) }];
    });
    status.set(agentStatus(desired.generation, after));
    await realClock.sleep(1, signal);
  }
}

let addresses = 1;
function newStatus(id: string, specHash: string): WorkloadStatus {
  const address = `100.64.0.${(addresses += 1) & 255}`;
  return {
    id,
    specHash,
    namespace: "default",
    app: "web",
    version: "v1",
    phase: "pending",
    since: 0,
    restarts: 0,
    network: { address, captureAddress: address, capturePort: 15001, networkNamespace: `/ns/${id}` },
  };
}
function agentStatus(generation: number, workloads: readonly WorkloadStatus[]): AgentStatus {
  const envoy = { phase: "running", since: 0, restarts: 0 } as const;
  return {
    generation,
    agent: { pid: 1, startedAt: 0 },
    node: { phase: "running", since: 0, restarts: 0 },
    proxies: { node: envoy, gateway: envoy },
    workloads,
  };
}

function connect({ socket }: FakeAgent): AgentConnection {
  return {
    put: async (desired, signal) => void (await callUnix(socket, "PUT", "/desired", { body: desired, signal })),
    watch: (signal) => watchUnix<AgentStatus>(socket, "/watch", signal),
    ensure: async () => {},
  };
}

test("an agent that goes away leaves what was known; one that comes back without memory is told again", { timeout: 10_000 }, async (t) => {
  const agent = await fakeAgent(t);
  const provider = new LocalProvider({ connection: connect(agent), clock: realClock, log: silentLog });
  const stop = new AbortController();
  const work = provider.start(stop.signal);
  t.after(async () => {
    stop.abort();
    await work;
  });
  await until(provider, () => true);
  const generation = provider.apply({ replicas: [order("web-v1-0-a")], names: {} });
  await until(provider, phase("web-v1-0-a", "ready"));
  await agent.down();
  const lost = await until(provider, (state) => !state.connected);
  assert.deepEqual([...lost.workloads.keys()], ["web-v1-0-a"], "the last thing known");
  assert.ok(lost.reason);
  agent.received.length = 0;
  agent.forget();
  await agent.up();
  await until(provider, (state) => state.connected && state.generation === generation && phase("web-v1-0-a", "ready")(state));
});

test("a replica's configs and secrets end in its environment and files, and only its own", () => {
  const namespace = "default" as Namespace;
  const spec = workloadSpec({
    id: "web-v1-0-a",
    index: 3,
    state: "run",
    template: template(
      {
        env: {
          A: { kind: "literal", value: "1" },
          B: { kind: "config", name: "app", key: "level" },
          C: { kind: "secret", name: "db", key: "password" },
          D: { kind: "config", name: "app", key: "none" },
        },
        mounts: [
          { kind: "config", name: "app", path: "/etc/app/" },
          { kind: "secret", name: "db", key: "password", path: "/run/pw" },
        ],
      },
      {
        configs: [{ namespace, name: "app", data: { level: "debug", "a.txt": "x" } }],
        secrets: [{ namespace, name: "db", data: { password: "hunter2", other: "no" } }],
      },
    ),
  });
  assert.deepEqual(spec.env, { WEIR_NAMESPACE: "default", WEIR_APP: "web", WEIR_VERSION: "v1", WEIR_REPLICA: "3", A: "1", B: "debug", C: "hunter2" });
  assert.deepEqual(spec.files, [
    { path: "/etc/app/a.txt", content: "x", mode: 0o444 },
    { path: "/etc/app/level", content: "debug", mode: 0o444 },
    { path: "/run/pw", content: "hunter2", mode: 0o400 },
  ]);
  assert.deepEqual([spec.replica, spec.specHash, spec.ports], [3, "h1", [{ containerPort: 8080, protocol: "http" }]]);
  assert.doesNotMatch(JSON.stringify(spec), /"no"/);
});

test("what did not change in a status is the identical value", () => {
  const first = platformState(agentStatus(1, [newStatus("a", "h"), newStatus("b", "h")]), undefined);
  const raw = {
    ...agentStatus(2, []),
    workloads: [...first.workloads.values()].map(
      (workload, i): WorkloadStatus => ({
        ...newStatus(workload.id, "h"),
        ...(workload.network ? { network: workload.network } : {}),
        phase: i === 0 ? "backoff" : "pending",
        lastExit: { code: null, signal: "SIGKILL", at: 1 },
      }),
    ),
  };
  const second = platformState(raw, first);
  assert.notEqual(second.workloads.get("a"), first.workloads.get("a"));
  assert.equal(second.workloads.get("a")?.lastExit, "ended by SIGKILL");
  assert.equal(platformState(raw, second).workloads.get("b"), second.workloads.get("b"));
});
