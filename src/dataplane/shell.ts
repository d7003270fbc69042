/** Text for `sh` and runs of it: one process for a whole batch of commands. */
import { spawn } from "node:child_process";

/** Quotes one word for a POSIX shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Joins words to one command line. */
export function commandLine(...words: readonly string[]): string {
  return words.map(quote).join(" ");
}

/** What a finished program left. */
export interface Finished {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

/**
 * Runs one program to its end with `input` on its stdin; answers its exit and the first 64 KB of stdout and stderr together.
 * After `timeoutMs` it is killed with all it started; what escapes that is not waited for. Throws only when it cannot be started.
 */
export function runProgram(argv: readonly string[], options: { input?: string; timeoutMs: number; env?: Readonly<Record<string, string>> }): Promise<Finished> {
  const [file = "", ...args] = argv;
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, ...(options.env === undefined ? {} : { env: options.env }) });
  let output = "";
  const take = (piece: string): void => {
    if (output.length < 65_536) output += piece;
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);
  // A program that ends without reading is no failure of ours.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const timer = setTimeout(() => {
    killGroup(child.pid);
    // Who left the group may hold our pipes for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  }, options.timeoutMs);
  return new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, output: output.trim() }));
  }).finally(() => clearTimeout(timer));
}

/** The program leads a group of its own (`detached`). */
function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

/** Runs a script with `sh -e`; throws with its output when it fails. */
export async function runScript(sh: string, script: string, timeoutMs = 15_000): Promise<string> {
  const finished = await runProgram([sh, "-e"], { input: script, timeoutMs });
  if (finished.code !== 0) throw new Error(`script ended with ${finished.code ?? finished.signal}: ${finished.output.slice(-800)}`);
  return finished.output;
}
