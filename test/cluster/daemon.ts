/** Programs that go on inside a sandbox after their starter has ended, each with its own log file. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { searchPath } from "./places.ts";
import { inside, type Sandbox } from "./sandbox.ts";

export interface Daemon {
  readonly name: string;
  readonly logFile: string;
  hasEnded(): boolean;
}

/** Starts a program inside; its log is `logsDir/SANDBOX-NAME.log`. */
export function startDaemon(sandbox: Sandbox, logsDir: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Daemon {
  const name = `${sandbox.name} ${path.basename(words[0] ?? "")}`;
  const logFile = path.join(logsDir, `${name.replace(" ", "-")}.log`);
  const log = openSync(logFile, "a");
  const [file = "", ...args] = inside(sandbox, words);
  const child = spawn(file, args, { cwd: "/", env: { PATH: searchPath, HOME: "/root", ...env }, stdio: ["ignore", log, log], detached: true });
  closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  return { name, logFile, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

/**
 * Waits until `attempt` answers true; an attempt that throws counts as false.
 * Throws when one of the daemons that it depends on ends or the time is over, with the last lines of their logs.
 */
export async function until(what: string, timeoutMs: number, daemons: readonly Daemon[], attempt: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let lastError = "";
  for (;;) {
    const ended = daemons.find((daemon) => daemon.hasEnded());
    if (ended !== undefined) throw new Error(`${ended.name} ended by itself:\n${lastLines(ended.logFile)}`);
    try {
      if (await attempt()) return;
    } catch (error) {
      lastError = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > deadline) {
      const logs = daemons.map((daemon) => `── ${daemon.logFile}\n${lastLines(daemon.logFile)}`);
      throw new Error([`${what}: not within ${timeoutMs / 1_000} s. ${lastError}`, ...logs].join("\n"));
    }
    await sleep(100);
  }
}

function lastLines(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(-15).join("\n") : "(no log)";
}
