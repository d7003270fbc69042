/** The control plane's side of the agents' streams: one order per node out, one report per node in. */
import { type NodeOrder, type NodeReport, syncMethod } from "../agent/cluster/contract.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Log } from "../lib/log.ts";
import type { CallContext, RpcMethod, StreamCall } from "../rpc/method.ts";
import { RpcError, Status } from "../rpc/status.ts";

export interface NodeSyncOptions {
  readonly log: Log;
  /** The name of the node behind a call, from what it proved (its certificate); undefined refuses it. */
  readonly peerOf: (call: CallContext) => string | undefined;
}

export interface NodeSync {
  /** For the RPC server. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  /** The newest report of each node that ever called. It stays when the node is away: what it did goes on. */
  readonly reports: Readable<ReadonlyMap<string, NodeReport>>;
  /** Nodes with an open stream. */
  readonly connected: Readable<ReadonlySet<string>>;
  /** Replaces a node's order; sent at once, or when it comes back. */
  order(node: string, order: NodeOrder): void;
  /** Forgets a node that left the cluster. */
  forget(node: string): void;
}

/** Makes the service; does no I/O. */
export function createNodeSync({ log, peerOf }: NodeSyncOptions): NodeSync {
  const reports = new Cell<ReadonlyMap<string, NodeReport>>(new Map());
  const connected = new Cell<ReadonlySet<string>>(new Set());
  const orders = new Map<string, Cell<NodeOrder | undefined>>();
  /** Two agents of one node may talk at the same time while one replaces the other. */
  const streams = new Map<string, number>();
  const orderOf = (node: string): Cell<NodeOrder | undefined> => {
    let cell = orders.get(node);
    if (cell === undefined) orders.set(node, (cell = new Cell<NodeOrder | undefined>(undefined, same)));
    return cell;
  };
  const count = (node: string, change: number): void => {
    streams.set(node, (streams.get(node) ?? 0) + change);
    connected.set(new Set([...streams].filter(([, open]) => open > 0).map(([name]) => name)));
  };
  const handle = async (call: StreamCall): Promise<void> => {
    const node = peerOf(call);
    if (node === undefined) throw new RpcError(Status.unauthenticated, "who calls is not known");
    count(node, 1);
    const ended = new AbortController();
    const onAbort = (): void => ended.abort();
    call.signal.addEventListener("abort", onAbort);
    try {
      const sending = sendOrders(orderOf(node), call, ended.signal);
      for await (const bytes of call.requests) {
        const report = readReport(bytes, node);
        reports.update((all) => (same(all.get(node), report) ? all : new Map(all).set(node, report)));
      }
      ended.abort();
      await sending;
    } finally {
      ended.abort();
      call.signal.removeEventListener("abort", onAbort);
      count(node, -1);
      log.info("a node's agent left", { node });
    }
  };
  return {
    methods: new Map([[syncMethod, { kind: "stream", handle }]]),
    reports,
    connected,
    order: (node, order) => void orderOf(node).set(order),
    forget(node) {
      orders.delete(node);
      reports.update((all) => new Map([...all].filter(([name]) => name !== node)));
    },
  };
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

async function sendOrders(orders: Readable<NodeOrder | undefined>, call: StreamCall, signal: AbortSignal): Promise<void> {
  try {
    for await (const order of orders.watch(signal)) if (order !== undefined) await call.write([new TextEncoder().encode(JSON.stringify(order))]);
  } catch {
    // The node is gone; reading its reports says so.
  }
}

/** Throws an RpcError for what no agent of ours sends. */
function readReport(bytes: Uint8Array, node: string): NodeReport {
  let report: NodeReport;
  try {
    report = JSON.parse(new TextDecoder().decode(bytes)) as NodeReport;
  } catch {
    throw new RpcError(Status.invalidArgument, "a report that is no JSON");
  }
  if (report.node !== node) throw new RpcError(Status.permissionDenied, `${node} may not report for ${report.node}`);
  if (!Array.isArray(report.pods) || typeof report.generation !== "number") throw new RpcError(Status.invalidArgument, "a report without pods or generation");
  return report;
}
