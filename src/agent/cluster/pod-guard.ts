/** stub */
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { PodKeeper } from "./pod-keeper.ts";

/** stub */
export async function runGuard(_options: { socket: string; keeper: PodKeeper; clock: Clock; log: Log }, _signal: AbortSignal): Promise<void> {}
