/** A daemon of canned answers behind a real Unix socket, and the built CLI as a process that talks to it. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after } from "node:test";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** What a request is answered with: a JSON body (a string goes as it is), or lines of a stream. */
export interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly lines?: readonly unknown[];
  /** A stream that does not end by itself. */
  readonly open?: boolean;
}

/** By `METHOD /path`, without the query. */
export type Answers = Readonly<Record<string, Answer>>;

interface Request {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Start {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sent this signal as soon as it printed something. */
  readonly signal?: NodeJS.Signals;
  /** Nobody reads on after the first words, as with `| head -1`. */
  readonly hangUp?: boolean;
}

export interface CannedDaemon {
  answers: Answers;
  /** What was asked, in order. */
  readonly requests: Request[];
  /** The state folder that commands find it by. */
  readonly home: string;
  /** Runs `weir ARGS`. */
  weir(args: readonly string[], start?: Start): Promise<Ended>;
}

/** Builds the CLI and starts a canned daemon for the tests of this file; both are gone after them. */
export async function startCannedDaemon(): Promise<CannedDaemon> {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-cli-"));
  const home = path.join(dir, "home");
  mkdirSync(path.join(home, "run"), { recursive: true });
  const cli = await buildCli(path.join(dir, "dist"));
  const daemon: CannedDaemon = { answers: {}, requests: [], home, weir: (args, start = {}) => run(cli, home, args, start) };
  const server = http.createServer((request, response) => {
    void readBody(request).then((body) => {
      const { method = "", url = "" } = request;
      daemon.requests.push({ method, url, body });
      answer(response, daemon.answers[`${method} ${url.split("?")[0] ?? ""}`] ?? unknown(method, url));
    });
  });
  await new Promise<void>((resolve) => server.listen(path.join(home, "run/api.sock"), resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return daemon;
}

function unknown(method: string, url: string): Answer {
  return { status: 500, json: { problems: [{ code: "not-canned", message: `this test has no answer for ${method} ${url}` }] } };
}

function answer(response: http.ServerResponse, { status = 200, json, lines, open = false }: Answer): void {
  response.writeHead(status, { "content-type": lines === undefined ? "application/json" : "application/x-ndjson" });
  if (lines === undefined) response.end(typeof json === "string" ? json : JSON.stringify(json));
  else {
    for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
    if (!open) response.end();
  }
}

async function readBody(request: http.IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += String(piece);
  return text === "" ? undefined : JSON.parse(text);
}

async function buildCli(outdir: string): Promise<string> {
  await build({
    absWorkingDir: root,
    entryPoints: { cli: "src/cli/main.ts" },
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
  return path.join(outdir, "cli.mjs");
}

function run(cli: string, home: string, args: readonly string[], { stdin = "", env = {}, cwd = root, signal, hangUp = false }: Start): Promise<Ended> {
  const child = spawn(process.execPath, [cli, ...args], { cwd, env: { PATH: process.env["PATH"], WEIR_HOME: home, NO_COLOR: "1", ...env } });
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  let [stdout, stderr] = ["", ""];
  let signalled = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (signal !== undefined && !signalled) child.kill(signal);
    signalled = true;
    if (hangUp) child.stdout.destroy();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A command that does not read its input may be gone before it is written.
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  return new Promise((resolve) => {
    child.on("close", (code, ended) => {
      clearTimeout(timer);
      resolve({ code, signal: ended, stdout, stderr });
    });
  });
}
