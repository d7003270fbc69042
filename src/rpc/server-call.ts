/** One call on the server's side, from the request's headers to the trailers. */
import { constants, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { memoize } from "../lib/memoize.ts";
import { createMessageWriter, type MessageParts, readMessages } from "./message-stream.ts";
import type { RpcMethod } from "./method.ts";
import { encodeStatusMessage, RpcError, Status } from "./status.ts";
import { parseTimeout } from "./timeout.ts";
import { peerOf } from "./tls.ts";

/** What a call needs of the server it belongs to. */
export interface CallOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly methods: ReadonlyMap<string, RpcMethod>;
  readonly maxMessageBytes: number;
  /** Aborts when the server does not wait for calls any longer. */
  readonly closing: AbortSignal;
}

const replyHeaders = { ":status": 200, "content-type": "application/grpc+proto", "grpc-accept-encoding": "identity" } as const;

/** Read once for each connection. */
const peerOfSession = memoize((session: Http2Session) => (session.socket instanceof TLSSocket ? peerOf(session.socket) : undefined));

/** Answers one HTTP/2 stream. Never rejects: what goes wrong becomes the call's status. */
export async function answerCall(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: CallOptions): Promise<void> {
  stream.on("error", (error) => options.log.debug("rpc stream broke", { method: headers[":path"], error: error.message }));
  const refused = refusedHttp(headers);
  if (refused !== undefined) {
    stream.respond({ ":status": refused }, { endStream: true });
    return;
  }
  const cancelled = new AbortController();
  const ended = new AbortController();
  const onClose = (): void => cancelled.abort(new RpcError(Status.cancelled, "the client is gone"));
  const onClosing = (): void => cancelled.abort(new RpcError(Status.unavailable, "the server is closing"));
  stream.once("close", onClose);
  options.closing.addEventListener("abort", onClosing);
  if (options.closing.aborted) onClosing();
  startDeadline(headers, options.clock, cancelled, ended.signal);
  const outcome = await raceWithAbort(runMethod(stream, headers, cancelled.signal, options), cancelled.signal);
  stream.off("close", onClose);
  options.closing.removeEventListener("abort", onClosing);
  ended.abort();
  finish(stream, outcome, headers, options.log);
}

/** The HTTP status for what is no gRPC at all. */
function refusedHttp(headers: IncomingHttpHeaders): number | undefined {
  if (headers[":method"] !== "POST") return constants.HTTP_STATUS_METHOD_NOT_ALLOWED;
  return /^application\/grpc(?:\+proto)?(?:;|$)/.test(headers["content-type"] ?? "") ? undefined : constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE;
}

function startDeadline(headers: IncomingHttpHeaders, clock: Clock, cancelled: AbortController, ended: AbortSignal): void {
  const timeout = headers["grpc-timeout"];
  const ms = typeof timeout === "string" ? parseTimeout(timeout) : undefined;
  if (ms === undefined) return;
  void clock.sleep(ms, ended).then(() => {
    if (!ended.aborted) cancelled.abort(new RpcError(Status.deadlineExceeded, "the deadline passed"));
  });
}

async function runMethod(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, signal: AbortSignal, options: CallOptions): Promise<void> {
  const method = chosenMethod(headers, options.methods);
  const peer = stream.session === undefined ? undefined : peerOfSession(stream.session);
  const requests = readMessages(stream, options.maxMessageBytes);
  const writeMessage = createMessageWriter(stream);
  const write = (parts: MessageParts): Promise<void> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (!stream.headersSent && !stream.destroyed) respond(stream);
    return writeMessage(parts);
  };
  switch (method.kind) {
    case "unary":
      return write([await method.handle(await onlyMessage(requests), { headers, peer, signal })]);
    case "stream":
      return method.handle({ headers, peer, signal, requests, write });
    default:
      return method satisfies never;
  }
}

function chosenMethod(headers: IncomingHttpHeaders, methods: ReadonlyMap<string, RpcMethod>): RpcMethod {
  const encoding = headers["grpc-encoding"];
  if (encoding !== undefined && encoding !== "identity") throw new RpcError(Status.unimplemented, `grpc-encoding ${String(encoding)} is not supported`);
  const timeout = headers["grpc-timeout"];
  if (typeof timeout === "string" && parseTimeout(timeout) === undefined) throw new RpcError(Status.internal, "grpc-timeout is malformed");
  const method = methods.get(headers[":path"] ?? "");
  if (method === undefined) throw new RpcError(Status.unimplemented, `there is no method ${headers[":path"] ?? ""}`);
  return method;
}

async function onlyMessage(requests: AsyncGenerator<Uint8Array, void, void>): Promise<Uint8Array> {
  const first = await requests.next();
  if (first.done === true) throw new RpcError(Status.unimplemented, "a unary call without a message");
  const second = await requests.next();
  if (second.done !== true) throw new RpcError(Status.unimplemented, "a unary call with more than one message");
  return first.value;
}

function respond(stream: ServerHttp2Stream): void {
  stream.respond(replyHeaders, { waitForTrailers: true });
}

/** Resolves with undefined or with what went wrong. A handler that ignores its signal does not keep the call open. */
function raceWithAbort(running: Promise<void>, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    const onAbort = (): void => resolve(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    running
      .then(
        () => resolve(undefined),
        (error: unknown) => resolve(error ?? new Error("rejected with nothing")),
      )
      .finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function finish(stream: ServerHttp2Stream, outcome: unknown, headers: IncomingHttpHeaders, log: Log): void {
  const [code, message] = statusOf(outcome, headers, log);
  if (stream.destroyed || stream.closed) return;
  const trailers = { "grpc-status": String(code), ...(message === "" ? {} : { "grpc-message": encodeStatusMessage(message) }) };
  // The client may still be sending: what it sends now is thrown away, and the reset below tells it to stop.
  stream.resume();
  if (!stream.headersSent) {
    stream.respond({ ...replyHeaders, ...trailers }, { endStream: true });
    closeWhenSent(stream);
    return;
  }
  stream.once("wantTrailers", () => {
    stream.sendTrailers(trailers);
    closeWhenSent(stream);
  });
  stream.end();
  // A client that reads nothing never lets the trailers out: a cancelled call must not wait for it.
  if (code !== Status.ok && stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
}

/** Ends the client's half too (RST_STREAM with NO_ERROR after the trailers, as the specification of HTTP/2 allows). */
function closeWhenSent(stream: ServerHttp2Stream): void {
  setImmediate(() => {
    if (!stream.closed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}

function statusOf(outcome: unknown, headers: IncomingHttpHeaders, log: Log): readonly [number, string] {
  if (outcome === undefined) return [Status.ok, ""];
  if (outcome instanceof RpcError) return [outcome.code, outcome.message];
  log.error("rpc handler failed", { method: headers[":path"], error: outcome });
  return [Status.internal, "internal error"];
}
