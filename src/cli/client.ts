/** HTTP on the daemon's Unix socket. */
import type { IncomingMessage } from "node:http";
import type { ApiError } from "../api/contract.ts";
import { exitCode, exitCodeOf } from "./exit-code.ts";
import { Failure, failure } from "./failure.ts";

export interface Client {
  /** Answers the JSON body. Throws a `Failure` with the API's problems. */
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** A stream of JSON values, one a line; ends when the server ends it or `signal` aborts. */
  stream<T>(method: "GET" | "POST", path: string, options?: { readonly body?: unknown; readonly signal?: AbortSignal }): AsyncGenerator<T>;
}

/** A client of the daemon behind `socketPath`. */
export function createClient(socketPath: string): Client {
  const json = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await send({ socketPath, method, path, body });
    const text = await readAll(response);
    if ((response.statusCode ?? 500) >= 300) throw refused(response.statusCode ?? 500, text);
    return JSON.parse(text) as T;
  };
  return {
    get: (path) => json("GET", path),
    post: (path, body) => json("POST", path, body),
    stream: <T>(method: "GET" | "POST", path: string, options: { readonly body?: unknown; readonly signal?: AbortSignal } = {}) =>
      readStream<T>({ socketPath, method, path, ...options }),
  };
}

interface Outgoing {
  readonly socketPath: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

function send({ socketPath, method, path, body, signal }: Outgoing): Promise<IncomingMessage> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = payload === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
    // Not imported: an `import` of node:http evaluates all its lazy parts, too (fetch, WebSocket, HTTP/2, zlib), which takes 50 ms.
    const request = process
      .getBuiltinModule("node:http")
      .request({ socketPath, method, path, headers, agent: false, ...(signal === undefined ? {} : { signal }) }, resolve);
    request.on("error", (error: NodeJS.ErrnoException) => reject(unreachable(error)));
    request.end(payload);
  });
}

function unreachable(error: NodeJS.ErrnoException): Error {
  if (error.name === "AbortError") return error;
  return failure("daemon-unreachable", `the daemon does not answer: ${error.message}`, { hint: "see why: weir system logs", exit: exitCode.unavailable });
}

async function readAll(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const piece of response) text += piece as string;
  return text;
}

/** The failure that an answer with an error status deserves. */
export function refused(status: number, text: string): Failure {
  const problems = parseProblems(text) ?? [
    { code: "daemon-error", message: `the daemon answered ${status}: ${text.slice(0, 300)}`, hint: "see its log: weir system logs" },
  ];
  return new Failure(problems, exitCodeOf(status));
}

function parseProblems(text: string): ApiError["problems"] | undefined {
  try {
    return (JSON.parse(text) as ApiError).problems;
  } catch {
    return undefined;
  }
}

/** The JSON values of a stream of text, one a line. An empty line is a heartbeat. */
export async function* readValues<T>(pieces: AsyncIterable<string>): AsyncGenerator<T> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
  }
}

async function* readStream<T>(outgoing: Outgoing): AsyncGenerator<T> {
  try {
    const response = await send(outgoing);
    if ((response.statusCode ?? 500) >= 300) throw refused(response.statusCode ?? 500, await readAll(response));
    response.setEncoding("utf8");
    yield* readValues<T>(response as AsyncIterable<string>);
  } catch (error) {
    if (outgoing.signal?.aborted === true) return;
    throw error instanceof Failure ? error : unreachable(error as NodeJS.ErrnoException);
  }
}
