/** One HTTP exchange with an API server. */
import { type IncomingMessage, request as plainRequest, type RequestOptions } from "node:http";
import { request as secureRequest } from "node:https";
import type { Credentials } from "./access.ts";

export interface Exchange {
  readonly server: URL;
  readonly credentials: Credentials;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
}

const keepAliveMs = 30_000;

/** Sends a request; resolves with the response's head. Rejects when the connection breaks or `signal` aborts. */
export function send(exchange: Exchange, signal: AbortSignal): Promise<IncomingMessage> {
  const { credentials, method, body, contentType = "application/json" } = exchange;
  const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = {
    accept: "application/json",
    ...exchange.headers,
    ...credentials.headers,
    ...(sent === undefined ? {} : { "content-type": contentType, "content-length": String(sent.length) }),
  };
  return exchangeOnce(urlOf(exchange), { method, headers, agent: credentials.agent, signal }, sent);
}

function urlOf({ server, path, query }: Exchange): URL {
  // An API server may live below a path of its host.
  const url = new URL(`${server.origin}${server.pathname.replace(/\/$/, "")}${path}`);
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

function exchangeOnce(url: URL, options: RequestOptions, sent: Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === "https:" ? secureRequest : plainRequest)(url, options, resolve);
    // Stays for the whole exchange: an abort after the head is an error of the request, too, and must not be nobody's.
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      // The server closed an idle connection in the moment we chose it: nothing is wrong, and reading twice does no harm.
      const isStale = outgoing.reusedSocket && error.code === "ECONNRESET" && options.method === "GET" && options.signal?.aborted !== true;
      if (isStale) resolve(exchangeOnce(url, options, sent));
      else reject(error);
    });
    outgoing.setSocketKeepAlive(true, keepAliveMs);
    outgoing.end(sent);
  });
}

/** Reads a whole body as JSON. Rejects when it breaks off or is none; calls `heard` for every piece. */
export async function readJson(response: IncomingMessage, heard: () => void): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of response) {
    heard();
    pieces.push(piece as Buffer);
  }
  const whole = Buffer.concat(pieces).toString("utf8");
  return whole === "" ? undefined : (JSON.parse(whole) as unknown);
}
