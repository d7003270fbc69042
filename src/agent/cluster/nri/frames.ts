/**
 * Bytes of NRI's socket: connections multiplexed over one (4 bytes connection, 4 bytes length, content), in each of them ttrpc messages (4 bytes length,
 * 4 bytes stream, type, flags, content). All numbers are big-endian.
 */

/** Connections of the multiplexer: on one the runtime calls us, on the other we call it. */
export const pluginConnection = 1;
export const runtimeConnection = 2;

export const messageType = { request: 1, response: 2 } as const;

/** No more data of the caller follows: what every unary request says. */
const remoteClosed = 1;

export interface TtrpcMessage {
  readonly connection: number;
  readonly stream: number;
  readonly type: number;
  readonly content: Uint8Array;
}

const outerHeader = 8;
const innerHeader = 10;
const longestMessage = 4 << 20;
/** The other side reads a piece into a buffer of this size, and gives up on a larger one. */
const longestPiece = 4096;

/** Encodes one message, in as many pieces as it needs. */
export function encodeMessage({ connection, stream, type, content }: TtrpcMessage): Uint8Array {
  const message = Buffer.alloc(innerHeader + content.length);
  message.writeUInt32BE(content.length, 0);
  message.writeUInt32BE(stream, 4);
  message.writeUInt8(type, 8);
  message.writeUInt8(type === messageType.request ? remoteClosed : 0, 9);
  message.set(content, innerHeader);
  const pieces: Buffer[] = [];
  for (let at = 0; at < message.length; at += longestPiece) {
    const piece = message.subarray(at, at + longestPiece);
    const header = Buffer.alloc(outerHeader);
    header.writeUInt32BE(connection, 0);
    header.writeUInt32BE(piece.length, 4);
    pieces.push(header, piece);
  }
  return Buffer.concat(pieces);
}

/** Takes bytes as they come and gives the messages that are complete. Throws an Error for a length that nobody of good will sends. */
export class MessageReader {
  #outer = Buffer.alloc(0);
  readonly #inner = new Map<number, Buffer>();

  push(bytes: Uint8Array): readonly TtrpcMessage[] {
    this.#outer = Buffer.concat([this.#outer, bytes]);
    const messages: TtrpcMessage[] = [];
    while (this.#outer.length >= outerHeader) {
      const connection = this.#outer.readUInt32BE(0);
      const length = this.#outer.readUInt32BE(4);
      if (length > longestMessage + innerHeader) throw new Error(`a piece of ${length} bytes`);
      if (this.#outer.length < outerHeader + length) break;
      const piece = this.#outer.subarray(outerHeader, outerHeader + length);
      this.#outer = this.#outer.subarray(outerHeader + length);
      messages.push(...this.#pushInner(connection, piece));
    }
    return messages;
  }

  #pushInner(connection: number, piece: Buffer): readonly TtrpcMessage[] {
    let rest = Buffer.concat([this.#inner.get(connection) ?? Buffer.alloc(0), piece]);
    const messages: TtrpcMessage[] = [];
    while (rest.length >= innerHeader) {
      const length = rest.readUInt32BE(0);
      if (length > longestMessage) throw new Error(`a message of ${length} bytes`);
      if (rest.length < innerHeader + length) break;
      messages.push({ connection, stream: rest.readUInt32BE(4), type: rest.readUInt8(8), content: rest.subarray(innerHeader, innerHeader + length) });
      rest = rest.subarray(innerHeader + length);
    }
    this.#inner.set(connection, rest);
    return messages;
  }
}
