/** The node process from outside: starts it in new namespaces, finds one that an earlier agent left, ends it with all it holds. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { childrenOf, identify, isRunning, namespacePids, type ProcessId, signalProcess } from "../dataplane/proc.ts";
import { quote } from "../dataplane/shell.ts";
import type { Clock } from "../lib/clock.ts";
import type { AgentPaths } from "./contract.ts";
import { type AgentSettings, encodeSettings, privateDir } from "./settings.ts";

const logLimitBytes = 10_000_000;

/** Process tree: `unshare` (outside) → `tini` (process 1 inside) → the node. The first is what we know; killing the second ends everything. */
export interface NodeProcess {
  readonly unshare: ProcessId;
}

/** File that remembers the running node. */
export function nodeFile(paths: AgentPaths): string {
  return path.join(paths.agentDir, "node.pids");
}

/** The node that runs, if any. */
export function findNode(paths: AgentPaths): NodeProcess | undefined {
  try {
    const node = JSON.parse(readFileSync(nodeFile(paths), "utf8")) as NodeProcess;
    return isRunning(node.unshare) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Starts the node in a user, mount, network and pid namespace of its own. Throws when it cannot even be tried. */
export function startNode(settings: AgentSettings, paths: AgentPaths): NodeProcess {
  const { tools } = settings;
  const folder = privateDir(paths);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const identity = JSON.stringify({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  const mount = (...words: readonly string[]): string => [tools.mount, ...words].map(quote).join(" ");
  const script = [
    mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=700,size=128m", "none", folder),
    mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=1777", "none", "/dev/shm"),
    `exec ${[tools.tini, "--", process.execPath, settings.nodeEntry, encodeSettings(settings), identity].map(quote).join(" ")}`,
  ].join("\n");
  const args = ["-U", "-r", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--", tools.sh, "-ec", script];
  const output = openLog(path.join(paths.agentDir, "node.log"));
  try {
    const child = spawn(tools.unshare, args, { cwd: "/", stdio: ["ignore", output, output], detached: true });
    child.on("error", () => undefined);
    child.unref();
    const unshare = child.pid === undefined ? undefined : identify(child.pid);
    if (unshare === undefined) throw new Error("unshare cannot be started");
    writeFileSync(`${nodeFile(paths)}.new`, JSON.stringify({ unshare } satisfies NodeProcess));
    renameSync(`${nodeFile(paths)}.new`, nodeFile(paths));
    return { unshare };
  } finally {
    closeSync(output);
  }
}

/** Opens a log for appending; a long one is put aside first. */
export function openLog(file: string): number {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > logLimitBytes) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}

/** The node's own pid as the host sees it; undefined while it starts. */
export function nodePid(node: NodeProcess): number | undefined {
  const tini = childrenOf(node.unshare.pid)[0];
  return tini === undefined ? undefined : childrenOf(tini)[0];
}

/** The host's number of a process that the node (and nobody between) started, by the number that the node knows. */
export function hostPid(node: NodeProcess, pidInside: number): number | undefined {
  const tini = childrenOf(node.unshare.pid)[0];
  const owner = nodePid(node);
  const candidates = [...(tini === undefined ? [] : childrenOf(tini)), ...(owner === undefined ? [] : childrenOf(owner))];
  return candidates.find((pid) => namespacePids(pid)[1] === pidInside);
}

/** Kills the node and everything in its namespaces at once; resolves when it is gone. */
export async function killNode(node: NodeProcess, paths: AgentPaths, clock: Clock): Promise<void> {
  for (const pid of childrenOf(node.unshare.pid)) {
    const id = identify(pid);
    if (id !== undefined) signalProcess(id, "SIGKILL");
  }
  const patience = clock.now() + 2_000;
  while (isRunning(node.unshare)) {
    if (clock.now() > patience) signalProcess(node.unshare, "SIGKILL");
    await clock.sleep(10);
  }
  forgetNode(paths);
}

/** Takes away what a node that is gone leaves on the disk. */
export function forgetNode(paths: AgentPaths): void {
  for (const file of [nodeFile(paths), paths.nodeSocket, paths.nodeAdmin]) rmSync(file, { force: true });
  rmSync(path.join(paths.agentDir, "node-envoy.pids"), { force: true });
}

/** The last line that the node's starter or the node wrote about a failure. */
export function lastWords(paths: AgentPaths): string {
  try {
    return readFileSync(path.join(paths.agentDir, "node.log"), "utf8").trim().split("\n").at(-1)?.slice(0, 300) ?? "";
  } catch {
    return "";
  }
}
