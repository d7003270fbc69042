/** The API's view of the machine: the agent, the proxies, the logs. */
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { AgentPaths, AgentStatus, EnvoyStatus, ExecPlan, ReplaceResult } from "../agent/contract.ts";
import { agentStatus, stopAgent } from "../agent/lifecycle.ts";
import { followLogs, readLogs } from "../agent/logs.ts";
import { callUnix, HttpProblem } from "../agent/unix-http.ts";
import type { Machine } from "../api/context.ts";
import type { ProxyConfigState, ProxyView, SystemView } from "../api/contract.ts";
import type { Clock } from "../lib/clock.ts";
import { ok } from "../lib/problem.ts";
import type { LocalStore, Write } from "../model/declared.ts";
import { kinds } from "../model/declared.ts";
import type { AdsServer, NodeStatus } from "../xds/server.ts";
import { findVolumes, removeVolumes } from "./local-volumes.ts";

export interface LocalMachineOptions {
  readonly paths: AgentPaths;
  readonly clock: Clock;
  readonly ads: AdsServer;
  readonly store: LocalStore;
  /** Stops starting the agent again when it is gone; called before it is ended. */
  readonly release: () => Promise<void>;
}

/** What the API asks of this machine. */
export function createLocalMachine({ paths, clock, ads, store, release }: LocalMachineOptions): Machine {
  const status = (): Promise<AgentStatus | undefined> => agentStatus(paths);
  return {
    readLogs: (query) => readLogs({ logDir: paths.logDir, ...query }),
    followLogs: (query, signal) => followLogs({ logDir: paths.logDir, ...query }, signal, clock),
    exec: async (workload) => {
      const plan = await exec(paths, workload);
      return plan === undefined ? undefined : { ...plan, kind: "program" };
    },
    keptVolumes: async (queries) => ok(findVolumes(paths.volumeDir, queries)),
    deleteVolumes: async (volumes) => ok(removeVolumes(volumes)),
    async replaceProxies() {
      const { replaced } = await callUnix<ReplaceResult>(paths.agentSocket, "POST", "/envoy/replace", { timeoutMs: 120_000, body: {} });
      return replaced;
    },
    async proxies() {
      const proxies = (await status())?.proxies;
      return (["gateway", "node"] as const).map((name) =>
        proxyView(
          name,
          ads.status().find((node) => node.nodeId === name),
          proxies?.[name],
          clock.now(),
        ),
      );
    },
    agent: async () => agentView(await status()),
    async stop(purge) {
      await release();
      await stopAgent(paths, clock);
      if (purge) forgetEverything(store, paths);
    },
  };
}

async function exec(paths: AgentPaths, workload: string): Promise<ExecPlan | undefined> {
  try {
    return await callUnix<ExecPlan>(paths.agentSocket, "GET", `/exec?workload=${encodeURIComponent(workload)}`);
  } catch (error) {
    if (error instanceof HttpProblem && error.status === 404) return undefined;
    throw error;
  }
}

function agentView(status: AgentStatus | undefined): SystemView["agent"] {
  if (status === undefined) return { state: "down", reason: "the agent does not answer" };
  const { node, agent } = status;
  const pids = { outerPid: agent.pid, ...(node.pid === undefined ? {} : { innerPid: node.pid }) };
  return { state: node.phase === "running" ? "running" : "starting", ...pids, ...(node.reason === undefined ? {} : { reason: node.reason }) };
}

function proxyView(name: "node" | "gateway", node: NodeStatus | undefined, process: EnvoyStatus | undefined, now: number): ProxyView {
  const rejected = [...(node?.types ?? [])].flatMap(([type, { rejected }]) =>
    rejected.map(({ message, at }) => ({ type: type.slice(type.lastIndexOf(".") + 1), message, at })),
  );
  return {
    name,
    ...(process?.pid === undefined ? {} : { pid: process.pid }),
    ...(process?.version === undefined ? {} : { version: process.version }),
    state: configState(node, rejected.length > 0),
    since: node?.since ?? process?.since ?? now,
    ...(rejected.length === 0 ? {} : { rejected }),
    restarts: process?.restarts ?? 0,
  };
}

function configState(node: NodeStatus | undefined, rejected: boolean): ProxyConfigState {
  if (node === undefined || !node.connected) return "connecting";
  if (rejected) return "rejected";
  const pending = node.revision === 0 || [...node.types.values()].some((type) => type.sentVersion !== type.ackedVersion);
  return pending ? "pending" : "synced";
}

/** Also what the agent remembers, and the logs of workloads: nothing of them comes back. */
function forgetEverything(store: LocalStore, paths: AgentPaths): void {
  rmSync(paths.agentDir, { recursive: true, force: true });
  for (const file of readdirSync(paths.logDir)) if (!file.startsWith("daemon.")) rmSync(path.join(paths.logDir, file), { force: true });
  const { objects } = store.snapshot.get();
  const deletes = kinds.flatMap((kind) => [...objects[kind].keys()].map((key): Write => ({ op: "delete", kind, key })));
  store.commitNow(deletes);
}
