/** Runs programs of the cluster to their end. */
import { spawn } from "node:child_process";
import { searchPath } from "./places.ts";

interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** How a program ended, and what it printed. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, with the cluster's own programs first on its PATH. Throws only when it cannot be started. */
export function tryRun(words: readonly string[], { input = "", cwd, env = {}, timeoutMs = 120_000 }: RunOptions = {}): Promise<Ended> {
  const [file = "", ...args] = words;
  const child = spawn(file, args, { env: { ...process.env, PATH: searchPath, ...env }, ...(cwd === undefined ? {} : { cwd }) });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  // A program may end without reading.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  return new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  }).finally(() => clearTimeout(timer));
}

/** The same, but throws with the program's words when it fails; answers its stdout. */
export async function run(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(words, options);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code ?? "a signal"}:\n${(stderr + stdout).trim().slice(-4_000)}`);
  return stdout;
}
