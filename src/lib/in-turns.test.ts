/** A few at once, in order, and none after the end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurns } from "./in-turns.ts";

function piecesOf(count: number, each: (index: number) => void = () => {}) {
  let [now, most] = [0, 0];
  const begun: number[] = [];
  const work = Array.from({ length: count }, (_, index) => async (): Promise<void> => {
    begun.push(index);
    now += 1;
    most = Math.max(most, now);
    await Promise.resolve();
    now -= 1;
    each(index);
  });
  return { work, begun, most: () => most };
}

test("each piece is done once, in its turn, and never more at once than allowed", async () => {
  const { work, begun, most } = piecesOf(7);
  await inTurns(work, 3, new AbortController().signal);
  assert.deepEqual([begun, most()], [[0, 1, 2, 3, 4, 5, 6], 3]);
  await inTurns([], 3, new AbortController().signal);
});

test("nothing is begun after the end", async () => {
  const stop = new AbortController();
  const { work, begun } = piecesOf(7, () => stop.abort());
  await inTurns(work, 2, stop.signal);
  assert.deepEqual(begun, [0, 1]);
});
