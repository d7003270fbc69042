/**
 * A service calls another, four ways in turn on the same machine: direct, one stock Envoy, two stock Envoys with mutual TLS, Weir.
 * Prints requests/s and latencies of each round, and the ratios that matter. `ROUNDS` and `SECONDS` bound it (5 rounds of 4 s).
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "../test/system/support/weir.ts";
import { envoyConfig, makeCertificates } from "./envoys.ts";

const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, "..");
const envoy = process.env["WEIR_ENVOY"] ?? path.join(root, ".cache/envoy/1.40.0/envoy");
const rounds = Number(process.env["ROUNDS"] ?? 5);
const seconds = Number(process.env["SECONDS"] ?? 4);
const threads = "2";

interface Figure {
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** wrk prints `123.00us`, `1.23ms` or `1.20s`. Answers milliseconds. */
function milliseconds(text: string): number {
  const [, number = "0", unit = "ms"] = /([\d.]+)(us|ms|s)/.exec(text) ?? [];
  return Number(number) * { us: 0.001, ms: 1, s: 1000 }[unit as "us" | "ms" | "s"];
}

function readWrk(output: string): Figure {
  const errors = /(Socket errors.*|Non-2xx.*)/.exec(output)?.[1];
  if (errors !== undefined) throw new Error(`the load had failures: ${errors}`);
  const find = (pattern: RegExp) => pattern.exec(output)?.[1] ?? "";
  return { requestsPerSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)), p50: milliseconds(find(/^\s+50%\s+(\S+)/m)), p99: milliseconds(find(/^\s+99%\s+(\S+)/m)) };
}

function wrkArguments(url: string): readonly string[] {
  return ["wrk", "-t1", "-c16", `-d${seconds}s`, "--latency", url];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function startEnvoys(dir: string, children: ChildProcess[]): Promise<{ direct: number; oneHop: number; sidecars: number }> {
  const [answer, oneHop, outbound, inbound] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  makeCertificates(dir);
  const configs = {
    answer: envoyConfig({ port: answer, to: "answer" }),
    oneHop: envoyConfig({ port: oneHop, to: answer }),
    outbound: envoyConfig({ port: outbound, to: inbound, dialTls: dir }),
    inbound: envoyConfig({ port: inbound, to: answer, listenTls: dir }),
  };
  for (const [name, config] of Object.entries(configs)) {
    const file = path.join(dir, `${name}.json`);
    await writeFile(file, JSON.stringify(config));
    children.push(spawn(envoy, ["-c", file, "--concurrency", threads, "--use-dynamic-base-id", "-l", "error"], { stdio: "ignore" }));
  }
  return { direct: answer, oneHop, sidecars: outbound };
}

async function main(): Promise<void> {
  const dir = await mkdtemp("/tmp/weir-bench-");
  const children: ChildProcess[] = [];
  const env = { ...process.env, WEIR_HOME: path.join(dir, "home"), WEIR_LISTEN: `127.0.0.1:${await freePort()}` };
  const weir = (...args: readonly string[]) => execute(path.join(root, "weir"), args, { env, cwd: root });
  try {
    await mkdir(env.WEIR_HOME);
    const ports = await startEnvoys(dir, children);
    const answer = path.join(dir, "weir-answer.json");
    await writeFile(answer, JSON.stringify(envoyConfig({ port: 8080, to: "answer" })).replace("127.0.0.1", "0.0.0.0"));
    await weir("run", "-n", "answer@v1", "-p", "80:8080/http", "--", envoy, "-c", answer, "--concurrency", threads, "--use-dynamic-base-id", "-l", "error");
    await weir("run", "-n", "caller@v1", "--", "sleep", "3600");
    const local = (port: number) => async () => readWrk((await execute("wrk", wrkArguments(`http://127.0.0.1:${port}/`).slice(1))).stdout);
    const ways = {
      direct: local(ports.direct),
      "one stock Envoy": local(ports.oneHop),
      "two sidecars, mTLS": local(ports.sidecars),
      weir: async () => readWrk((await weir("exec", "caller", "--", ...wrkArguments("http://answer/"))).stdout),
    };
    const figures = new Map<string, Figure[]>(Object.keys(ways).map((way) => [way, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const [way, measure] of Object.entries(ways)) {
        const figure = await measure();
        figures.get(way)?.push(figure);
        console.log(
          `round ${round + 1}  ${way.padEnd(20)} ${figure.requestsPerSecond.toFixed(0).padStart(7)} requests/s  p50 ${figure.p50.toFixed(3)} ms  p99 ${figure.p99.toFixed(3)} ms`,
        );
      }
    }
    report(figures);
  } finally {
    await weir("down", "--all").catch(() => undefined);
    await weir("system", "stop").catch(() => undefined);
    for (const child of children) child.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }
}

function report(figures: ReadonlyMap<string, readonly Figure[]>): void {
  const of = (way: string, key: keyof Figure) => median((figures.get(way) ?? []).map((figure) => figure[key]));
  console.log("\nmedians");
  for (const way of figures.keys())
    console.log(
      `${way.padEnd(20)} ${of(way, "requestsPerSecond").toFixed(0).padStart(7)} requests/s  p50 ${of(way, "p50").toFixed(3)} ms  p99 ${of(way, "p99").toFixed(3)} ms`,
    );
  const added = (way: string) => of(way, "p50") - of("direct", "p50");
  console.log(
    `\nrequests/s, weir : two sidecars = ${(of("weir", "requestsPerSecond") / of("two sidecars, mTLS", "requestsPerSecond")).toFixed(2)} (bar: at least 2)`,
  );
  console.log(`added p50, weir : two sidecars = ${(added("weir") / added("two sidecars, mTLS")).toFixed(2)} (bar: at most 0.5)`);
}

await main();
