/** Does all of `work`, at most `width` pieces at once, each begun in its turn; after `signal` aborted none is begun. Resolves when those that were begun have ended, rejects when one does. */
export async function inTurns(work: readonly (() => Promise<void>)[], width: number, signal = new AbortController().signal): Promise<void> {
  const rest = [...work];
  const one = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined && !signal.aborted; next = rest.shift()) await next();
  };
  await Promise.all(Array.from({ length: Math.min(width, work.length) }, one));
}
