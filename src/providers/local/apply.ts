/** Brings the newest order to the node agent, however often it has to be said. */
import type { Desired } from "../../agent/contract.ts";
import { messageOf } from "../../lib/message-of.ts";
import type { PlatformOrder } from "../provider.ts";
import { runSpec, workloadSpec } from "./translate.ts";
import type { WatchOptions } from "./watch.ts";

const retryMs = 200;

/** Sends `order` until the agent has it on disk, `signal` aborts, or `isOld` says that a newer one is there. */
export async function applyOrder(
  { connection, clock, log }: WatchOptions,
  order: PlatformOrder & { readonly generation: number },
  { signal, isOld }: { readonly signal: AbortSignal; readonly isOld: () => boolean },
): Promise<void> {
  const workloads = [...order.replicas.map(workloadSpec), ...(order.runs ?? []).map(runSpec)];
  const desired: Desired = { generation: order.generation, workloads, names: order.names };
  while (!signal.aborted && !isOld()) {
    try {
      await connection.put(desired, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      log.warn("the node agent did not take the order", { generation: order.generation, reason: messageOf(error) });
      await clock.sleep(retryMs, signal);
    }
  }
}
