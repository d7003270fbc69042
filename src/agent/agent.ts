/** The agent in the host's namespaces: keeps the node and the gateway Envoy running and speaks for both. */
import { lookup } from "node:dns/promises";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Envoy, type EnvoyState } from "../dataplane/envoy.ts";
import { isRunning } from "../dataplane/proc.ts";
import { enterFromHost } from "../dataplane/sandbox.ts";
import { backoffMs } from "../lib/backoff.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { messageOf } from "../lib/message-of.ts";
import type { AgentPaths, AgentStatus, Desired, EnvoyStatus, ExecPlan, ReplaceResult } from "./contract.ts";
import type { NodeStatus } from "./node.ts";
import { findNode, forgetNode, hostPid, killNode, lastWords, type NodeProcess, nodePid, startNode } from "./node-process.ts";
import type { AgentSettings } from "./settings.ts";
import { callUnix, HttpProblem, watchUnix } from "./unix-http.ts";

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly paths: AgentPaths;
  readonly clock: Clock;
  readonly log: Log;
}

type NodePart = AgentStatus["node"];

/** A node that does not answer for so long is replaced. */
const silenceMs = 20_000;
const stableMs = 10_000;
/** After nodes that ended soon. */
const nodeWaits = { firstMs: 500, longestMs: 10_000 };

export class Agent {
  readonly #options: AgentOptions;
  readonly #gateway: Envoy;
  readonly #status: Cell<AgentStatus>;
  readonly #stopping = new AbortController();
  #desired: Desired | undefined;
  #process: NodeProcess | undefined;
  #node: NodePart;
  #inside: NodeStatus | undefined;
  #running: Promise<void> | undefined;
  #quickEnds = 0;

  constructor(options: AgentOptions) {
    const { settings, paths, clock, log } = options;
    this.#options = options;
    this.#gateway = new Envoy({
      nodeId: "gateway",
      program: settings.envoy,
      foster: settings.tools.tini,
      dir: paths.agentDir,
      xds: { kind: "socket", path: paths.xdsSocket },
      adminSocket: paths.gatewayAdmin,
      concurrency: Math.min(2, settings.concurrency),
      maxHeapBytes: settings.maxHeapBytes,
      maxDownstreamConnections: settings.maxConnections,
      drainSeconds: settings.drainSeconds,
      // Its connections carry HTTP that only the node Envoy can end properly: it must outlive that.
      parentSeconds: settings.parentSeconds + settings.drainSeconds,
      clock,
      log,
    });
    this.#node = { phase: "starting", since: clock.now(), restarts: 0 };
    this.#desired = loadDesired(desiredFile(paths));
    this.#status = new Cell(this.#compose(clock.now()), (a, b) => JSON.stringify(a) === JSON.stringify(b));
  }

  get status(): Readable<AgentStatus> {
    return this.#status;
  }

  /** Begins to keep everything running. */
  start(): void {
    this.#gateway.start();
    this.#running ??= this.#keepNode();
    void (async () => {
      for await (const _ of this.#gateway.state.watch(this.#stopping.signal)) this.#publish();
    })();
  }

  /** Ends workloads, node and gateway; resolves when nothing of them is left. */
  async stop(): Promise<void> {
    const { clock, paths } = this.#options;
    this.#stopping.abort();
    await this.#running;
    const node = this.#process;
    if (node !== undefined && isRunning(node.unshare)) {
      const told = await callUnix(paths.nodeSocket, "POST", "/stop", { timeoutMs: 2_000 }).then(
        () => true,
        () => false,
      );
      // One that does not even listen yet has nothing to end properly.
      const until = clock.now() + (told ? 8_000 : 0);
      while (isRunning(node.unshare) && clock.now() < until) await clock.sleep(20);
      await killNode(node, paths, clock);
    }
    await this.#gateway.stop();
  }

  /** Writes a wish down, then passes it on. */
  async setDesired(desired: Desired): Promise<{ readonly generation: number }> {
    if (!Array.isArray(desired.workloads) || typeof desired.generation !== "number") throw new HttpProblem(400, "that is no desired state");
    const file = desiredFile(this.#options.paths);
    writeFileSync(`${file}.new`, JSON.stringify(desired), { mode: 0o600 });
    renameSync(`${file}.new`, file);
    this.#desired = desired;
    if (this.#node.phase === "running") void this.#push();
    return { generation: desired.generation };
  }

  /** How to run a command in a workload, from the host. */
  async exec(workload: string): Promise<ExecPlan> {
    const pid = this.#process === undefined ? undefined : nodePid(this.#process);
    if (pid === undefined || this.#node.phase !== "running") throw new HttpProblem(503, "the node does not run");
    const inside = await callUnix<ExecPlan>(this.#options.paths.nodeSocket, "GET", `/exec?workload=${encodeURIComponent(workload)}`);
    return { argv: enterFromHost(this.#options.settings.tools, pid, inside.argv), env: inside.env };
  }

  /**
   * New Envoys for old. The gateway's comes first: it hands streams on and cannot end an HTTP connection properly; the node's does that afterwards, for
   * the connections through the old gateway, too. So a new gateway always brings a new node Envoy.
   */
  async replaceEnvoys(proxies: readonly ("node" | "gateway")[]): Promise<ReplaceResult> {
    const replaced: ("node" | "gateway")[] = [];
    try {
      if (proxies.includes("gateway")) {
        await this.#gateway.replace();
        replaced.push("gateway");
      }
      await callUnix(this.#options.paths.nodeSocket, "POST", "/envoy/replace", { timeoutMs: 60_000 });
      replaced.push("node");
    } catch (error) {
      throw new HttpProblem(503, `${messageOf(error)}${replaced.length > 0 ? ` (already replaced: ${replaced.join(", ")})` : ""}`);
    }
    // The new process is known now; status has its pid with the answer.
    await this.#options.clock.sleep(50);
    return { replaced };
  }

  /** IPv4 addresses of an outside name, by the host's own resolver. */
  async resolveOutside(name: string): Promise<readonly string[]> {
    try {
      return (await lookup(name, { all: true, family: 4 })).map((entry) => entry.address);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOTFOUND") return [];
      throw error;
    }
  }

  #compose(startedAt: number): AgentStatus {
    const { node } = { node: this.#inside };
    return {
      generation: node?.generation ?? 0,
      agent: { pid: process.pid, startedAt },
      node: this.#node,
      proxies: { node: this.#insideEnvoy(), gateway: envoyStatus(this.#gateway.state.get(), this.#gateway.state.get().pid) },
      workloads: node?.workloads ?? [],
    };
  }

  #insideEnvoy(): EnvoyStatus {
    const state = this.#inside?.envoy;
    if (state === undefined) return { phase: "stopped", since: this.#node.since, restarts: 0 };
    const pid = state.pid === undefined || this.#process === undefined ? undefined : hostPid(this.#process, state.pid);
    return envoyStatus(state, pid);
  }

  #publish(): void {
    this.#status.set(this.#compose(this.#status.get().agent.startedAt));
  }

  #setNode(phase: NodePart["phase"], reason?: string): void {
    const pid = this.#process === undefined || phase !== "running" ? undefined : nodePid(this.#process);
    const { restarts, since } = this.#node;
    const same = this.#node.phase === phase && this.#node.pid === pid;
    this.#node = {
      phase,
      restarts,
      since: same ? since : this.#options.clock.now(),
      ...(pid === undefined ? {} : { pid }),
      ...(reason === undefined ? {} : { reason }),
    };
    this.#publish();
  }

  async #keepNode(): Promise<void> {
    const { clock, log, paths, settings } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const found = findNode(paths);
      if (found === undefined) forgetNode(paths);
      else log.info("found a running node", { pid: found.unshare.pid });
      const startedAt = clock.now();
      this.#process = found ?? startNode(settings, paths);
      this.#setNode("starting");
      await this.#follow(this.#process);
      if (this.#stopping.signal.aborted) return;
      log.warn("the node ended", { lastWords: lastWords(paths) });
      this.#inside = undefined;
      if (clock.now() - startedAt > stableMs) this.#quickEnds = 0;
      const waitMs = backoffMs(nodeWaits, this.#quickEnds);
      this.#quickEnds += 1;
      this.#node = { ...this.#node, restarts: this.#node.restarts + 1 };
      this.#process = undefined;
      this.#setNode("backoff", lastWords(paths));
      await clock.sleep(waitMs, this.#stopping.signal);
    }
  }

  /** Stays with a node until its process is gone; a silent one is killed. */
  async #follow(node: NodeProcess): Promise<void> {
    const { clock, log, paths } = this.#options;
    let heardAt = clock.now();
    while (isRunning(node.unshare) && !this.#stopping.signal.aborted) {
      try {
        await this.#listen(node);
        heardAt = clock.now();
      } catch {
        // Not there yet, or gone: the process tells which.
      }
      if (this.#node.phase === "running" && isRunning(node.unshare)) this.#setNode("starting", "does not answer");
      if (clock.now() - heardAt > silenceMs) {
        log.error("the node does not answer; it is replaced");
        await killNode(node, paths, clock);
      }
      await clock.sleep(20, this.#stopping.signal);
    }
  }

  /** Takes the node's reports until it ends them. */
  async #listen(node: NodeProcess): Promise<void> {
    const { paths } = this.#options;
    const ended = new AbortController();
    const stop = (): void => ended.abort();
    this.#stopping.signal.addEventListener("abort", stop);
    // Its process may be gone without an end of the stream being told.
    const watch = setInterval(() => {
      if (!isRunning(node.unshare)) ended.abort();
    }, 200);
    try {
      let first = true;
      for await (const status of watchUnix<NodeStatus>(paths.nodeSocket, "/watch", ended.signal)) {
        this.#inside = status;
        this.#setNode("running");
        if (first) void this.#push();
        first = false;
      }
    } finally {
      clearInterval(watch);
      this.#stopping.signal.removeEventListener("abort", stop);
    }
  }

  async #push(): Promise<void> {
    const desired = this.#desired;
    if (desired === undefined) return;
    await callUnix(this.#options.paths.nodeSocket, "PUT", "/desired", { body: desired, timeoutMs: 120_000 }).catch((error: unknown) => {
      this.#options.log.warn("passing the desired state on", { error: String(error) });
    });
  }
}

function envoyStatus(state: EnvoyState, pid: number | undefined): EnvoyStatus {
  const { phase, since, restarts, reason, version } = state;
  return {
    phase,
    since,
    restarts,
    ...(pid === undefined ? {} : { pid }),
    ...(version === undefined ? {} : { version }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function desiredFile(paths: AgentPaths): string {
  return path.join(paths.agentDir, "desired.json");
}

function loadDesired(file: string): Desired | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Desired;
  } catch {
    return undefined;
  }
}
