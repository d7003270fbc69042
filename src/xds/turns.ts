/** Gives many streams their turns: a push to a thousand proxies must not keep everything else waiting. */
const perTurn = 50;

/** Returns a function that schedules work; each piece runs once, soon, at most 50 before others get the thread. The pieces must not throw. */
export function createTurns(): (work: () => void) => void {
  const queue = new Set<() => void>();
  let scheduled = false;

  function run(): void {
    let count = 0;
    for (const work of queue) {
      queue.delete(work);
      work();
      count += 1;
      if (count === perTurn) break;
    }
    scheduled = queue.size > 0;
    if (scheduled) setImmediate(run);
  }

  return (work) => {
    queue.add(work);
    if (scheduled) return;
    scheduled = true;
    setImmediate(run);
  };
}
