/** Messages over one HTTP/2 stream, in both directions, the same for server and client. */
import type { Readable, Writable } from "node:stream";
import { createFrameReader, frameHeader } from "./frame.ts";
import { RpcError, Status } from "./status.ts";

/** Larger pieces would pile up in the socket's own buffers before the first back-pressure. */
const pieceBytes = 64 * 1024;

/** One message as the parts it is made of, so that shared bytes are sent without a copy per stream. */
export type MessageParts = readonly Uint8Array[];

/**
 * Writes messages one after the other, whole ones only. The promise resolves when the bytes were handed on and there is room for more,
 * so a caller that awaits it holds at most one message for a peer that does not read. It rejects with an RpcError when the stream is gone.
 */
export function createMessageWriter(stream: Writable): (parts: MessageParts) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (parts) => {
    const written = last.then(() => writeMessage(stream, parts));
    // The next message only waits for its turn; whoever wrote this one gets the error.
    last = written.catch(() => undefined);
    return written;
  };
}

async function writeMessage(stream: Writable, parts: MessageParts): Promise<void> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  for (const piece of pieces([frameHeader(length), ...parts])) await writePiece(stream, piece);
}

/** Small parts joined, large ones cut: every piece has at most `pieceBytes`. */
function* pieces(parts: MessageParts): Generator<Uint8Array, void, void> {
  let small: Uint8Array[] = [];
  let size = 0;
  for (const part of parts) {
    if (size > 0 && size + part.length > pieceBytes) {
      yield Buffer.concat(small);
      small = [];
      size = 0;
    }
    if (part.length < pieceBytes) {
      small.push(part);
      size += part.length;
      continue;
    }
    for (let at = 0; at < part.length; at += pieceBytes) yield part.subarray(at, at + pieceBytes);
  }
  if (size > 0) yield Buffer.concat(small);
}

function writePiece(stream: Writable, piece: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return Promise.reject(gone());
  if (stream.write(piece)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stream.off("drain", settle);
      stream.off("close", settle);
      if (stream.destroyed) reject(gone());
      else resolve();
    };
    stream.on("drain", settle);
    stream.on("close", settle);
  });
}

function gone(): RpcError {
  return new RpcError(Status.cancelled, "the stream is closed");
}

/**
 * Yields the messages of a stream until the other side is done. Reads only as fast as it is asked, so HTTP/2's flow control holds a fast sender back.
 * Throws an RpcError: `cancelled` when the stream broke off, else what is wrong with the framing. Leaves the stream open.
 */
export async function* readMessages(stream: Readable, maxMessageBytes: number): AsyncGenerator<Uint8Array, void, void> {
  const reader = createFrameReader(maxMessageBytes);
  const chunks: AsyncIterator<Uint8Array> = stream.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const chunk = await nextChunk(chunks);
      if (chunk === undefined) break;
      yield* reader.push(chunk);
    }
  } finally {
    await chunks.return?.();
  }
  reader.end();
}

async function nextChunk(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    const next = await chunks.next();
    return next.done === true ? undefined : next.value;
  } catch (cause) {
    throw new RpcError(Status.cancelled, "the stream broke off", { cause });
  }
}
