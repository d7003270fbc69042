/** Drives the real `./weir` in a state folder of its own, and proves afterwards that nothing is left behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";

export const root = path.resolve(import.meta.dirname, "../../..");
export const apps = path.join(root, "test/system/apps");

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface Weir {
  readonly home: string;
  /** Port of the gateway on 127.0.0.1. */
  readonly port: number;
  /** Runs `./weir ARGS`; never rejects for an exit code. */
  run(...args: readonly string[]): Promise<Run>;
  /** The same, but fails the test when the command fails; answers its stdout. */
  ok(...args: readonly string[]): Promise<string>;
  json<T>(...args: readonly string[]): Promise<T>;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

/** Runs one program to its end. */
export async function execute(
  file: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number; input?: string } = {},
): Promise<Run> {
  const startedAt = performance.now();
  const child = spawn(file, args, { env: options.env ?? process.env, cwd: options.cwd ?? root, stdio: ["pipe", "pipe", "pipe"] });
  // A program may end without reading.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (stdout += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => (stderr += piece));
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 120_000);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => resolve(status ?? -1));
    });
    return { code, stdout, stderr, ms: performance.now() - startedAt };
  } finally {
    clearTimeout(timer);
  }
}

/** Pids of all processes whose environment or command line names `home`. */
export async function processesOf(home: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && name !== String(process.pid))) {
    const [commandLine, environment] = await Promise.all(["cmdline", "environ"].map((file) => readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "")));
    if (commandLine?.includes(home) || environment?.includes(home)) found.push(`${pid} ${commandLine?.replaceAll("\0", " ").slice(0, 160)}`);
  }
  return found;
}

/** A Weir of the test's own; taken down, and checked for leaks, when the test ends. */
export async function useWeir(t: TestContext): Promise<Weir> {
  const home = await mkdtemp("/tmp/weir-test-");
  const port = await freePort();
  const env = { ...process.env, WEIR_HOME: home, WEIR_LISTEN: `127.0.0.1:${port}`, NO_COLOR: "1" };
  const run = (...args: readonly string[]) => execute(path.join(root, "weir"), args, { env });
  const ok = async (...args: readonly string[]) => {
    const result = await run(...args);
    assert.equal(result.code, 0, `weir ${args.join(" ")} ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
    return result.stdout;
  };
  t.after(async () => {
    const down = await run("down", "--all");
    const stop = await run("system", "stop", "--purge");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const left = await processesOf(home);
    for (const line of left) process.kill(Number(line.split(" ")[0]), "SIGKILL");
    const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(home));
    if (process.env["WEIR_TEST_KEEP"] === undefined) await rm(home, { recursive: true, force: true });
    assert.deepEqual(left, [], `processes left behind; down: ${down.stderr} stop: ${stop.stderr}`);
    assert.deepEqual(mounts, [], "mounts left behind");
  });
  return { home, port, run, ok, json: async <T>(...args: readonly string[]) => JSON.parse(await ok(...args, "-o", "json")) as T };
}

export interface LoadResult {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly versions: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly host?: string;
  readonly connect?: string;
  readonly rate?: number;
  readonly count?: number;
  readonly fresh?: number;
}

/** Load from this machine, through the gateway. */
export async function loadFromOutside(weir: Weir, name: string, options: Partial<LoadOptions> = {}): Promise<LoadResult> {
  const load: LoadOptions = { url: `http://127.0.0.1:${weir.port}/`, host: `${name}.localhost:${weir.port}`, ...options };
  return readLoad(await execute(process.execPath, [path.join(apps, "load.mjs"), JSON.stringify(load)], { timeoutMs: 300_000 }));
}

/** The same load from inside the workload `from`, so that it crosses that workload's own capture listener. */
export async function loadFromInside(weir: Weir, from: string, options: LoadOptions): Promise<LoadResult> {
  return readLoad(await weir.run("exec", from, "--", process.execPath, path.join(apps, "load.mjs"), JSON.stringify(options)));
}

function readLoad(result: Run): LoadResult {
  assert.equal(result.code, 0, `the load itself failed: ${result.stdout} ${result.stderr}`);
  return JSON.parse(result.stdout.trim().split("\n").at(-1) ?? "") as LoadResult;
}
