/** The agent's side of the stream to the control plane: orders in, reports out, for ever. While nobody is there, everything stays as it is. */
import type { Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { RpcClient } from "../../rpc/client.ts";
import { type NodeOrder, type NodeReport, syncMethod } from "./contract.ts";
import { parseOrder } from "./parse-order.ts";

export interface ControlLinkOptions {
  /** Makes a new connection; its failure shows in the call. */
  readonly connect: () => RpcClient;
  readonly onOrder: (order: NodeOrder) => void;
  readonly report: Readable<NodeReport>;
  readonly clock: Clock;
  readonly log: Log;
}

const firstWaitMs = 100;
/** Another control plane may lead now, and each try may meet one that stands by and refuses. */
const longestWaitMs = 1_000;
/** A connection that lasted so long was a good one: the next is tried at once. */
const stableMs = 10_000;

/** Keeps the stream up until `signal` aborts; never throws. An order that cannot be read changes nothing. */
export async function runControlLink(options: ControlLinkOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  let failures = 0;
  while (!signal.aborted) {
    const startedAt = clock.now();
    const reason = await talk(options, signal).then(() => "it ended the stream", messageOf);
    if (signal.aborted) return;
    failures = clock.now() - startedAt >= stableMs ? 0 : failures + 1;
    // News once, not at every try.
    if (failures <= 1) log.warn("the control plane is away", { reason });
    await clock.sleep(Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 10)), signal);
  }
}

async function talk({ connect, onOrder, report, log }: ControlLinkOptions, signal: AbortSignal): Promise<void> {
  const client = connect();
  const ended = new AbortController();
  const onAbort = (): void => ended.abort();
  signal.addEventListener("abort", onAbort);
  try {
    const call = client.stream(syncMethod, { signal: ended.signal });
    const sending = sendReports(report, (bytes) => call.write([bytes]), ended.signal);
    for await (const bytes of call.messages) {
      const order = readOrder(bytes, log);
      if (order !== undefined) onOrder(order);
    }
    ended.abort();
    await sending;
  } finally {
    ended.abort();
    signal.removeEventListener("abort", onAbort);
    client.close();
  }
}

/** The newest report, and each change while the other side takes them. Never rejects: why the stream broke is what reading it says. */
async function sendReports(report: Readable<NodeReport>, write: (bytes: Uint8Array) => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    for await (const value of report.watch(signal)) await write(new TextEncoder().encode(JSON.stringify(value)));
  } catch {
    // See above.
  }
}

function readOrder(bytes: Uint8Array, log: Log): NodeOrder | undefined {
  try {
    return parseOrder(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    log.error("an order that cannot be read", { error: messageOf(error) });
    return undefined;
  }
}
