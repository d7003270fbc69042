/**
 * A service calls another, four ways in turn on the same machine, each time from one network namespace to another: direct, through one stock Envoy, through
 * two stock Envoys as sidecars (captured on both sides, mutual TLS between them), and through Weir.
 * Prints requests/s and latencies of each round, and the ratios that matter. `ROUNDS` and `SECONDS` bound it (5 rounds of 4 s).
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "../test/system/support/weir.ts";
import { envoyConfig, makeCertificates } from "./envoys.ts";
import { capturedPort, directPort, inboundPort, makeNamespaces, outboundPort, serviceAddress, type TwoNamespaces, tlsPort } from "./two-namespaces.ts";

const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, "..");
const envoy = process.env["WEIR_ENVOY"] ?? path.join(root, ".cache/envoy/1.40.0/envoy");
const rounds = Number(process.env["ROUNDS"] ?? 5);
const seconds = Number(process.env["SECONDS"] ?? 4);
const threads = "2";
/** The one Envoy that nobody is captured by. */
const onePort = 15_002;

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
  return {
    requestsPerSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    p50: milliseconds(find(/^\s+50%\s+(\S+)/m)),
    p99: milliseconds(find(/^\s+99%\s+(\S+)/m)),
  };
}

function wrkArguments(url: string): readonly string[] {
  return ["wrk", "-t1", "-c16", `-d${seconds}s`, "--latency", url];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Starts the Envoys of the three ways that are not Weir's, each in its namespace. */
async function startEnvoys(dir: string, namespaces: TwoNamespaces, children: ChildProcess[]): Promise<void> {
  makeCertificates(dir);
  const envoys = [
    { name: "answer", where: namespaces.inService, hop: { listen: [`0.0.0.0:${capturedPort}`, `0.0.0.0:${directPort}`] } },
    { name: "one", where: namespaces.inCaller, hop: { listen: [`127.0.0.1:${onePort}`], to: `${serviceAddress}:${directPort}` } },
    { name: "outbound", where: namespaces.inCaller, hop: { listen: [`0.0.0.0:${outboundPort}`], to: `${serviceAddress}:${tlsPort}`, dialTls: dir } },
    { name: "inbound", where: namespaces.inService, hop: { listen: [`0.0.0.0:${inboundPort}`], to: `127.0.0.1:${capturedPort}`, listenTls: dir } },
  ];
  for (const { name, where, hop } of envoys) {
    const file = path.join(dir, `${name}.json`);
    await writeFile(file, JSON.stringify(envoyConfig(hop)));
    const words = [...where.slice(1), envoy, "-c", file, "--concurrency", threads, "--use-dynamic-base-id", "-l", "error"];
    children.push(spawn(where[0] ?? "nsenter", words, { stdio: ["ignore", "ignore", "inherit"] }));
  }
}

async function main(): Promise<void> {
  const dir = await mkdtemp("/tmp/weir-bench-");
  const children: ChildProcess[] = [];
  const env = { ...process.env, WEIR_HOME: path.join(dir, "home"), WEIR_LISTEN: `127.0.0.1:${await freePort()}` };
  const weir = (...args: readonly string[]) => execute(path.join(root, "weir"), args, { env, cwd: root });
  const namespaces = await makeNamespaces(dir);
  try {
    await mkdir(env.WEIR_HOME);
    await startEnvoys(dir, namespaces, children);
    const answer = path.join(dir, "weir-answer.json");
    await writeFile(answer, JSON.stringify(envoyConfig({ listen: [`0.0.0.0:${capturedPort}`] })));
    await weir(
      "run",
      "-n",
      "answer@v1",
      "-p",
      `80:${capturedPort}/http`,
      "--",
      envoy,
      "-c",
      answer,
      "--concurrency",
      threads,
      "--use-dynamic-base-id",
      "-l",
      "error",
    );
    await weir("run", "-n", "caller@v1", "--", "sleep", "3600");
    const fromCaller = (url: string) => async () => {
      const words = [...namespaces.inCaller.slice(1), ...wrkArguments(url)];
      return readWrk((await execute(namespaces.inCaller[0] ?? "nsenter", words)).stdout);
    };
    const ways = {
      direct: fromCaller(`http://${serviceAddress}:${directPort}/`),
      "one stock Envoy": fromCaller(`http://127.0.0.1:${onePort}/`),
      "two sidecars, mTLS": fromCaller(`http://${serviceAddress}:${capturedPort}/`),
      weir: async () => readWrk((await weir("exec", "caller", "--", ...wrkArguments("http://answer/"))).stdout),
    };
    const figures = new Map<string, Figure[]>(Object.keys(ways).map((way) => [way, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const [way, measure] of Object.entries(ways)) {
        const figure = await measure();
        figures.get(way)?.push(figure);
        console.log(`round ${round + 1}  ${line(way, figure)}`);
      }
    }
    report(figures);
  } finally {
    await weir("down", "--all").catch(() => undefined);
    for (const child of children) child.kill("SIGKILL");
    namespaces.end();
    await rm(dir, { recursive: true, force: true });
  }
}

function line(way: string, { requestsPerSecond, p50, p99 }: Figure): string {
  return `${way.padEnd(20)} ${requestsPerSecond.toFixed(0).padStart(7)} requests/s  p50 ${p50.toFixed(3)} ms  p99 ${p99.toFixed(3)} ms`;
}

function report(figures: ReadonlyMap<string, readonly Figure[]>): void {
  const of = (way: string, key: keyof Figure) => median((figures.get(way) ?? []).map((figure) => figure[key]));
  console.log("\nmedians");
  for (const way of figures.keys()) console.log(line(way, { requestsPerSecond: of(way, "requestsPerSecond"), p50: of(way, "p50"), p99: of(way, "p99") }));
  const added = (way: string) => of(way, "p50") - of("direct", "p50");
  console.log(
    `\nrequests/s, weir : two sidecars = ${(of("weir", "requestsPerSecond") / of("two sidecars, mTLS", "requestsPerSecond")).toFixed(2)} (bar: at least 2)`,
  );
  console.log(`added p50, weir : two sidecars = ${(added("weir") / added("two sidecars, mTLS")).toFixed(2)} (bar: at most 0.5)`);
}

await main();
