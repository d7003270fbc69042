/** What tests that do real I/O hand to the code under test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { realClock } from "../../src/agent/real-clock.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Log } from "../../src/lib/log.ts";

export { realClock };

/** The clock on the wall for code that looks again each second: it sleeps a fiftieth of what it is asked for. */
export const hurriedClock: Clock = { now: () => realClock.now(), sleep: (ms, signal) => realClock.sleep(ms / 50, signal) };

function nothing(): void {}

/** Keeps no record. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** A folder with a short path that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits until `check` holds; throws after `ms`. */
export async function eventually(check: () => boolean, what: string, ms = 5000): Promise<void> {
  const end = Date.now() + ms;
  while (!check()) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(5);
  }
}
