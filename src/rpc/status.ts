/** What a call can end with (the gRPC specification's status codes). */
export const Status = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type StatusCode = (typeof Status)[keyof typeof Status];

/** A call that did not end well: thrown by handlers to choose the status, and by clients that got one. */
export class RpcError extends Error {
  readonly code: StatusCode;

  constructor(code: StatusCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RpcError";
    this.code = code;
  }
}

const known: ReadonlySet<number> = new Set(Object.values(Status));

/** Reads a `grpc-status` header. Anything that is no code of ours is `unknown`, as the specification asks. */
export function parseStatus(text: string): StatusCode {
  const code = /^\d{1,2}$/.test(text) ? Number(text) : Status.unknown;
  return isStatus(code) ? code : Status.unknown;
}

function isStatus(code: number): code is StatusCode {
  return known.has(code);
}

/** The status that stands for an HTTP answer that is not gRPC (gRPC's http-grpc-status-mapping). */
export function statusOfHttp(httpStatus: number): StatusCode {
  switch (httpStatus) {
    case 400:
      return Status.internal;
    case 401:
      return Status.unauthenticated;
    case 403:
      return Status.permissionDenied;
    case 404:
      return Status.unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Status.unavailable;
    default:
      return Status.unknown;
  }
}

/** Writes `grpc-message`: UTF-8, everything but printable ASCII percent-coded. */
export function encodeStatusMessage(message: string): string {
  let text = "";
  for (const byte of new TextEncoder().encode(message)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** Reads `grpc-message`. Never throws: broken escapes stay as they are, broken UTF-8 becomes U+FFFD. */
export function decodeStatusMessage(text: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const escaped = text.charCodeAt(at) === 0x25 && /^[0-9a-fA-F]{2}$/.test(text.slice(at + 1, at + 3));
    if (escaped) {
      bytes.push(Number.parseInt(text.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(...new TextEncoder().encode(text.charAt(at)));
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
