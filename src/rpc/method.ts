import type { IncomingHttpHeaders } from "node:http2";
import type { MessageParts } from "./message-stream.ts";

/** What every handler knows of its call. */
export interface CallContext {
  readonly headers: IncomingHttpHeaders;
  /** The SPIFFE ID of the client's verified certificate; undefined without TLS and for a client that showed none. */
  readonly peer: string | undefined;
  /** Aborts when the client cancels, the connection or the deadline is lost, or the server closes. */
  readonly signal: AbortSignal;
}

/** A call with messages both ways (or only one way; a server stream reads one request and writes many). */
export interface StreamCall extends CallContext {
  /** The client's messages. Ends when the client is done; throws an RpcError when it broke off. Only as fast as it is read. */
  readonly requests: AsyncGenerator<Uint8Array, void, void>;
  /** Sends one message. Await it: it resolves when there is room for more; it rejects with an RpcError when the client is gone. */
  write(parts: MessageParts): Promise<void>;
}

/** What answers one method: the status is `ok` when the promise resolves, the RpcError's when it rejects with one, else `internal`. */
export type RpcMethod =
  | { readonly kind: "unary"; handle(request: Uint8Array, context: CallContext): Promise<Uint8Array> }
  | { readonly kind: "stream"; handle(call: StreamCall): Promise<void> };
