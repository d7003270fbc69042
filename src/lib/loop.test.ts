/** Steps after changes, at times that were asked for, and after a failure; time is virtual. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually } from "../../test/support/real.ts";
import { VirtualClock } from "../../test/support/virtual-clock.ts";
import { Cell } from "./cell.ts";
import { type Loop, runLoop } from "./loop.ts";

interface Rig {
  readonly clock: VirtualClock;
  readonly sources: readonly [Cell<number>, Cell<number>];
  readonly told: string[];
}

function started(t: TestContext, step: (rig: Rig) => ReturnType<Loop["step"]>): Rig {
  const rig: Rig = { clock: new VirtualClock(), sources: [new Cell(0), new Cell(0)], told: [] };
  const stop = new AbortController();
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: (message: string) => rig.told.push(message) };
  const loop = runLoop({ sources: rig.sources, clock: rig.clock, log, step: () => step(rig) }, stop.signal);
  t.after(async () => {
    stop.abort();
    await loop;
    assert.equal(rig.clock.sleeping, 0, "nothing sleeps on");
  });
  return rig;
}

const settled = (rig: Rig): Promise<void> => rig.clock.advance(0);

test("there is a step at once and after each change, and one for all that changes during a step", async (t) => {
  let steps = 0;
  let go = (): void => {};
  const rig = started(t, () => {
    steps += 1;
    return new Promise<void>((resolve) => (go = resolve));
  });
  await eventually(() => steps === 1, "the first");
  for (const source of rig.sources) source.set(1);
  rig.sources[0].set(2);
  await settled(rig);
  assert.equal(steps, 1, "one at a time");
  go();
  await eventually(() => steps === 2, "one more");
  go();
  await settled(rig);
  assert.equal(steps, 2);
  rig.sources[1].set(2);
  await eventually(() => steps === 3, "after the change");
  go();
});

test("a step comes again when it asked for it, unless another asked for another time meanwhile", async (t) => {
  let [steps, wait] = [0, 5_000];
  const rig = started(t, ({ clock }) => {
    steps += 1;
    return wait === 0 ? undefined : clock.now() + wait;
  });
  await settled(rig);
  const first = steps;
  await rig.clock.advance(4_999);
  assert.equal(steps, first);
  await rig.clock.advance(1);
  assert.equal(steps, first + 1);
  wait = 0;
  rig.sources[0].set(1);
  await settled(rig);
  await rig.clock.advance(60_000);
  assert.equal(steps, first + 2, "nobody asks any more");
});

test("a step that throws is told, and done again", async (t) => {
  let steps = 0;
  const rig = started(t, () => {
    steps += 1;
    if (steps === 1) throw new Error("a full disk");
  });
  await rig.clock.until(() => steps >= 2, "again", 1_000);
  assert.deepEqual(rig.told, ["a step failed"]);
});
