/** Messages on a stream: one byte "compressed?", four bytes length, then the message. */
import { RpcError, Status } from "./status.ts";

const headerBytes = 5;

/** The five bytes before a message of `length` bytes that is not compressed. */
export function frameHeader(length: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  new DataView(header.buffer).setUint32(1, length);
  return header;
}

/** Cuts a byte stream into messages, however it was split on the way. */
export interface FrameReader {
  /**
   * Takes the next bytes and returns the messages they complete (views of the bytes where that needs no copy).
   * Throws an RpcError for a compressed message and for one over the limit, before any of it is kept.
   */
  push(chunk: Uint8Array): Uint8Array[];
  /** To be called at the end of the stream. Throws an RpcError when it ended inside a message. */
  end(): void;
}

/** Makes a reader that refuses messages longer than `maxMessageBytes`. */
export function createFrameReader(maxMessageBytes: number): FrameReader {
  let chunks: Uint8Array[] = [];
  let buffered = 0;
  let length: number | undefined;

  function take(count: number): Uint8Array {
    const all = joined(chunks);
    const rest = all.subarray(count);
    chunks = rest.length > 0 ? [rest] : [];
    buffered = rest.length;
    return all.subarray(0, count);
  }

  function next(): Uint8Array | undefined {
    if (length === undefined) {
      if (buffered < headerBytes) return undefined;
      length = messageLength(take(headerBytes), maxMessageBytes);
    }
    if (buffered < length) return undefined;
    const message = take(length);
    length = undefined;
    return message;
  }

  return {
    push(chunk) {
      const messages: Uint8Array[] = [];
      if (chunk.length > 0) chunks.push(chunk);
      buffered += chunk.length;
      for (let message = next(); message !== undefined; message = next()) messages.push(message);
      return messages;
    },
    end() {
      if (buffered > 0 || length !== undefined) throw new RpcError(Status.internal, "the stream ended inside a message");
    },
  };
}

function messageLength(header: Uint8Array, maxMessageBytes: number): number {
  const length = new DataView(header.buffer, header.byteOffset, headerBytes).getUint32(1);
  if (header[0] !== 0) throw new RpcError(Status.internal, "a compressed message on a stream without grpc-encoding");
  if (length > maxMessageBytes) {
    throw new RpcError(Status.resourceExhausted, `a message of ${length} bytes is over the limit of ${maxMessageBytes}`);
  }
  return length;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  if (first === undefined) return new Uint8Array(0);
  return chunks.length === 1 ? first : Buffer.concat(chunks);
}
