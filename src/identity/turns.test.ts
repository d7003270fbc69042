import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createTurns } from "./turns.ts";

test("at most so many at a time, in order, also when one fails", async () => {
  const turns = createTurns(2);
  const started: number[] = [];
  let running = 0;
  let most = 0;
  const all = Array.from({ length: 20 }, (_, at) =>
    turns(async () => {
      started.push(at);
      running += 1;
      most = Math.max(most, running);
      await nextTurn();
      running -= 1;
      if (at % 3 === 0) throw new Error("failed");
      return at;
    }),
  );
  const results = await Promise.allSettled(all);
  assert.equal(most, 2);
  assert.deepEqual(
    started,
    Array.from(started, (_, at) => at),
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    Array.from(results, (_, at) => (at % 3 === 0 ? "rejected" : "fulfilled")),
  );
});
