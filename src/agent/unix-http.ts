/** JSON over HTTP on a Unix socket: the few lines that agent and node need on both sides. */
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { messageOf } from "../lib/message-of.ts";

/** Refuses a call with a status and one line. */
export class HttpProblem extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Call {
  readonly url: URL;
  readonly body: unknown;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** A value is answered as JSON; a generator as NDJSON, one value a line. Keys are `METHOD /path`. */
export type Routes = Readonly<Record<string, (call: Call) => unknown>>;

/** Serves `routes` on a socket with mode 0600, in place of whatever file was there. Its folder must be the user's own (0700). */
export async function serveUnix(socketPath: string, routes: Routes): Promise<Server> {
  rmSync(socketPath, { force: true });
  const server = createServer((incoming, outgoing) => void handle(routes, incoming, outgoing));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socketPath, resolve));
  chmodSync(socketPath, 0o600);
  return server;
}

async function handle(routes: Routes, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  outgoing.on("error", () => gone.abort());
  try {
    const url = new URL(incoming.url ?? "/", "http://agent");
    const route = routes[`${incoming.method} ${url.pathname}`];
    if (route === undefined) throw new HttpProblem(404, `there is no ${incoming.method} ${url.pathname}`);
    const text = await readText(incoming);
    const result = await route({ url, body: text === "" ? undefined : JSON.parse(text), signal: gone.signal });
    if (isGenerator(result)) await stream(result, outgoing, gone.signal);
    else respond(outgoing, 200, result ?? {});
  } catch (error) {
    const status = error instanceof HttpProblem ? error.status : error instanceof SyntaxError ? 400 : 500;
    if (outgoing.headersSent) outgoing.destroy();
    else respond(outgoing, status, { error: messageOf(error) });
  }
}

function respond(outgoing: ServerResponse, status: number, value: unknown): void {
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(`${JSON.stringify(value)}\n`);
}

function isGenerator(value: unknown): value is AsyncGenerator {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function stream(values: AsyncGenerator, outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  outgoing.writeHead(200, { "content-type": "application/x-ndjson" });
  for await (const value of values) {
    if (signal.aborted) return;
    if (!outgoing.write(`${JSON.stringify(value)}\n`)) {
      await new Promise<void>((resolve) => {
        outgoing.once("drain", resolve);
        outgoing.once("close", resolve);
      });
    }
  }
  outgoing.end();
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString("utf8");
}

export interface CallOptions {
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

function open(socketPath: string, method: string, target: string, options: CallOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path: target, agent: false, ...(options.signal === undefined ? {} : { signal: options.signal }) }, resolve);
    if (options.timeoutMs !== undefined)
      call.setTimeout(options.timeoutMs, () => call.destroy(new Error(`no answer from ${socketPath} in ${options.timeoutMs} ms`)));
    call.on("error", reject);
    call.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  });
}

/** Calls and answers the JSON. Throws `HttpProblem` for an error status, an Error when nobody is there. */
export async function callUnix<T>(socketPath: string, method: string, target: string, options: CallOptions = {}): Promise<T> {
  const response = await open(socketPath, method, target, { timeoutMs: 10_000, ...options });
  const text = await readText(response);
  const value = JSON.parse(text === "" ? "{}" : text) as T & { readonly error?: string };
  if ((response.statusCode ?? 500) >= 400) throw new HttpProblem(response.statusCode ?? 500, value.error ?? "unknown error");
  return value;
}

/** Calls and yields the lines of an NDJSON answer until it ends. Throws when the other side dies or `signal` aborts. */
export async function* watchUnix<T>(socketPath: string, target: string, signal: AbortSignal): AsyncGenerator<T, void, void> {
  const response = await open(socketPath, "GET", target, { signal });
  // Not by `readline`: it hears nothing of a connection that breaks, and would wait for ever.
  let rest = "";
  for await (const piece of response.setEncoding("utf8")) {
    const lines = (rest + String(piece)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
  }
}
