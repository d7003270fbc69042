/** All that agent and node must be told; parsed once, passed on as one JSON argument. */
import type { Tools } from "../dataplane/tools.ts";
import { type AgentPaths, agentPaths } from "./contract.ts";

export interface AgentSettings {
  /** Absolute; mode 0700. */
  readonly stateDir: string;
  /** Folder of the sockets; see `agentPaths`. */
  readonly runDir: string;
  readonly tools: Tools;
  /** The Envoy program. */
  readonly envoy: string;
  /** Files that `node` runs: `main.ts` and `node-main.ts` of this folder, or their bundles. */
  readonly agentEntry: string;
  readonly nodeEntry: string;
  /** Worker threads of the node Envoy; the gateway gets at most two. */
  readonly concurrency: number;
  /** Per Envoy. */
  readonly maxHeapBytes: number;
  /** Per Envoy. */
  readonly maxConnections: number;
  /** Times of a replacement; the gateway's connections live longer, so that the node Envoy can end them properly. */
  readonly drainSeconds: number;
  readonly parentSeconds: number;
  /** Folders besides our own that no workload may see. */
  readonly hidden: readonly string[];
}

/** What is the same everywhere unless said otherwise. */
export const defaultLimits: Pick<AgentSettings, "maxHeapBytes" | "maxConnections" | "drainSeconds" | "parentSeconds"> = {
  maxHeapBytes: 1_073_741_824,
  maxConnections: 50_000,
  drainSeconds: 8,
  parentSeconds: 20,
};

/** Folder that only the node's mount namespace fills: namespace pins, and what workloads must see but no disk may. */
export function privateDir(paths: AgentPaths): string {
  return `${paths.agentDir}/private`;
}

/** Reads the argument that `encodeSettings` made. */
export function decodeSettings(text: string | undefined): { readonly settings: AgentSettings; readonly paths: AgentPaths } {
  if (text === undefined) throw new Error("the agent is started by weir, not by hand");
  const settings = JSON.parse(text) as AgentSettings;
  return { settings, paths: agentPaths(settings.stateDir, settings.runDir) };
}

/** Writes settings as one argument. They hold no secret. */
export function encodeSettings(settings: AgentSettings): string {
  return JSON.stringify(settings);
}
