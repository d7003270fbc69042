/** Incremental aggregated discovery: the streams, the newest snapshot of each node, and who waits for what. */
import { Cell, type Readable } from "../lib/cell.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { RpcMethod, StreamCall } from "../rpc/method.ts";
import { RpcError, Status } from "../rpc/status.ts";
import { Conversation, type TypeStatus } from "./conversation.ts";
import { type Snapshot, sameSnapshot } from "./snapshot.ts";
import type { Published } from "./subscription.ts";
import { createTurns } from "./turns.ts";
import { decodeDeltaRequest, encodeDeltaResponse } from "./wire.ts";

export interface AdsServerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the client behind a call (the SPIFFE ID that it proved) may be this node. Absent: whoever can connect may be any. */
  readonly mayBe?: (peer: string | undefined, nodeId: string) => boolean;
  /** How long routes wait for a proxy to ask for the endpoints of its clusters. Default 2 s; only a broken snapshot ever needs it. */
  readonly subscriptionGraceMs?: number;
}

/** Where the proxies of a node are. There are two while one Envoy replaces another. */
export interface NodeStatus {
  readonly nodeId: string;
  readonly connected: boolean;
  readonly streams: number;
  /** Since when it is (or is not) connected, in milliseconds since the epoch; absent when it never was. */
  readonly since?: number;
  /** Of the newest snapshot published; 0 for none. */
  readonly revision: number;
  /** By type URL, of the newest stream (the last one while disconnected). */
  readonly types: ReadonlyMap<string, TypeStatus>;
}

/** How waiting for a node ended. */
export type AckOutcome =
  /** Every proxy of the node has all of it. */
  | { readonly kind: "acked" }
  /** Every proxy has it, apart from what one refused: `types` says what and why. */
  | { readonly kind: "rejected"; readonly types: ReadonlyMap<string, TypeStatus> }
  /** The signal came first. */
  | { readonly kind: "pending"; readonly connected: boolean };

export interface AdsServer {
  /** For `createRpcServer`. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  /** Sets what a node should have; equal content is silent. Returns the revision to wait for. */
  publish(nodeId: string, snapshot: Snapshot): number;
  /** Forgets a node that is no more. Its open streams keep what they have. */
  forget(nodeId: string): void;
  /** Every node that was published or ever connected. */
  status(): readonly NodeStatus[];
  /** Counts up whenever a status changed. */
  readonly changes: Readable<number>;
  /** Resolves when all connected proxies of the node have that revision or a newer one, or when `signal` aborts. With none connected it waits for one. */
  waitAcked(nodeId: string, revision: number, signal: AbortSignal): Promise<AckOutcome>;
}

interface Stream {
  readonly conversation: Conversation;
  readonly since: number;
  /** Sends what there is to send, at this stream's next turn. */
  readonly wake: () => void;
}

interface Node {
  readonly id: string;
  readonly streams: Set<Stream>;
  readonly changes: Cell<number>;
  published: Published | undefined;
  since: number | undefined;
  /** The types of the last stream, for when there is none. */
  last: ReadonlyMap<string, TypeStatus>;
}

interface Context extends AdsServerOptions {
  readonly nodes: Map<string, Node>;
  readonly changes: Cell<number>;
  readonly turns: (work: () => void) => void;
}

/** Everything on one stream, and secrets on streams of their own: the same protocol. */
const deltaMethods = [
  "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
  "/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets",
];
const defaultGraceMs = 2000;

/** Makes a server of discovery; it opens nothing by itself: hand `methods` to an RPC server. */
export function createAdsServer(options: AdsServerOptions): AdsServer {
  const context: Context = { ...options, nodes: new Map(), changes: new Cell(0), turns: createTurns() };
  return {
    methods: new Map(deltaMethods.map((name): [string, RpcMethod] => [name, { kind: "stream", handle: (call) => converse(context, call) }])),
    changes: context.changes,
    publish: (nodeId, snapshot) => publish(context, nodeOf(context, nodeId), snapshot),
    forget: (nodeId) => {
      if (context.nodes.delete(nodeId)) context.changes.update((count) => count + 1);
    },
    status: () => [...context.nodes.values()].map(statusOf),
    async waitAcked(nodeId, revision, signal) {
      const node = nodeOf(context, nodeId);
      for await (const _ of node.changes.watch(signal)) {
        const outcome = ackOutcome(node, revision);
        if (outcome !== undefined) return outcome;
      }
      return { kind: "pending", connected: node.streams.size > 0 };
    },
  };
}

function nodeOf(context: Context, id: string): Node {
  let node = context.nodes.get(id);
  if (node === undefined) {
    node = { id, streams: new Set(), changes: new Cell(0), published: undefined, since: undefined, last: new Map() };
    context.nodes.set(id, node);
  }
  return node;
}

function publish(context: Context, node: Node, snapshot: Snapshot): number {
  const before = node.published;
  if (before !== undefined && sameSnapshot(before.snapshot, snapshot)) return before.revision;
  const published = { revision: (before?.revision ?? 0) + 1, snapshot };
  node.published = published;
  for (const { conversation, wake } of node.streams) {
    conversation.publish(published);
    wake();
  }
  notify(context, node);
  return published.revision;
}

function notify(context: Context, node: Node): void {
  node.changes.update((count) => count + 1);
  context.changes.update((count) => count + 1);
}

/** Answers one stream from its first request to its end. */
async function converse(context: Context, call: StreamCall): Promise<void> {
  const first = await call.requests.next();
  if (first.done === true) return;
  const request = decodeDeltaRequest(first.value);
  if (request.nodeId === "") throw new RpcError(Status.invalidArgument, "the first request names no node");
  if (context.mayBe?.(call.peer, request.nodeId) === false)
    throw new RpcError(Status.permissionDenied, `${call.peer ?? "nobody known"} may not be ${request.nodeId}`);
  const node = nodeOf(context, request.nodeId);
  const stream = openStream(context, node, call);
  context.log.info("proxy connected", { node: node.id, streams: node.streams.size });
  try {
    takeRequest(context, node, stream, request);
    for await (const message of call.requests) takeRequest(context, node, stream, decodeDeltaRequest(message));
  } catch (error) {
    if (!(error instanceof RpcError && error.code === Status.cancelled)) throw error;
  } finally {
    closeStream(context, node, stream);
    context.log.info("proxy disconnected", { node: node.id, streams: node.streams.size });
  }
}

function openStream(context: Context, node: Node, call: StreamCall): Stream {
  const conversation = new Conversation();
  if (node.published !== undefined) conversation.publish(node.published);
  const push = (): void => pushAll(context, node, conversation, call);
  const stream = { conversation, since: context.clock.now(), wake: () => context.turns(push) };
  if (node.streams.size === 0) node.since = stream.since;
  node.streams.add(stream);
  keepOrder(context, node, stream, call.signal);
  return stream;
}

function closeStream(context: Context, node: Node, stream: Stream): void {
  node.streams.delete(stream);
  if (node.streams.size === 0) {
    node.since = context.clock.now();
    node.last = stream.conversation.status();
  }
  notify(context, node);
}

function takeRequest(context: Context, node: Node, stream: Stream, request: ReturnType<typeof decodeDeltaRequest>): void {
  stream.conversation.take(request, context.clock.now());
  if (request.error !== undefined) context.log.warn("proxy refused configuration", { node: node.id, type: request.typeUrl, message: request.error });
  stream.wake();
}

function pushAll(context: Context, node: Node, conversation: Conversation, call: StreamCall): void {
  if (call.signal.aborted) return;
  for (const push of conversation.pushes()) {
    context.log.debug("push", { node: node.id, type: push.typeUrl, updates: push.updates.length, removed: push.removed.length, nonce: push.nonce });
    // A stream that breaks ends its requests too: that is where it is noticed.
    call.write(encodeDeltaResponse(push)).catch(() => undefined);
  }
  notify(context, node);
}

/** Watches for what the order would wait for in vain: names nobody asks for, types nobody subscribes to. */
function keepOrder(context: Context, node: Node, stream: Stream, signal: AbortSignal): void {
  const graceMs = context.subscriptionGraceMs ?? defaultGraceMs;
  void losePatience(context, stream, graceMs, signal);
  void waiveUnasked(context, node, stream, graceMs, signal);
}

async function losePatience(context: Context, stream: Stream, graceMs: number, signal: AbortSignal): Promise<void> {
  for (let times = 0; times < 2; times += 1) {
    await context.clock.sleep(graceMs, signal);
    stream.conversation.losePatience();
    stream.wake();
  }
}

async function waiveUnasked(context: Context, node: Node, stream: Stream, graceMs: number, signal: AbortSignal): Promise<void> {
  for await (const _ of node.changes.watch(signal)) {
    const before = stream.conversation.unasked();
    if (before.length === 0) continue;
    await context.clock.sleep(graceMs, signal);
    const now = new Set(stream.conversation.unasked().map(({ typeUrl, name }) => `${typeUrl} ${name}`));
    const late = before.filter(({ typeUrl, name }) => now.has(`${typeUrl} ${name}`));
    if (late.length === 0 || signal.aborted) continue;
    context.log.warn("the proxy does not ask for resources of its snapshot", {
      node: node.id,
      names: late.slice(0, 5).map(({ name }) => name),
      count: late.length,
    });
    stream.conversation.waive(late);
    stream.wake();
  }
}

function statusOf(node: Node): NodeStatus {
  const newest = [...node.streams].at(-1);
  return {
    nodeId: node.id,
    connected: newest !== undefined,
    streams: node.streams.size,
    ...(node.since === undefined ? {} : { since: node.since }),
    revision: node.published?.revision ?? 0,
    types: newest?.conversation.status() ?? node.last,
  };
}

function ackOutcome(node: Node, revision: number): AckOutcome | undefined {
  if (node.streams.size === 0 || ![...node.streams].every(({ conversation }) => conversation.hasSettled(revision))) return undefined;
  const refusing = [...node.streams]
    .map(({ conversation }) => conversation.status())
    .find((types) => [...types.values()].some(({ rejected, heldBack }) => rejected.length + heldBack.length > 0));
  return refusing === undefined ? { kind: "acked" } : { kind: "rejected", types: refusing };
}
