/** A small gRPC client over HTTP/2, in the clear or over TLS 1.3: one connection, unary and streaming calls. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from "node:http2";
import type { Clock } from "../lib/clock.ts";
import { openSocket, type RpcAddress } from "./address.ts";
import { keepAlive } from "./keepalive.ts";
import { createMessageWriter, type MessageParts, readMessages } from "./message-stream.ts";
import { decodeStatusMessage, parseStatus, RpcError, Status, statusOfHttp } from "./status.ts";
import { formatTimeout } from "./timeout.ts";
import { type ClientTls, secureSocket } from "./tls.ts";

export interface RpcClientOptions {
  readonly clock: Clock;
  readonly target: RpcAddress;
  /** Absent: in the clear. */
  readonly tls?: ClientTls;
  /** Answers above it end with `resourceExhausted`. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** A server that is silent this long is asked for a sign of life, and the connection dropped when none comes in as long again. Default 0: never. */
  readonly keepaliveMs?: number;
}

export interface RpcCallOptions {
  /** After it the call ends with `deadlineExceeded`; the server is told too. */
  readonly timeoutMs?: number;
  /** Aborting it resets the stream; the call ends with `cancelled`. */
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The client's end of a streaming call. */
export interface ClientCall {
  /** Sends one message; resolves when there is room for more. Rejects with an RpcError when the call is over. */
  write(parts: MessageParts): Promise<void>;
  /** No more messages from this side. */
  end(): void;
  /** Gives the call up. */
  cancel(): void;
  /** The server's messages; ends when the status is `ok`, else throws it as an RpcError. Only as fast as it is read. */
  readonly messages: AsyncGenerator<Uint8Array, void, void>;
}

export interface RpcClient {
  /** Sends one message and returns the one that answers it. Throws an RpcError. */
  unary(method: string, request: Uint8Array, options?: RpcCallOptions): Promise<Uint8Array>;
  /** Opens a streaming call. */
  stream(method: string, options?: RpcCallOptions): ClientCall;
  /** Closes the connection at once; running calls end with `unavailable`. */
  close(): void;
}

/** Connects. A target that does not answer shows as calls that end with `unavailable`; there is no reconnecting: make a new client. */
export function connectRpc(options: RpcClientOptions): RpcClient {
  const { target, tls } = options;
  const settings = { initialWindowSize: 1024 * 1024 };
  const session =
    tls === undefined
      ? connect("http://localhost", { createConnection: () => openSocket(target), settings })
      : connect("https://localhost", { createConnection: () => secureSocket(openSocket(target), tls), settings });
  let broken: Error | undefined;
  session.on("error", (error: Error) => {
    broken = error;
  });
  keepAlive(session, options.clock, options.keepaliveMs ?? 0);
  const open = (method: string, call: RpcCallOptions): ClientCall => {
    if (session.destroyed || session.closed) throw unavailable(broken);
    return openCall(session, method, call, { clock: options.clock, limit: options.maxMessageBytes ?? 4 * 1024 * 1024, cause: () => broken });
  };
  return {
    stream: (method, call = {}) => open(method, call),
    async unary(method, request, call = {}) {
      const { write, end, messages, cancel } = open(method, call);
      // When this fails, reading says why.
      void write([request]).then(end, () => undefined);
      const answer = await messages.next();
      if (answer.done === true) throw new RpcError(Status.internal, "the server answered without a message");
      const rest = await messages.next();
      if (rest.done === true) return answer.value;
      cancel();
      throw new RpcError(Status.internal, "the server answered with more than one message");
    },
    close: () => session.destroy(),
  };
}

interface CallSetting {
  readonly clock: Clock;
  readonly limit: number;
  readonly cause: () => Error | undefined;
}

/** What the server said so far. */
interface Reply {
  headers?: IncomingHttpHeaders & IncomingHttpStatusHeader;
  trailers?: IncomingHttpHeaders;
  /** Set when this side gave up; it wins over what the stream says then. */
  ended?: RpcError;
}

function openCall(session: ClientHttp2Session, method: string, call: RpcCallOptions, setting: CallSetting): ClientCall {
  const stream = session.request({
    ...call.headers,
    ":method": "POST",
    ":path": method,
    "content-type": "application/grpc+proto",
    te: "trailers",
    ...(call.timeoutMs === undefined ? {} : { "grpc-timeout": formatTimeout(call.timeoutMs) }),
  });
  const reply: Reply = {};
  stream.on("error", () => undefined);
  stream.once("response", (headers) => {
    reply.headers = headers;
  });
  stream.once("trailers", (trailers) => {
    reply.trailers = trailers;
  });
  const giveUp = (error: RpcError): void => {
    reply.ended ??= error;
    stream.close(constants.NGHTTP2_CANCEL);
  };
  endEarly(stream, call, setting.clock, giveUp);
  const write = createMessageWriter(stream);
  return {
    write,
    end: () => void stream.end(),
    cancel: () => giveUp(new RpcError(Status.cancelled, "the caller gave up")),
    messages: replies(stream, reply, setting),
  };
}

/** Watches the caller's signal and deadline while the stream is open. */
function endEarly(stream: ClientHttp2Stream, call: RpcCallOptions, clock: Clock, giveUp: (error: RpcError) => void): void {
  const closed = new AbortController();
  const onAbort = (): void => giveUp(new RpcError(Status.cancelled, "the caller gave up", { cause: call.signal?.reason }));
  stream.once("close", () => {
    closed.abort();
    call.signal?.removeEventListener("abort", onAbort);
  });
  call.signal?.addEventListener("abort", onAbort);
  if (call.signal?.aborted === true) onAbort();
  if (call.timeoutMs === undefined) return;
  void clock.sleep(call.timeoutMs, closed.signal).then(() => {
    if (!closed.signal.aborted) giveUp(new RpcError(Status.deadlineExceeded, "the deadline passed"));
  });
}

async function* replies(stream: ClientHttp2Stream, reply: Reply, setting: CallSetting): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* readMessages(stream, setting.limit);
  } catch (error) {
    if (!isBrokenOff(error)) {
      stream.close(constants.NGHTTP2_CANCEL);
      // A page of HTML is not worth a word about its bytes; that it came with a 404 is.
      throw httpFailure(reply) ?? error;
    }
  }
  const failure = outcome(reply, setting.cause());
  if (failure !== undefined) throw failure;
}

/** Broken off is no answer yet: the trailers or this side's own giving up say more. */
function isBrokenOff(error: unknown): boolean {
  return error instanceof RpcError && error.code === Status.cancelled;
}

function outcome(reply: Reply, cause: Error | undefined): RpcError | undefined {
  if (reply.ended !== undefined) return reply.ended;
  const status = reply.trailers?.["grpc-status"] ?? reply.headers?.["grpc-status"];
  const message = reply.trailers?.["grpc-message"] ?? reply.headers?.["grpc-message"] ?? "";
  if (typeof status === "string") {
    const code = parseStatus(status);
    return code === Status.ok ? undefined : new RpcError(code, decodeStatusMessage(String(message)));
  }
  return httpFailure(reply) ?? unavailable(cause);
}

function httpFailure({ headers }: Reply): RpcError | undefined {
  const http = headers?.[":status"];
  return http === undefined || http === 200 ? undefined : new RpcError(statusOfHttp(http), `the server answered with HTTP status ${http}`);
}

function unavailable(cause: Error | undefined): RpcError {
  return new RpcError(Status.unavailable, cause === undefined ? "the connection closed" : cause.message, { cause });
}
