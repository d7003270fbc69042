/** The end of an Envoy without a failed request. */
import { adminGet } from "../../dataplane/admin.ts";
import type { Clock } from "../../lib/clock.ts";

export interface DrainOptions {
  readonly adminSocket: string;
  /** Envoy's own: so long it goes on to take new connections, and tells those that it has to end. */
  readonly drainSeconds: number;
  /** Ends when no connection is left, even while new ones would still be taken. */
  readonly mayEndEarly: boolean;
  /** Whoever still has a connection then loses it. */
  readonly longestSeconds: number;
  /** Called once, a second before Envoy ends to listen; at once when there is none. */
  readonly onClosing?: () => Promise<void>;
  readonly clock: Clock;
}

/** Asks Envoy to end its connections; resolves when none is left, or the longest time is over. */
export async function drainEnvoy({ adminSocket, drainSeconds, mayEndEarly, longestSeconds, onClosing, clock }: DrainOptions): Promise<void> {
  const startedAt = clock.now();
  if ((await adminGet(adminSocket, "/drain_listeners?graceful", 1000, "POST")) === undefined) return onClosing?.();
  let isClosing = false;
  for (;;) {
    await clock.sleep(200);
    const passed = clock.now() - startedAt;
    if (!isClosing && passed >= (drainSeconds - 1) * 1000) {
      isClosing = true;
      await onClosing?.();
    }
    if (passed >= longestSeconds * 1000) return;
    if ((mayEndEarly || passed > drainSeconds * 1000) && (await activeConnections(adminSocket)) === 0) return;
  }
}

/** Connections that Envoy's listeners hold; 0 when it does not answer. */
async function activeConnections(adminSocket: string): Promise<number> {
  const text = (await adminGet(adminSocket, "/stats?filter=downstream_cx_active")) ?? "";
  const counts = [...text.matchAll(/^listener\.(?!admin\.).*downstream_cx_active: (\d+)$/gm)].map((match) => Number(match[1]));
  return counts.reduce((sum, one) => sum + one, 0);
}
