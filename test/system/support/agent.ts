/** A real agent in a state folder of its own, with a real control plane in this process: everything but daemon, store and CLI. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { type AgentPaths, type AgentStatus, agentPaths, type Desired, type ExecPlan, type WorkloadSpec } from "../../../src/agent/contract.ts";
import { ensureAgent, stopAgent } from "../../../src/agent/lifecycle.ts";
import { realClock as clock } from "../../../src/agent/real-clock.ts";
import { type AgentSettings, defaultLimits } from "../../../src/agent/settings.ts";
import { callUnix, watchUnix } from "../../../src/agent/unix-http.ts";
import { compileWorld } from "../../../src/compile/compile.ts";
import { findTools, isComplete } from "../../../src/dataplane/tools.ts";
import { emitEnvoy } from "../../../src/emit/envoy/emit.ts";
import { type AppKey, type AppName, appKey, type Namespace, type VersionKey, type VersionName, versionKey } from "../../../src/model/names.ts";
import type { Service } from "../../../src/model/types.ts";
import type { World } from "../../../src/model/world.ts";
import { createRpcServer } from "../../../src/rpc/server.ts";
import { createAdsServer } from "../../../src/xds/server.ts";
import { createSnapshot, encodeResource } from "../../../src/xds/snapshot.ts";
import { service } from "../../support/declared.ts";
import { silentLog } from "../../support/real.ts";
import { execute, freePort, processesOf, type Run, root } from "./weir.ts";

const namespace = "default" as Namespace;

/** A workload with full defaults: `echo@v1-0` is replica 0 of version v1 of app echo. */
export function workload(id: string, command: readonly string[], changes: Partial<WorkloadSpec> = {}): WorkloadSpec {
  const [, app = "", version = "", replica = "0"] = /^(.+)@([^-]+)-(\d+)/.exec(id) ?? [];
  const base = { namespace: "default", app, version, replica: Number(replica), command, dir: "/tmp", env: {}, files: [], ports: [], health: {}, egress: false };
  return { id: id.replace("@", "-"), ...base, stopSignal: "SIGTERM", drainMs: 10_000, graceMs: 3_000, specHash: "1", state: "run", ...changes };
}

/** A virtual address that depends on the name alone. */
function virtualIp(app: string): string {
  const [a = 0, b = 0] = createHash("sha256").update(app).digest();
  return `100.100.${a}.${b}`;
}

export const echoPort = [{ containerPort: 8080, protocol: "http" }] as const;

export class TestAgent {
  readonly home: string;
  readonly paths: AgentPaths;
  readonly port: number;
  readonly settings: AgentSettings;
  readonly #ads = createAdsServer({ clock, log: silentLog });
  readonly #rpc = createRpcServer({ clock, log: silentLog, methods: this.#ads.methods, keepaliveMs: 0 });
  readonly #stop = new AbortController();
  #generation = 0;
  #revision = 0;

  constructor(home: string, port: number) {
    this.home = home;
    this.port = port;
    const runDir = path.join(home, "run");
    this.paths = agentPaths(home, runDir);
    const { found, missing } = findTools([path.join(root, ".cache/tools/bin")], process.env["PATH"] ?? "");
    if (!isComplete(found)) throw new Error(`missing: ${missing.join(", ")}`);
    const entry = (file: string): string => path.join(root, "src/agent", file);
    const envoy = path.join(root, ".cache/envoy/1.40.0/envoy");
    this.settings = {
      stateDir: home,
      runDir,
      tools: found,
      envoy,
      agentEntry: entry("main.ts"),
      nodeEntry: entry("node-main.ts"),
      concurrency: 2,
      ...defaultLimits,
      drainSeconds: 3,
      parentSeconds: 5,
      hidden: [],
    };
  }

  async start(): Promise<void> {
    await ensureAgent(this.settings, clock, 20_000);
    await this.#rpc.listen({ path: this.paths.xdsSocket });
    this.#publish(await this.status());
    void this.#follow();
  }

  status(): Promise<AgentStatus> {
    return callUnix<AgentStatus>(this.paths.agentSocket, "GET", "/status");
  }

  /** Tells the wish; `captures` of those that end are kept until they have ended, as a daemon would. */
  async want(...workloads: readonly WorkloadSpec[]): Promise<void> {
    this.#generation += 1;
    const names = { default: Object.fromEntries(workloads.map(({ app }) => [app, virtualIp(app)])) };
    await callUnix(this.paths.agentSocket, "PUT", "/desired", { body: { generation: this.#generation, workloads, names } satisfies Desired });
  }

  /** Waits until `check` holds of the status. */
  async until(what: string, check: (status: AgentStatus) => boolean, ms = 20_000): Promise<AgentStatus> {
    const end = Date.now() + ms;
    for (;;) {
      const status = await this.status().catch(() => undefined);
      if (status !== undefined && check(status)) return status;
      if (Date.now() > end) assert.fail(`not within ${ms} ms: ${what}\n${JSON.stringify(status, null, 1)}`);
      await clock.sleep(20);
    }
  }

  phase(status: AgentStatus, id: string): string | undefined {
    return status.workloads.find((one) => one.id === id)?.phase;
  }

  async untilReady(...ids: readonly string[]): Promise<AgentStatus> {
    return this.until(`${ids.join(", ")} ready`, (status) => ids.every((id) => this.phase(status, id) === "ready"));
  }

  /** Waits until both Envoys have what belongs to the status of now. */
  async settled(): Promise<void> {
    const published = this.#publish(await this.status());
    for (const [node, revision] of published) {
      const outcome = await this.#ads.waitAcked(node, revision, AbortSignal.timeout(15_000));
      assert.equal(outcome.kind, "acked", `${node}: ${JSON.stringify(outcome, (_, value: unknown) => (value instanceof Map ? [...value] : value))}`);
    }
  }

  async exec(id: string, ...command: readonly string[]): Promise<Run> {
    const plan = await callUnix<ExecPlan>(this.paths.agentSocket, "GET", `/exec?workload=${id}`);
    const [file = "", ...args] = plan.argv;
    return execute(file, [...args, ...command], { env: { ...plan.env } });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await stopAgent(this.paths, clock);
    await this.#rpc.close(100);
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        for await (const status of watchUnix<AgentStatus>(this.paths.agentSocket, "/watch", this.#stop.signal)) this.#publish(status);
      } catch {
        await clock.sleep(50, this.#stop.signal);
      }
    }
  }

  #publish(status: AgentStatus): readonly (readonly [string, number])[] {
    const { plan, problems } = compileWorld(this.#world(status));
    assert.deepEqual(problems, []);
    return Object.entries(emitEnvoy(plan)).map(([node, resources]) => {
      const snapshot = createSnapshot(
        resources.map((one: { typeUrl: string; name: string; body: Uint8Array }) => encodeResource(one.typeUrl, one.name, one.body)),
      );
      return [node, this.#ads.publish(node, snapshot)] as const;
    });
  }

  #world(status: AgentStatus): World {
    const versions = new Map<AppKey, Map<VersionName, Service>>();
    const endpoints = new Map<VersionKey, { id: string; address: string; ready: boolean }[]>();
    for (const one of status.workloads) {
      const [app, version] = [one.app as AppName, one.version as VersionName];
      const ofApp = versions.get(appKey(namespace, app)) ?? new Map<VersionName, Service>();
      versions.set(appKey(namespace, app), ofApp.set(version, service(`${app}@${version}`)));
      const key = versionKey(namespace, app, version);
      if (one.network !== undefined)
        endpoints.set(key, [...(endpoints.get(key) ?? []), { id: one.id, address: one.network.address, ready: one.phase === "ready" }]);
    }
    const apps = [...versions].map(([key, ofApp]) => {
      const share = Math.floor(10_000 / ofApp.size);
      const weights = new Map([...ofApp.keys()].map((version, at) => [version, at === 0 ? 10_000 - share * (ofApp.size - 1) : share]));
      return [key, { namespace, name: (key.split("/")[1] ?? "") as AppName, versions: ofApp, weights }] as const;
    });
    this.#revision += 1;
    const addresses = new Map([...versions.keys()].map((key) => [String(key), virtualIp(key.split("/")[1] ?? "")]));
    const captures = status.workloads.flatMap((one) =>
      one.network === undefined || one.phase === "exited"
        ? []
        : [
            {
              workload: one.id,
              namespace,
              app: one.app as AppName,
              version: one.version as VersionName,
              networkNamespace: one.network.networkNamespace,
              address: one.network.captureAddress,
              port: one.network.capturePort,
              egress: false,
            },
          ],
    );
    const gateway = { address: "127.0.0.1", port: this.port, socketDir: this.paths.socketDir, domain: "localhost" };
    return { revision: this.#revision, apps: new Map(apps), ...nothingElse, endpoints, captures, addresses, gateway };
  }
}

const nothingElse = { routers: new Map(), serviceRoutes: new Map(), externals: new Map() };

/** An agent for one test; ended, and checked for leaks, with it. */
export async function useAgent(t: TestContext): Promise<TestAgent> {
  const home = await mkdtemp(path.join(tmpdir(), "weir-agent-"));
  const agent = new TestAgent(home, await freePort());
  t.after(async () => {
    await agent.close();
    await clock.sleep(100);
    const left = await processesOf(home);
    for (const line of left) process.kill(Number(line.split(" ")[0]), "SIGKILL");
    const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(home));
    if (process.env["WEIR_TEST_KEEP"] === undefined) await rm(home, { recursive: true, force: true });
    assert.deepEqual(left, [], "processes left behind");
    assert.deepEqual(mounts, [], "mounts left behind");
  });
  await agent.start();
  return agent;
}
