import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { WorkloadProbe } from "./contract.ts";
import { aliveMs, type Effect, type Machine, newMachine, phaseOf, type Rules, restartDelayMs, stableMs, step, type WorkloadEvent } from "./supervisor-state.ts";

const probe: WorkloadProbe = {
  check: { kind: "tcp", port: 8080 },
  initialDelayMs: 0,
  intervalMs: 1_000,
  timeoutMs: 500,
  failureThreshold: 3,
  successThreshold: 1,
};
const rules: Rules = { health: {}, ports: [{ containerPort: 8080, protocol: "http" }], stopSignal: "SIGINT", drainMs: 5_000, graceMs: 2_000 };

/** Drives the machine on a clock of its own; keeps what it asked for last. */
class Driver {
  now = 1_000_000;
  machine: Machine = newMachine(this.now);
  effects: readonly Effect[] = [];
  readonly rules: Rules;

  constructor(changes: Partial<Rules> = {}) {
    this.rules = { ...rules, ...changes };
  }

  send(event: WorkloadEvent, afterMs = 0): this {
    this.now += afterMs;
    const next = step(this.machine, event, this.rules, this.now);
    this.machine = next.machine;
    this.effects = next.effects;
    return this;
  }

  started(): this {
    return this.send({ kind: "prepared" }).send({ kind: "started" });
  }

  probed(name: "start" | "ready" | "live", good: boolean, afterMs = 50): this {
    return this.send({ kind: "probed", probe: name, ok: good, detail: good ? "" : `${name} says no` }, afterMs);
  }

  ready(): this {
    return this.started().probed("ready", true);
  }

  get phase(): string {
    return phaseOf(this.machine.stage);
  }

  has(kind: Effect["kind"]): Effect | undefined {
    return this.effects.find((effect) => effect.kind === kind);
  }
}

test("start: prepared, started, probed quickly, ready", () => {
  const one = new Driver();
  assert.equal(one.phase, "pending");
  one.send({ kind: "prepared" });
  assert.deepEqual(one.effects, [{ kind: "start" }]);
  one.send({ kind: "started" });
  assert.equal(one.phase, "starting");
  const first = one.has("probe");
  assert.ok(first?.kind === "probe" && first.inMs <= 50);
  one.probed("ready", false);
  const second = one.has("probe");
  assert.ok(second?.kind === "probe" && second.inMs < 100, "soon again");
  assert.equal(one.machine.reason, "ready says no");
  one.probed("ready", true);
  assert.equal(one.phase, "ready");
  assert.equal(one.machine.reason, undefined, "an old reason goes");
});

test("quick looks slow down, never beyond the interval", () => {
  const one = new Driver().started();
  let last = 0;
  for (let look = 0; look < 60; look += 1) {
    one.probed("ready", false);
    const effect = one.has("probe");
    assert.ok(effect?.kind === "probe" && effect.inMs >= last && effect.inMs <= 5_000);
    last = effect.inMs;
  }
  assert.equal(last, 5_000);
});

test("without ports: alive for a second is ready", () => {
  const one = new Driver({ ports: [] }).started();
  assert.deepEqual(one.effects, [{ kind: "wake", inMs: aliveMs }]);
  one.send({ kind: "woken" }, aliveMs - 1);
  assert.equal(one.phase, "starting");
  assert.deepEqual(one.effects, [{ kind: "wake", inMs: 1 }], "a timer that came too early is asked for again");
  one.send({ kind: "woken" }, 1);
  assert.equal(one.phase, "ready");
});

test("start check: others wait for it; its budget is time, then the program is ended and started again", () => {
  const health = { start: { ...probe, intervalMs: 200 }, ready: probe, live: probe };
  const one = new Driver({ health }).started();
  assert.deepEqual(one.effects, [{ kind: "probe", probe: "start", inMs: 0 }]);
  one.probed("start", true);
  const effect = one.has("probe");
  assert.ok(effect?.kind === "probe" && effect.probe === "ready");
  const other = new Driver({ health }).started();
  for (let look = 0; look < 11; look += 1) other.probed("start", false);
  assert.equal(other.phase, "starting", "550 ms of 600");
  other.probed("start", false);
  assert.equal(other.machine.stage.kind, "ending");
  assert.deepEqual(other.effects, [
    { kind: "signal", signal: "SIGINT" },
    { kind: "wake", inMs: 2_000 },
  ]);
  other.send({ kind: "woken" }, 2_000);
  assert.deepEqual(other.effects, [{ kind: "signal", signal: "SIGKILL" }]);
  other.send({ kind: "exited", code: null, signal: "SIGKILL" });
  assert.equal(other.phase, "backoff");
  assert.equal(other.machine.reason, "start says no", "the check is the reason, not the kill");
});

test("ready turns with its thresholds", () => {
  const one = new Driver({ health: { ready: { ...probe, successThreshold: 2 } } }).started().probed("ready", true);
  assert.equal(one.phase, "starting", "one of two");
  one.probed("ready", true);
  assert.equal(one.phase, "ready");
  one.probed("ready", false).probed("ready", false);
  assert.equal(one.phase, "ready", "two of three");
  one.probed("ready", true).probed("ready", false).probed("ready", false).probed("ready", false);
  assert.equal(one.phase, "unready");
  assert.equal(one.machine.reason, "ready says no");
  one.probed("ready", true).probed("ready", true);
  assert.equal(one.phase, "ready");
});

test("live: begins with the first ready, ends and restarts after its threshold, also while unready", () => {
  const one = new Driver({ health: { live: { ...probe, initialDelayMs: 3_000 } } }).ready();
  const live = one.effects.find((effect) => effect.kind === "probe" && effect.probe === "live");
  assert.ok(live?.kind === "probe" && live.inMs === 2_950);
  one.probed("live", false).probed("live", false);
  assert.equal(one.phase, "ready");
  one.probed("live", false);
  assert.equal(one.machine.stage.kind, "ending");
  assert.equal(one.phase, "unready");
  one.send({ kind: "exited", code: 0, signal: null });
  assert.equal(one.phase, "backoff");
  assert.match(one.machine.reason ?? "", /live says no/);
});

test("back-off: quick, then 1 s, 2 s, ... 60 s; a stable life starts over", () => {
  assert.deepEqual([0, 1, 2, 3, 6, 7, 50].map(restartDelayMs), [100, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
  const one = new Driver().started();
  for (const expected of [100, 1_000, 2_000, 4_000]) {
    one.send({ kind: "exited", code: 1, signal: null }, 50);
    assert.equal(one.phase, "backoff");
    assert.equal(one.machine.reason, "exited with code 1");
    assert.deepEqual(one.effects, [{ kind: "wake", inMs: expected }]);
    one.send({ kind: "woken" }, expected - 1);
    assert.deepEqual(one.effects, [{ kind: "wake", inMs: 1 }], "too early: again later");
    one.send({ kind: "woken" }, 1).send({ kind: "started" });
  }
  assert.equal(one.machine.restarts, 4);
  assert.equal(one.machine.reason, "exited with code 1", "why it was restarted stays until it is ready");
  one.send({ kind: "exited", code: null, signal: "SIGSEGV" }, stableMs);
  assert.deepEqual(one.effects, [{ kind: "wake", inMs: 100 }]);
  assert.equal(one.machine.reason, "killed by SIGSEGV");
});

test("what cannot start is tried again with back-off", () => {
  const one = new Driver().send({ kind: "prepared" }).send({ kind: "start-failed", reason: "no network" });
  assert.equal(one.phase, "backoff");
  assert.equal(one.machine.reason, "no network");
  one.send({ kind: "woken" }, 100);
  assert.deepEqual(one.effects, [{ kind: "start" }]);
  assert.equal(new Driver().started().send({ kind: "exited", code: 127, signal: null }).machine.reason, "exited with code 127 (command not found)");
});

test("stop: drain, signal, grace, kill", () => {
  const one = new Driver().ready().send({ kind: "stop", drain: true });
  assert.equal(one.phase, "draining");
  assert.deepEqual(one.effects, [{ kind: "watch-drain" }, { kind: "wake", inMs: 5_000 }]);
  assert.deepEqual(one.send({ kind: "stop", drain: true }).effects, [], "asked twice is asked once");
  one.probed("ready", false);
  assert.equal(one.phase, "draining", "health is no longer of interest");
  one.send({ kind: "drained" });
  assert.deepEqual(one.effects, [
    { kind: "signal", signal: "SIGINT" },
    { kind: "wake", inMs: 2_000 },
  ]);
  one.send({ kind: "woken" }, 1_999);
  assert.deepEqual(one.effects, [{ kind: "wake", inMs: 1 }]);
  one.send({ kind: "woken" }, 1);
  assert.deepEqual(one.effects, [{ kind: "signal", signal: "SIGKILL" }]);
  one.send({ kind: "exited", code: null, signal: "SIGKILL" });
  assert.equal(one.phase, "exited");
  assert.equal(one.machine.lastExit?.signal, "SIGKILL");
});

test("stop: the drain time ends waiting; nothing to drain is not waited for", () => {
  const one = new Driver().ready().send({ kind: "stop", drain: true }).send({ kind: "woken" }, 5_000);
  assert.equal(one.machine.stage.kind, "stopping");
  const hurried = new Driver().ready().send({ kind: "stop", drain: true }).send({ kind: "stop", drain: false });
  assert.equal(hurried.machine.stage.kind, "stopping");
  assert.equal(new Driver({ drainMs: 0 }).ready().send({ kind: "stop", drain: true }).machine.stage.kind, "stopping");
  assert.equal(new Driver().started().send({ kind: "stop", drain: true }).machine.stage.kind, "stopping", "never ready: never had a request");
  assert.equal(new Driver().send({ kind: "stop", drain: true }).phase, "exited");
  assert.equal(new Driver().started().send({ kind: "exited", code: 1, signal: null }).send({ kind: "stop", drain: true }).phase, "exited");
});

test("what ended as asked can be run again", () => {
  const one = new Driver().ready().send({ kind: "stop", drain: false }).send({ kind: "exited", code: 0, signal: null });
  assert.equal(one.phase, "exited");
  assert.deepEqual(one.send({ kind: "run" }).effects, [{ kind: "start" }]);
  one.send({ kind: "started" }).probed("ready", true);
  assert.equal(one.phase, "ready");
  assert.deepEqual(one.send({ kind: "run" }).effects, []);
});

const anyEvent: fc.Arbitrary<WorkloadEvent> = fc.oneof(
  fc.constantFrom<WorkloadEvent>({ kind: "prepared" }, { kind: "started" }, { kind: "woken" }, { kind: "drained" }, { kind: "run" }),
  fc.record({ kind: fc.constant("exited" as const), code: fc.constantFrom(0, 1), signal: fc.constant(null) }),
  fc.record({ kind: fc.constant("start-failed" as const), reason: fc.constant("x") }),
  fc.record({ kind: fc.constant("stop" as const), drain: fc.boolean() }),
  fc.record({
    kind: fc.constant("probed" as const),
    probe: fc.constantFrom("start" as const, "ready" as const, "live" as const),
    ok: fc.boolean(),
    detail: fc.constant("d"),
  }),
);

test("any order of events: since moves with the phase alone, restarts never fall, an exited one asks for nothing but by run", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyEvent, fc.integer({ min: 0, max: 3_000 })), { maxLength: 60 }), (events) => {
      const one = new Driver({ health: { start: probe, live: probe } });
      for (const [event, afterMs] of events) {
        const before = one.machine;
        one.send(event, afterMs);
        if (phaseOf(before.stage) === one.phase && before.stage.kind !== "exited") assert.equal(one.machine.since, before.since);
        if (phaseOf(before.stage) !== one.phase) assert.equal(one.machine.since, one.now);
        assert.ok(one.machine.restarts >= before.restarts);
        if (before.stage.kind === "exited" && event.kind !== "run") assert.deepEqual(one.effects, []);
        if (one.machine.stage.kind === "starting" && before.stage.kind !== "starting") assert.equal(event.kind, "started");
      }
    }),
  );
});
