/**
 * The DNS server that workloads see: the names of the mesh by the caller's namespace, and outside names for those that may leave.
 * Deciding is pure (`decide`); the sockets are below.
 */
import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, type Question, RECURSION_AVAILABLE, RECURSION_DESIRED } from "dns-packet";
import type { Log } from "../lib/log.ts";
import { messageOf } from "../lib/message-of.ts";

/** What is known about who asks. */
export interface Caller {
  readonly namespace: string;
  readonly egress: boolean;
}

/** namespace → name → IPv4 address. */
export type NameTable = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface DnsView {
  readonly names: NameTable;
  /** By source address. */
  readonly callers: ReadonlyMap<string, Caller>;
}

export type Decision =
  | { readonly kind: "address"; readonly address: string }
  /** The name exists, but has no record of this type. */
  | { readonly kind: "empty" }
  | { readonly kind: "unknown" }
  | { readonly kind: "outside"; readonly name: string }
  | { readonly kind: "refused" };

/** Short, so that a name that moves is followed; addresses of apps are stable. */
const ttlSeconds = 5;
const cluster = ["svc", "cluster", "local"] as const;

/** Decides what a question gets: `web`, `web.NAMESPACE`, `web.NAMESPACE.svc`, `web.NAMESPACE.svc.cluster.local`, or a full name that the table holds. */
export function decide(view: DnsView, source: string, question: { readonly name: string; readonly type: string }): Decision {
  const caller = view.callers.get(source);
  if (caller === undefined) return { kind: "refused" };
  const name = question.name.toLowerCase().replace(/\.$/, "");
  const address = name === "localhost" ? "127.0.0.1" : lookUp(view.names, caller.namespace, name);
  if (address !== undefined) return question.type === "A" || question.type === "ANY" ? { kind: "address", address } : { kind: "empty" };
  if (!caller.egress || isOurs(name)) return { kind: "unknown" };
  return question.type === "A" ? { kind: "outside", name } : question.type === "AAAA" ? { kind: "empty" } : { kind: "unknown" };
}

function lookUp(names: NameTable, namespace: string, name: string): string | undefined {
  const exact = own(own(names, namespace), name);
  if (exact !== undefined) return exact;
  const [app = "", other, ...rest] = name.split(".");
  if (other === undefined || !rest.every((label, at) => label === cluster[at])) return undefined;
  return own(own(names, other), app);
}

/** An own property: names come from callers, and `constructor` is a fine name for an app. */
function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Single words and cluster names are never asked for outside. */
function isOurs(name: string): boolean {
  return !name.includes(".") || name.endsWith(".cluster.local") || name.endsWith(".localhost");
}

export interface DnsOptions {
  readonly address: string;
  readonly port: number;
  readonly view: () => DnsView;
  /** IPv4 addresses of an outside name; empty when it has none. */
  readonly resolveOutside: (name: string) => Promise<readonly string[]>;
  readonly log: Log;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts to answer over UDP and TCP. Throws when the address is taken. */
export async function startDns(options: DnsOptions): Promise<DnsServer> {
  const udp = createSocket("udp4");
  const tcp = createServer((socket) => serveTcp(options, socket));
  udp.on("message", (message, peer) => {
    void answer(options, peer.address, message).then((reply) => {
      if (reply !== undefined) udp.send(fits(reply), peer.port, peer.address, () => undefined);
    });
  });
  await new Promise<void>((resolve, reject) => udp.once("error", reject).bind(options.port, options.address, resolve));
  const { port } = udp.address();
  await new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(port, options.address, resolve));
  for (const server of [udp, tcp]) server.on("error", (error: Error) => options.log.warn("DNS", { error: error.message }));
  return { port, close: () => closeBoth(udp, tcp) };
}

async function closeBoth(udp: Socket, tcp: Server): Promise<void> {
  await new Promise<void>((resolve) => udp.close(resolve));
  await new Promise((resolve) => tcp.close(resolve));
}

/** A datagram that is too long is answered with the truncation bit alone: the caller asks again over TCP. */
function fits(reply: Buffer): Buffer {
  if (reply.length <= 512) return reply;
  const short = decode(reply);
  return encode({ ...short, answers: [], flags: (short.flags ?? 0) | 0x0200 });
}

function serveTcp(options: DnsOptions, socket: TcpSocket): void {
  const source = socket.remoteAddress ?? "";
  let buffer = Buffer.alloc(0);
  socket.setTimeout(10_000, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (piece: Buffer) => {
    buffer = Buffer.concat([buffer, piece]);
    while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
      const end = 2 + buffer.readUInt16BE(0);
      const message = buffer.subarray(2, end);
      buffer = buffer.subarray(end);
      void answer(options, source, message).then((reply) => {
        if (reply === undefined || socket.destroyed) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      });
    }
  });
}

/** Answers one message; undefined for what is no question. */
export async function answer(options: Pick<DnsOptions, "view" | "resolveOutside" | "log">, source: string, message: Uint8Array): Promise<Buffer | undefined> {
  let query: Packet;
  try {
    query = decode(Buffer.from(message));
  } catch {
    return undefined;
  }
  const question = query.questions?.[0];
  if (query.type !== "query" || question === undefined) return undefined;
  const decision = decide(options.view(), source, question);
  const { code, answers } = await records(decision, question, options);
  const flags = AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | ((query.flags ?? 0) & RECURSION_DESIRED) | code;
  return encode({ type: "response", id: query.id ?? 0, flags, questions: [question], answers: [...answers] });
}

const responseCodes = { noError: 0, serverFailure: 2, noSuchName: 3, refused: 5 } as const;

async function records(
  decision: Decision,
  question: Question,
  options: Pick<DnsOptions, "resolveOutside" | "log">,
): Promise<{ readonly code: number; readonly answers: readonly Answer[] }> {
  const toAnswer = (data: string): Answer => ({ type: "A", name: question.name, ttl: ttlSeconds, data });
  switch (decision.kind) {
    case "address":
      return { code: responseCodes.noError, answers: [toAnswer(decision.address)] };
    case "empty":
      return { code: responseCodes.noError, answers: [] };
    case "unknown":
      return { code: responseCodes.noSuchName, answers: [] };
    case "refused":
      return { code: responseCodes.refused, answers: [] };
    case "outside":
      try {
        const addresses = await options.resolveOutside(decision.name);
        return { code: addresses.length === 0 ? responseCodes.noSuchName : responseCodes.noError, answers: addresses.map(toAnswer) };
      } catch (error) {
        options.log.warn("outside name", { name: decision.name, error: messageOf(error) });
        return { code: responseCodes.serverFailure, answers: [] };
      }
    default:
      return decision satisfies never;
  }
}
