/** Finds the daemon of this user, and starts it where that is wanted. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect as dial } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SystemView } from "../api/contract.ts";
import { type StatePaths, statePaths } from "../lib/state-paths.ts";
import { type Client, createClient } from "./client.ts";
import { exitCode } from "./exit-code.ts";
import { failure } from "./failure.ts";

/** Starting includes opening the store; what the daemon runs comes later. */
const startTimeoutMs = 20_000;

/** Paths of this user's installation. */
export function paths(): StatePaths {
  return statePaths(process.env, process.getuid?.() ?? 0);
}

/** A client of the running daemon; undefined when none runs. */
export async function connectIfRunning(): Promise<Client | undefined> {
  const { apiSocket } = paths();
  return (await accepts(apiSocket)) ? createClient(apiSocket) : undefined;
}

/** A client of the daemon, which is started when it does not run. `listen` is where the gateway should listen, `ADDRESS:PORT`. */
export async function connect(listen?: string): Promise<Client> {
  const running = await connectIfRunning();
  if (running !== undefined && listen !== undefined) await checkListen(running, listen);
  return running ?? startDaemon(listen === undefined ? [] : ["--listen", listen]);
}

async function checkListen(client: Client, listen: string): Promise<void> {
  const { gatewayUrl } = await client.get<SystemView>("/v1/system");
  if (gatewayUrl === `http://${listen}`) return;
  throw failure("gateway-elsewhere", `the gateway listens on ${gatewayUrl} already, not on ${listen}`, { hint: "to move it: weir system stop, then this command again", exit: exitCode.conflict });
}

/** A client for commands that only look: starts the daemon only when there is something declared that it should run. */
export async function connectToLook(): Promise<Client> {
  const running = await connectIfRunning();
  if (running !== undefined) return running;
  if (existsSync(path.join(paths().stateDir, "weir.db"))) return startDaemon([]);
  throw failure("nothing-running", "nothing runs here yet", { hint: "start with: weir up DIR, or: weir run -n NAME -p 80:8080 -- COMMAND", exit: exitCode.unavailable });
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(socketPath);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function startDaemon(args: readonly string[]): Promise<Client> {
  const { stateDir, apiSocket, logDir } = paths();
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  mkdirSync(logDir, { recursive: true, mode: 0o700 });
  const logFile = path.join(logDir, "daemon.out");
  const output = openSync(logFile, "a", 0o600);
  const entry = path.join(import.meta.dirname, "daemon.js");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry, ...args], { stdio: ["ignore", output, output], detached: true, cwd: "/" });
  let ended = false;
  child.on("exit", () => (ended = true));
  child.on("error", () => (ended = true));
  const until = performance.now() + startTimeoutMs;
  while (performance.now() < until) {
    if (await accepts(apiSocket)) {
      child.unref();
      return createClient(apiSocket);
    }
    if (ended) break;
    await sleep(10);
  }
  throw failure("daemon-start", `the daemon ${ended ? "ended while it started" : `did not answer within ${startTimeoutMs / 1_000} s`}:\n${lastLines(logFile)}`, {
    hint: "see what this machine lacks: weir check",
    exit: exitCode.unavailable,
  });
}

function lastLines(file: string): string {
  return readFileSync(file, "utf8").trim().split("\n").slice(-5).map((line) => `  ${line}`).join("\n");
}
