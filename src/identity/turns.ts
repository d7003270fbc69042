import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Lets at most `limit` pieces of work run at a time, first come, first served, each followed by a turn of the event loop: so whoever has much to
 * compute does not keep everybody else waiting.
 */
export function createTurns(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  const release = async (): Promise<void> => {
    await nextTurn();
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };
  return async (work) => {
    if (running < limit) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      void release();
    }
  };
}
