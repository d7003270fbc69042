/** The gRPC health protocol (grpc.health.v1), as much of it as one look needs: one string goes out, one number comes back. */
import { connectRpc } from "../rpc/client.ts";
import { realClock } from "./real-clock.ts";

const method = "/grpc.health.v1.Health/Check";

/** An answer has two bytes; anything far from that is no health service. */
const maxAnswerBytes = 4_096;

export interface HealthQuestion {
  readonly host: string;
  readonly port: number;
  /** Empty asks for the server as a whole. */
  readonly service: string;
  readonly timeoutMs: number;
}

/** Asks once whether a service says SERVING. Throws an RpcError: `deadlineExceeded` after the timeout, `unavailable` with its cause where nobody answers. */
export async function isServing({ host, port, service, timeoutMs }: HealthQuestion): Promise<boolean> {
  const client = connectRpc({ clock: realClock, target: { host, port }, maxMessageBytes: maxAnswerBytes });
  try {
    const answer = await client.unary(method, healthRequest(service), { timeoutMs });
    return answer[0] === 0x08 && answer[1] === 1;
  } finally {
    client.close();
  }
}

/** HealthCheckRequest: field 1 is the service's name; an empty one is left out, as protobuf asks. */
export function healthRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  return name.length === 0 ? name : Uint8Array.from([0x0a, ...varint(name.length), ...name]);
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
}
