/** A gRPC server over HTTP/2, in the clear or over TLS 1.3. */
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { listenOn, type RpcAddress } from "./address.ts";
import { keepAlive } from "./keepalive.ts";
import type { RpcMethod } from "./method.ts";
import { answerCall } from "./server-call.ts";
import { isWelcome, type ServerTls, secureContext, secureServerOptions } from "./tls.ts";

export interface RpcServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** By full path: `/package.Service/Method`. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  /** Absent: in the clear. */
  readonly tls?: ServerTls;
  /** Requests above it end with `resourceExhausted`. Default 4 MiB, as in gRPC's own libraries. */
  readonly maxMessageBytes?: number;
  /** A connection that is silent this long is asked for a sign of life and dropped when none comes in as long again. Default 30 s; 0 turns it off. */
  readonly keepaliveMs?: number;
}

export interface RpcServer {
  /** Starts listening; returns the address to connect to (with the real port). Throws the system's error, for instance `EADDRINUSE`. */
  listen(address: RpcAddress): Promise<RpcAddress>;
  /**
   * Takes no new connections and calls (GOAWAY), waits up to `graceMs` for the running calls, then ends them with `unavailable`.
   * Resolves when every connection is closed. A second call changes nothing.
   */
  close(graceMs: number): Promise<void>;
}

/** Room for the streams of one connection; Node's 10 MB would refuse new streams while one large answer waits. */
const maxSessionMegabytes = 1024;
const windowBytes = 1024 * 1024;
/** How long a connection may take to say goodbye after its calls were ended. */
const goodbyeMs = 500;

/** Makes a server; it does no I/O before `listen`. */
export function createRpcServer(options: RpcServerOptions): RpcServer {
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  const closing = new AbortController();
  const server = openServer(options, closing.signal);
  const call = {
    clock: options.clock,
    log: options.log,
    methods: options.methods,
    maxMessageBytes: options.maxMessageBytes ?? 4 * 1024 * 1024,
    closing: closing.signal,
  };
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", (error: Error) => options.log.debug("rpc connection broke", { error: error.message }));
    session.once("close", () => sessions.delete(session));
    if (options.tls !== undefined && !(session.socket instanceof TLSSocket && isWelcome(session.socket, options.tls))) return session.destroy();
    session.setLocalWindowSize(windowBytes);
    keepAlive(session, options.clock, options.keepaliveMs ?? 30_000);
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void answerCall(stream, headers, call));
  let closed: Promise<void> | undefined;
  return {
    listen: (address) => listenOn(server, address),
    close(graceMs) {
      closed ??= closeServer({ server, sessions, sockets, closing, clock: options.clock, graceMs });
      return closed;
    },
  };
}

const http2Options = {
  maxSessionMemory: maxSessionMegabytes,
  settings: { initialWindowSize: windowBytes, maxConcurrentStreams: 1000, enablePush: false },
};

/** @param closing ends the watch for newer certificates */
function openServer({ tls, log }: RpcServerOptions, closing: AbortSignal): Http2Server | Http2SecureServer {
  if (tls === undefined) return createServer(http2Options);
  const server = createSecureServer({ ...http2Options, ...secureServerOptions(tls) });
  server.on("tlsClientError", (error) => log.debug("rpc client refused", { error: error.message }));
  void followCertificates(server, tls, log, closing);
  return server;
}

async function followCertificates(server: Http2SecureServer, tls: ServerTls, log: Log, closing: AbortSignal): Promise<void> {
  for await (const material of tls.material.watch(closing)) {
    try {
      server.setSecureContext(secureContext(material));
    } catch (error) {
      log.error("rpc certificate cannot be used; the one before stays", { error });
    }
  }
}

interface Closing {
  readonly server: Http2Server | Http2SecureServer;
  readonly sessions: ReadonlySet<ServerHttp2Session>;
  readonly sockets: ReadonlySet<Socket>;
  readonly closing: AbortController;
  readonly clock: Clock;
  readonly graceMs: number;
}

async function closeServer({ server, sessions, sockets, closing, clock, graceMs }: Closing): Promise<void> {
  const listening = new Promise<void>((resolve) => server.close(() => resolve()));
  const drained = Promise.all([...sessions].map(closeSession));
  const allGone = new AbortController();
  void drained.then(() => allGone.abort());
  await clock.sleep(graceMs, allGone.signal);
  closing.abort();
  await clock.sleep(goodbyeMs, allGone.signal);
  // A session says goodbye in the end of its socket, which a peer that reads nothing never answers.
  for (const session of sessions) session.destroy();
  for (const socket of sockets) socket.destroy();
  await drained;
  await listening;
}

/** Says GOAWAY and resolves when the connection is closed. */
function closeSession(session: ServerHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed) return resolve();
    session.once("close", () => resolve());
    if (!session.closed) session.close();
  });
}
