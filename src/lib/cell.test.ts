import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Cell } from "./cell.ts";

test("a reader gets the value of now, then newer ones", async () => {
  const cell = new Cell(1);
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const value of cell.watch(stop.signal)) {
    seen.push(value);
    if (value === 3) stop.abort();
    else cell.set(value + 1);
  }
  assert.deepEqual(seen, [1, 2, 3]);
});

test("a slow reader skips to the newest; unchanged is silent", async () => {
  const cell = new Cell({ n: 0 }, (a, b) => a.n === b.n);
  const stop = new AbortController();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const value of cell.watch(stop.signal)) {
      seen.push(value.n);
      await turn();
    }
  })();
  await turn();
  for (let n = 1; n <= 100; n += 1) cell.set({ n });
  await turn();
  assert.equal(cell.set({ n: 100 }), false);
  assert.equal(
    cell.update((value) => ({ n: value.n + 1 })),
    true,
  );
  await turn();
  await turn();
  stop.abort();
  await reading;
  assert.deepEqual(seen, [0, 100, 101]);
});

test("abort ends a waiting reader, also before it starts", async () => {
  const cell = new Cell("a");
  const stop = new AbortController();
  const iterator = cell.watch(stop.signal);
  assert.deepEqual(await iterator.next(), { done: false, value: "a" });
  const waiting = iterator.next();
  stop.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.deepEqual(await cell.watch(stop.signal).next(), { done: true, value: undefined });
});

test("many changes leave no listener behind", async () => {
  const cell = new Cell(0);
  const stop = new AbortController();
  let last = 0;
  const reading = (async () => {
    for await (const value of cell.watch(stop.signal)) last = value;
  })();
  for (let n = 1; n <= 1000; n += 1) {
    cell.set(n);
    await turn();
  }
  assert.equal(last, 1000);
  assert.equal(getEventListeners(stop.signal, "abort").length, 1);
  stop.abort();
  await reading;
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
});
