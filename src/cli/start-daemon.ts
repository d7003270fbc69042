/** Starts the daemon of this user. */
import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatePaths } from "../lib/state-paths.ts";
import { accepts } from "./accepts.ts";
import { exitCode } from "./exit-code.ts";
import { failure } from "./failure.ts";

/** Starting includes opening the store; what the daemon runs comes later. */
const startTimeoutMs = 20_000;

/** Starts the daemon with these arguments; resolves when it answers. Throws a `Failure` with its last words when it does not. */
export async function startDaemon({ stateDir, apiSocket, logDir }: StatePaths, args: readonly string[]): Promise<void> {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  mkdirSync(logDir, { recursive: true, mode: 0o700 });
  const logFile = path.join(logDir, "daemon.out");
  const output = openSync(logFile, "a", 0o600);
  const entry = path.join(import.meta.dirname, "daemon.js");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry, ...args], {
    stdio: ["ignore", output, output],
    detached: true,
    cwd: "/",
  });
  let ended = false;
  child.on("exit", () => (ended = true));
  child.on("error", () => (ended = true));
  const until = performance.now() + startTimeoutMs;
  while (performance.now() < until) {
    if (await accepts(apiSocket)) {
      child.unref();
      return;
    }
    if (ended) break;
    await sleep(10);
  }
  throw failure(
    "daemon-start",
    `the daemon ${ended ? "ended while it started" : `did not answer within ${startTimeoutMs / 1_000} s`}:\n${lastLines(logFile)}`,
    {
      hint: "see what this machine lacks: weir check",
      exit: exitCode.unavailable,
    },
  );
}

/** How long a daemon may take to close its streams and its store. */
const endTimeoutMs = 10_000;

/** Ends a daemon (and nothing that it looks after); resolves when its process is gone. Throws a `Failure` when it stays. */
export async function endDaemon(pid: number): Promise<void> {
  const until = performance.now() + endTimeoutMs;
  if (!signalled(pid, "SIGTERM")) return;
  while (signalled(pid, 0)) {
    if (performance.now() > until)
      throw failure("daemon-stays", `the daemon (pid ${pid}) does not end`, { hint: "end it, then try again: nothing is lost", exit: exitCode.unavailable });
    await sleep(10);
  }
}

/** Whether there was a process to send it to. */
function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function lastLines(file: string): string {
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .slice(-5)
    .map((line) => `  ${line}`)
    .join("\n");
}
