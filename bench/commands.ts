/**
 * How long commands take and what the processes hold: `up` of the shop, `ps`, a weight change until it is true in Envoy, memory of daemon and node Envoy
 * (with the shop, then with 50 services). Medians of several runs; bare `node` beside `ps`, so that a slow machine shows.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { SystemView, WeightsView } from "../src/api/contract.ts";
import { freePort } from "../test/system/support/weir.ts";

const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, "..");

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function repeat(count: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) times.push(await timed(work));
  return median(times);
}

/** Resident memory of a process, MB. */
async function residentMegabytes(pid: number | undefined): Promise<number> {
  const status = pid === undefined ? "" : await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024;
}

async function main(): Promise<void> {
  const dir = await mkdtemp("/tmp/weir-bench-");
  const env = { ...process.env, WEIR_HOME: path.join(dir, "home"), WEIR_LISTEN: `127.0.0.1:${await freePort()}` };
  const weir = (...args: readonly string[]) => execute(path.join(root, "weir"), args, { env, cwd: root, maxBuffer: 64 * 1024 * 1024 });
  const json = async <T>(...args: readonly string[]) => JSON.parse((await weir(...args, "-o", "json")).stdout) as T;
  const say = (what: string, value: number, unit: string, bar: string) =>
    console.log(`${what.padEnd(52)} ${value.toFixed(unit === "s" ? 2 : 0).padStart(6)} ${unit.padEnd(2)}  (bar: ${bar})`);
  const memory = async (what: string) => {
    const system = await json<SystemView>("system", "status");
    say(`daemon, ${what}`, await residentMegabytes(system.pid), "MB", "150 MB");
    for (const proxy of system.proxies) say(`${proxy.name} Envoy, ${what}`, await residentMegabytes(proxy.pid), "MB", "150 MB");
  };
  try {
    await mkdir(env.WEIR_HOME);
    say("up examples/shop, nothing running yet", (await timed(() => weir("up", "examples/shop"))) / 1_000, "s", "5 s");
    say("up examples/shop again, nothing to do", await repeat(5, () => weir("up", "examples/shop")), "ms", "none");
    say("ps", await repeat(21, () => weir("ps")), "ms", "150 ms");
    say("node that does nothing, for comparison", await repeat(21, () => execute(process.execPath, ["-e", "0"])), "ms", "none");
    await weir("stage", "web", "v2");
    const changes: number[] = [];
    for (let i = 1; i <= 21; i += 1) changes.push((await json<WeightsView>("weight", `web@v2=${i}`, "--wait")).inEnvoyMs ?? Number.NaN);
    say("a weight change, accepted → acknowledged by Envoy", median(changes), "ms", "100 ms");
    await memory("the shop");
    await weir("down");
    await fifty(dir);
    say("up of 50 services", (await timed(() => weir("up", dir))) / 1_000, "s", "none");
    await memory("50 services");
  } finally {
    await weir("down", "--all").catch(() => undefined);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Fifty services of one process each that is there at once. */
async function fifty(dir: string): Promise<void> {
  const service = (i: number) => `  s${i}: {command: ["python3", "-m", "http.server", "8000"], dir: ${JSON.stringify(dir)}, ports: "80:8000", public: false}`;
  await writeFile(path.join(dir, "weir.yaml"), `stack: fifty\nservices:\n${Array.from({ length: 50 }, (_, i) => service(i)).join("\n")}\n`);
}

await main();
