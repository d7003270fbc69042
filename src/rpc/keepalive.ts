import type { Http2Session } from "node:http2";
import type { Clock } from "../lib/clock.ts";

/**
 * Asks the other side for a sign of life (PING) every `intervalMs` and destroys the connection when none came since the last time.
 * Ends with the connection. 0 or less does nothing.
 */
export function keepAlive(session: Http2Session, clock: Clock, intervalMs: number): void {
  if (intervalMs <= 0) return;
  const closed = new AbortController();
  session.once("close", () => closed.abort());
  void beat(session, clock, intervalMs, closed.signal);
}

async function beat(session: Http2Session, clock: Clock, intervalMs: number, closed: AbortSignal): Promise<void> {
  let waiting = false;
  for (;;) {
    await clock.sleep(intervalMs, closed);
    if (closed.aborted || session.destroyed) return;
    if (waiting) return session.destroy(new Error("no answer to PING"));
    waiting = session.ping((error) => {
      waiting = error !== null;
    });
  }
}
