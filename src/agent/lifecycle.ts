/** Starting and ending the agent, for whoever composes: works whatever died before. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { endProcesses } from "../dataplane/envoy.ts";
import { forgetFamily, loadFamily, membersOf } from "../dataplane/envoy-family.ts";
import { identify, isRunning, type ProcessId, signalProcess } from "../dataplane/proc.ts";
import type { Clock } from "../lib/clock.ts";
import type { AgentPaths, AgentStatus } from "./contract.ts";
import { agentPaths } from "./contract.ts";
import { findNode, forgetNode, killNode, openLog } from "./node-process.ts";
import { type AgentSettings, encodeSettings } from "./settings.ts";
import { callUnix } from "./unix-http.ts";

/** Answers false when another process holds the lock. The kernel takes it away with the process, however that dies. */
export async function takeLock(stateDir: string): Promise<boolean> {
  const name = createHash("sha256")
    .update(`${process.getuid?.() ?? 0}\0${stateDir}`)
    .digest("hex")
    .slice(0, 32);
  const lock = createServer((socket) => socket.destroy());
  lock.unref();
  return new Promise((resolve) => {
    lock.on("error", () => resolve(false));
    lock.listen(`\0weir-agent-${name}`, () => resolve(true));
  });
}

/** Writes down who the agent is, for `stopAgent`. */
export function rememberAgent(paths: AgentPaths): void {
  writeFileSync(agentFile(paths), JSON.stringify(identify(process.pid)));
}

/** The agent's state, or undefined when none answers. */
export function agentStatus(paths: AgentPaths): Promise<AgentStatus | undefined> {
  return callUnix<AgentStatus>(paths.agentSocket, "GET", "/status", { timeoutMs: 2_000 }).catch(() => undefined);
}

/** Starts the agent if none answers; resolves when it does. It finds what an earlier one left running. Throws with its last words after `timeoutMs`. */
export async function ensureAgent(settings: AgentSettings, clock: Clock, timeoutMs = 10_000): Promise<AgentStatus> {
  const paths = agentPaths(settings.stateDir, settings.runDir);
  const there = await agentStatus(paths);
  if (there !== undefined) return there;
  for (const folder of [settings.stateDir, settings.runDir, paths.agentDir]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const logFile = path.join(paths.agentDir, "agent.log");
  const output = openLog(logFile);
  try {
    const child = spawn(process.execPath, [settings.agentEntry, encodeSettings(settings)], { cwd: "/", stdio: ["ignore", output, output], detached: true });
    child.on("error", () => undefined);
    child.unref();
  } finally {
    closeSync(output);
  }
  const until = clock.now() + timeoutMs;
  for (;;) {
    const status = await agentStatus(paths);
    if (status !== undefined) return status;
    if (clock.now() > until) throw new Error(`the agent does not start; last words: ${readFileSync(logFile, "utf8").trim().split("\n").at(-1) ?? ""}`);
    await clock.sleep(20);
  }
}

/** Ends agent, node, gateway and all workloads; resolves when nothing of them is left. Also when some or all of them were killed before. */
export async function stopAgent(paths: AgentPaths, clock: Clock): Promise<void> {
  const agent = loadAgent(paths);
  if (agent !== undefined) {
    await callUnix(paths.agentSocket, "POST", "/stop", { timeoutMs: 2_000 }).catch(() => signalProcess(agent, "SIGTERM"));
    const until = clock.now() + 20_000;
    while (isRunning(agent) && clock.now() < until) await clock.sleep(20);
    signalProcess(agent, "SIGKILL");
    while (isRunning(agent)) await clock.sleep(10);
  }
  const node = findNode(paths);
  if (node !== undefined) await killNode(node, paths, clock);
  forgetNode(paths);
  const familyFile = path.join(paths.agentDir, "gateway-envoy.pids");
  const gateway = loadFamily(familyFile);
  if (gateway !== undefined) await endProcesses(membersOf(gateway), clock);
  forgetFamily(familyFile, gateway?.baseId);
  for (const file of [agentFile(paths), paths.agentSocket, paths.outsideSocket, paths.gatewayAdmin]) rmSync(file, { force: true });
}

function agentFile(paths: AgentPaths): string {
  return path.join(paths.agentDir, "agent.pid");
}

function loadAgent(paths: AgentPaths): ProcessId | undefined {
  try {
    const agent = JSON.parse(readFileSync(agentFile(paths), "utf8")) as ProcessId;
    return isRunning(agent) ? agent : undefined;
  } catch {
    return undefined;
  }
}
