import assert from "node:assert/strict";
import { test } from "node:test";
import { type JobRules, stepJob } from "./job-state.ts";
import { type Effect, type Machine, newMachine, phaseOf, type WorkloadEvent } from "./supervisor-state.ts";

const rules = { health: {}, ports: [], stopSignal: "SIGINT", drainMs: 0, graceMs: 2_000 };

/** A run whose time a test moves; wakes are left to it. */
class Rig {
  now = 1_000;
  machine: Machine = newMachine(1_000);
  readonly job: JobRules;

  constructor(job: JobRules) {
    this.job = job;
  }

  send(...events: readonly WorkloadEvent[]): readonly Effect[] {
    return events.flatMap((event) => {
      const { machine, effects } = stepJob(this.machine, event, rules, this.job, this.now);
      this.machine = machine;
      return effects;
    });
  }

  get shown(): readonly unknown[] {
    const { stage, outcome, reason, restarts } = this.machine;
    return [phaseOf(stage), outcome, reason, restarts];
  }
}
const exit = (code: number): WorkloadEvent => ({ kind: "exited", code, signal: null });
const woken: WorkloadEvent = { kind: "woken" };

test("exit code 0 is success, and nothing starts it again", () => {
  const rig = new Rig({ retries: 3 });
  assert.deepEqual(rig.send({ kind: "prepared" }), [{ kind: "start" }]);
  rig.send({ kind: "started" });
  assert.deepEqual(rig.send(exit(0)), []);
  assert.deepEqual(rig.shown, ["exited", "succeeded", undefined, 0]);
  assert.deepEqual(rig.send({ kind: "run" }, { kind: "prepared" }, woken), []);
  assert.deepEqual(rig.shown, ["exited", "succeeded", undefined, 0]);
});

test("it is tried again as often as it may be, later each time, and then it has failed", () => {
  const rig = new Rig({ retries: 2 });
  rig.send({ kind: "prepared" }, { kind: "started" });
  assert.deepEqual(rig.send(exit(3)), [{ kind: "wake", inMs: 100 }]);
  assert.deepEqual(rig.shown, ["backoff", undefined, "exited with code 3", 0]);
  rig.now += 99;
  assert.deepEqual(rig.send(woken), [{ kind: "wake", inMs: 1 }], "a timer that comes early is asked for again");
  rig.now += 1;
  assert.deepEqual(rig.send(woken), [{ kind: "start" }]);
  rig.send({ kind: "started" });
  assert.deepEqual(rig.send({ kind: "exited", code: null, signal: "SIGSEGV" }), [{ kind: "wake", inMs: 1_000 }]);
  rig.now += 1_000;
  rig.send(woken, { kind: "start-failed", reason: "cannot be started: no such folder" });
  assert.deepEqual(rig.shown, ["exited", "failed", "cannot be started: no such folder, 3 times", 2]);
});

test("a run that takes too long is asked to stop, then killed, and has failed, whatever it says at its end", () => {
  const rig = new Rig({ retries: 5, timeoutMs: 10_000 });
  rig.send({ kind: "prepared" });
  assert.deepEqual(rig.send({ kind: "started" }), [{ kind: "wake", inMs: 10_000 }]);
  rig.now += 10_000;
  assert.deepEqual(rig.send(woken), [
    { kind: "signal", signal: "SIGINT" },
    { kind: "wake", inMs: 2_000 },
  ]);
  rig.now += 2_000;
  assert.deepEqual(rig.send(woken), [{ kind: "signal", signal: "SIGKILL" }]);
  rig.send(exit(0));
  assert.deepEqual(rig.shown, ["exited", "failed", "took longer than 10s", 0]);
});

test("its time counts from the first try", () => {
  const rig = new Rig({ retries: 5, timeoutMs: 10_000 });
  rig.send({ kind: "prepared" }, { kind: "started" });
  rig.now += 9_950;
  rig.send(exit(1));
  rig.now += 100;
  rig.send(woken);
  assert.deepEqual(rig.shown, ["exited", "failed", "took longer than 10s; it exited with code 1", 0]);
});

test("who ends it has no outcome from it", () => {
  const rig = new Rig({ retries: 3 });
  rig.send({ kind: "prepared" }, { kind: "started" });
  assert.deepEqual(rig.send({ kind: "stop", drain: true })[0], { kind: "signal", signal: "SIGINT" });
  rig.send(exit(0));
  assert.deepEqual(rig.shown, ["exited", undefined, undefined, 0]);
  const waiting = new Rig({ retries: 3 });
  waiting.send({ kind: "prepared" }, { kind: "started" }, exit(1), { kind: "stop", drain: true });
  assert.deepEqual(waiting.shown, ["exited", undefined, "exited with code 1", 0]);
});
