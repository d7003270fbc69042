/** A loop over whatever changes: the shape of everything that brings what is to what should be. */
import { Cell, type Readable } from "./cell.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

export interface Loop {
  /** A change of any of them leads to a step. */
  readonly sources: readonly Readable<unknown>[];
  /**
   * Goes once from what is to what should be, and says when to do so again although nothing changed (milliseconds since the epoch; nothing: only after a
   * change). One step at a time; however much changes meanwhile, one more follows.
   */
  readonly step: () => Wake | Promise<Wake>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A step that has nothing to say says nothing. */
type Wake = number | undefined | void;

/** After a step that failed. */
const retryMs = 1_000;
/** Node's timers hold 24 days at most; after a longer wait a step is done too early, which harms nobody. */
const longestMs = 1_000_000_000;

/** Works until `signal` aborts, with a first step at once. A step that throws, by a bug or a full disk, is told and done again: what runs goes on. */
export async function runLoop({ sources, step, clock, log }: Loop, signal: AbortSignal): Promise<void> {
  const wakes = new Cell(0);
  const wake = (): void => void wakes.update((count) => count + 1);
  const follow = async (source: Readable<unknown>): Promise<void> => {
    for await (const _ of source.watch(signal)) wake();
  };
  const attempt = async (): Promise<Wake> => {
    try {
      return await step();
    } catch (error) {
      log.error("a step failed", { error: error instanceof Error ? error.stack : String(error) });
      return clock.now() + retryMs;
    }
  };
  const run = async (): Promise<void> => {
    let alarm = new AbortController();
    for await (const _ of wakes.watch(signal)) {
      alarm.abort();
      const at = await attempt();
      if (at === undefined) continue;
      alarm = new AbortController();
      const { signal: mine } = alarm;
      const ms = Math.min(Math.max(0, at - clock.now()), longestMs);
      void clock.sleep(ms, AbortSignal.any([mine, signal])).then(() => mine.aborted || signal.aborted || wake());
    }
  };
  await Promise.all([...sources.map(follow), run()]);
}
