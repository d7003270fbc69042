/** Listens to the node agent for ever, and starts it when it is not there. */
import type { AgentStatus } from "../../agent/contract.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { messageOf } from "../../lib/message-of.ts";

/** The agent's socket, as this room needs it. */
export interface AgentConnection {
  /** `PUT /desired` */
  put(desired: unknown, signal: AbortSignal): Promise<void>;
  /** `GET /watch`; throws when nobody is there. */
  watch(signal: AbortSignal): AsyncGenerator<AgentStatus, void, void>;
  /** Makes sure that an agent runs; harmless when one does. */
  ensure(): Promise<void>;
}

export interface WatchOptions {
  readonly connection: AgentConnection;
  readonly clock: Clock;
  readonly log: Log;
}

export type AgentNews = { readonly kind: "status"; readonly status: AgentStatus } | { readonly kind: "lost"; readonly reason: string };

const shortestWaitMs = 50;
const longestWaitMs = 2000;

/** Yields every status of the agent, and when and why it was lost, until `signal` aborts. */
export async function* watchAgent({ connection, clock, log }: WatchOptions, signal: AbortSignal): AsyncGenerator<AgentNews, void, void> {
  let waitMs = shortestWaitMs;
  while (!signal.aborted) {
    let reason = "the node agent ended the conversation";
    try {
      await connection.ensure();
      for await (const status of connection.watch(signal)) {
        waitMs = shortestWaitMs;
        yield { kind: "status", status };
      }
    } catch (error) {
      reason = messageOf(error);
    }
    if (signal.aborted) return;
    log.warn("node agent lost", { reason, waitMs });
    yield { kind: "lost", reason };
    await clock.sleep(waitMs, signal);
    waitMs = Math.min(waitMs * 2, longestWaitMs);
  }
}
