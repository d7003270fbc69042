/**
 * The life of one workload as a pure state machine: events and moments in, the next state and what to do out.
 * Time is an argument (milliseconds since the epoch); nothing here waits or looks.
 */
import { backoffMs } from "../lib/backoff.ts";
import type { WorkloadExit, WorkloadHealth, WorkloadPhase, WorkloadPort, WorkloadProbe } from "./contract.ts";

/** What the machine must know of a workload. */
export interface Rules {
  readonly health: WorkloadHealth;
  readonly ports: readonly WorkloadPort[];
  readonly stopSignal: string;
  readonly drainMs: number;
  readonly graceMs: number;
}

export type ProbeName = "start" | "ready" | "live";

/** Results in a row of one probe. */
export interface Streak {
  readonly good: number;
  readonly bad: number;
}

export type Stage =
  | { readonly kind: "pending" }
  /** Runs; `started`: its start probe passed (or there is none). */
  | { readonly kind: "starting"; readonly startedAt: number; readonly started: boolean }
  | { readonly kind: "ready"; readonly startedAt: number }
  | { readonly kind: "unready"; readonly startedAt: number }
  /** Failed its live or start check; was told to end, will be started again. */
  | { readonly kind: "ending"; readonly startedAt: number; readonly killAt: number }
  | { readonly kind: "backoff"; readonly until: number }
  | { readonly kind: "draining"; readonly until: number; readonly startedAt: number }
  /** Got its stop signal. */
  | { readonly kind: "stopping"; readonly killAt: number; readonly startedAt: number }
  | { readonly kind: "exited" };

export interface Machine {
  readonly stage: Stage;
  readonly since: number;
  readonly restarts: number;
  /** Starts in a row that did not last. */
  readonly quickEnds: number;
  readonly streaks: Readonly<Record<ProbeName, Streak>>;
  readonly lastExit?: WorkloadExit;
  readonly reason?: string;
  /** Of a job's run that has ended by itself. */
  readonly outcome?: "succeeded" | "failed";
  /** Of a job's run: its time counts from here. */
  readonly firstStartedAt?: number;
}

export type WorkloadEvent =
  /** The network is there; the program may start. */
  | { readonly kind: "prepared" }
  | { readonly kind: "started" }
  | { readonly kind: "exited"; readonly code: number | null; readonly signal: string | null }
  /** It could not even be started. */
  | { readonly kind: "start-failed"; readonly reason: string }
  | { readonly kind: "probed"; readonly probe: ProbeName; readonly ok: boolean; readonly detail: string }
  /** A moment asked for by a `wake` came. */
  | { readonly kind: "woken" }
  | { readonly kind: "stop"; readonly drain: boolean }
  | { readonly kind: "run" }
  | { readonly kind: "drained" };

export type Effect =
  | { readonly kind: "start" }
  /** Probe once, this much later; the answer comes as `probed`. */
  | { readonly kind: "probe"; readonly probe: ProbeName; readonly inMs: number }
  | { readonly kind: "wake"; readonly inMs: number }
  /** Watch its connections; tell `drained` when none is left. */
  | { readonly kind: "watch-drain" }
  | { readonly kind: "signal"; readonly signal: string };

export interface Step {
  readonly machine: Machine;
  readonly effects: readonly Effect[];
}

/** A process that lived so long was fine: the next restart is quick again. */
export const stableMs = 10_000;
/** Without ports nothing can be asked: alive for so long means ready. */
export const aliveMs = 1_000;
const fastestProbeMs = 50;
const restartWaits = { firstMs: 1_000, longestMs: 60_000 };

const noStreaks: Readonly<Record<ProbeName, Streak>> = { start: { good: 0, bad: 0 }, ready: { good: 0, bad: 0 }, live: { good: 0, bad: 0 } };

/** A workload that nothing has been done for yet. */
export function newMachine(now: number): Machine {
  return { stage: { kind: "pending" }, since: now, restarts: 0, quickEnds: 0, streaks: noStreaks };
}

/** How long to wait before the start after `quickEnds` that did not last: 0.1 s, then 1 s, 2 s, 4 s, ... 60 s. */
export function restartDelayMs(quickEnds: number): number {
  return quickEnds === 0 ? 100 : backoffMs(restartWaits, quickEnds);
}

/** The readiness check in force: the declared one, else TCP to the first port; undefined when there is nothing to ask. */
export function readyProbe(rules: Rules): WorkloadProbe | undefined {
  const port = rules.ports[0]?.containerPort;
  if (rules.health.ready !== undefined || port === undefined) return rules.health.ready;
  return { check: { kind: "tcp", port }, initialDelayMs: 0, intervalMs: 5_000, timeoutMs: 1_000, failureThreshold: 3, successThreshold: 1 };
}

/** Takes one event at one moment. Events that make no sense in a stage change nothing. */
export function step(machine: Machine, event: WorkloadEvent, rules: Rules, now: number): Step {
  switch (event.kind) {
    case "prepared":
      return machine.stage.kind === "pending" ? { machine, effects: [{ kind: "start" }] } : same(machine);
    case "started":
      return onStarted(machine, rules, now);
    case "exited":
      return onExited(machine, { code: event.code, signal: event.signal, at: now }, now);
    case "start-failed":
      return onStartFailed(machine, event.reason, now);
    case "probed":
      return onProbed(machine, event, rules, now);
    case "woken":
      return onWoken(machine, rules, now);
    case "stop":
      return onStop(machine, rules, event.drain, now);
    case "run":
      return machine.stage.kind === "exited" ? { machine: { ...newMachine(now), restarts: machine.restarts }, effects: [{ kind: "start" }] } : same(machine);
    case "drained":
      return machine.stage.kind === "draining" ? signalled(machine, machine.stage.startedAt, rules, now) : same(machine);
    default:
      return event satisfies never;
  }
}

/** The phase that others see. */
export function phaseOf(stage: Stage): WorkloadPhase {
  switch (stage.kind) {
    case "ending":
      return "unready";
    case "stopping":
      return "draining";
    case "pending":
    case "starting":
    case "ready":
    case "unready":
    case "backoff":
    case "draining":
    case "exited":
      return stage.kind;
    default:
      return stage satisfies never;
  }
}

function same(machine: Machine): Step {
  return { machine, effects: [] };
}

/** Goes to a stage; `reason` is kept only when given. */
export function enter(machine: Machine, stage: Stage, now: number, reason?: string): Machine {
  const { reason: _, ...rest } = machine;
  const since = phaseOf(stage) === phaseOf(machine.stage) ? machine.since : now;
  return { ...rest, stage, since, ...(reason === undefined ? {} : { reason }) };
}

function onStarted(machine: Machine, rules: Rules, now: number): Step {
  if (machine.stage.kind !== "pending" && machine.stage.kind !== "backoff") return same(machine);
  const { start } = rules.health;
  const started = start === undefined;
  const next = { ...enter(machine, { kind: "starting", startedAt: now, started }, now, machine.reason), streaks: noStreaks };
  return { machine: next, effects: started ? firstReadyLook(rules) : [{ kind: "probe", probe: "start", inMs: start.initialDelayMs }] };
}

/** How readiness is found out once the program may answer. */
function firstReadyLook(rules: Rules): readonly Effect[] {
  const probe = readyProbe(rules);
  return probe === undefined
    ? [{ kind: "wake", inMs: aliveMs }]
    : [{ kind: "probe", probe: "ready", inMs: Math.max(probe.initialDelayMs, fastestProbeMs / 2) }];
}

function onExited(machine: Machine, exit: WorkloadExit, now: number): Step {
  const { stage } = machine;
  switch (stage.kind) {
    case "draining":
    case "stopping":
      return same({ ...enter(machine, { kind: "exited" }, now), lastExit: exit });
    case "starting":
    case "ready":
    case "unready":
    case "ending": {
      const why = stage.kind === "ending" ? (machine.reason ?? "") : exitReason(exit);
      return restartLater({ ...machine, lastExit: exit }, now - stage.startedAt, why, now);
    }
    case "pending":
    case "backoff":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}

/** `exited with code 1`, `killed by SIGKILL`. */
export function exitReason(exit: WorkloadExit): string {
  if (exit.signal !== null) return `killed by ${exit.signal}`;
  const hint = exit.code === null ? undefined : codeHints[exit.code];
  return `exited with code ${exit.code}${hint === undefined ? "" : ` (${hint})`}`;
}

const codeHints: Readonly<Record<number, string>> = { 125: "cannot enter its folder", 126: "the command cannot be executed", 127: "command not found" };

function restartLater(machine: Machine, livedMs: number, reason: string, now: number): Step {
  const quickEnds = livedMs >= stableMs ? 0 : machine.quickEnds;
  const inMs = restartDelayMs(quickEnds);
  const next = enter(machine, { kind: "backoff", until: now + inMs }, now, reason);
  return { machine: { ...next, quickEnds: quickEnds + 1 }, effects: [{ kind: "wake", inMs }] };
}

function onStartFailed(machine: Machine, reason: string, now: number): Step {
  if (machine.stage.kind === "exited" || machine.stage.kind === "draining" || machine.stage.kind === "stopping")
    return same(enter(machine, { kind: "exited" }, now, reason));
  return restartLater(machine, 0, reason, now);
}

/** A timer may come a little before its moment (clocks differ): then it is asked for again. */
function onWoken(machine: Machine, rules: Rules, now: number): Step {
  const { stage } = machine;
  const early = (moment: number): Step => ({ machine, effects: [{ kind: "wake", inMs: moment - now }] });
  switch (stage.kind) {
    case "backoff":
      return now < stage.until ? early(stage.until) : { machine: { ...machine, restarts: machine.restarts + 1 }, effects: [{ kind: "start" }] };
    case "starting":
      if (!stage.started || readyProbe(rules) !== undefined) return same(machine);
      return now < stage.startedAt + aliveMs ? early(stage.startedAt + aliveMs) : becomeReady(machine, stage.startedAt, rules, now);
    case "draining":
      return now < stage.until ? early(stage.until) : signalled(machine, stage.startedAt, rules, now);
    case "stopping":
    case "ending":
      return now < stage.killAt ? early(stage.killAt) : { machine, effects: [{ kind: "signal", signal: "SIGKILL" }] };
    case "pending":
    case "ready":
    case "unready":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}

function becomeReady(machine: Machine, startedAt: number, rules: Rules, now: number): Step {
  const ready = readyProbe(rules);
  const { live } = rules.health;
  const effects: Effect[] = [];
  if (ready !== undefined) effects.push({ kind: "probe", probe: "ready", inMs: ready.intervalMs });
  if (live !== undefined && machine.stage.kind === "starting")
    effects.push({ kind: "probe", probe: "live", inMs: Math.max(0, startedAt + live.initialDelayMs - now) });
  return { machine: enter(machine, { kind: "ready", startedAt }, now), effects };
}

function onStop(machine: Machine, rules: Rules, drain: boolean, now: number): Step {
  const { stage } = machine;
  switch (stage.kind) {
    case "pending":
    case "backoff":
      return same(enter(machine, { kind: "exited" }, now, machine.reason));
    case "ready":
    case "unready":
      if (!drain || rules.drainMs === 0) return signalled(machine, stage.startedAt, rules, now);
      return {
        machine: enter(machine, { kind: "draining", until: now + rules.drainMs, startedAt: stage.startedAt }, now),
        effects: [{ kind: "watch-drain" }, { kind: "wake", inMs: rules.drainMs }],
      };
    case "starting":
    case "ending":
      return signalled(machine, stage.startedAt, rules, now);
    case "draining":
      return drain ? same(machine) : signalled(machine, stage.startedAt, rules, now);
    case "stopping":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}

function signalled(machine: Machine, startedAt: number, rules: Rules, now: number): Step {
  return {
    machine: enter(machine, { kind: "stopping", killAt: now + rules.graceMs, startedAt }, now),
    effects: [
      { kind: "signal", signal: rules.stopSignal },
      { kind: "wake", inMs: rules.graceMs },
    ],
  };
}

type Probed = Extract<WorkloadEvent, { kind: "probed" }>;

function onProbed(machine: Machine, event: Probed, rules: Rules, now: number): Step {
  const before = machine.streaks[event.probe];
  const streak: Streak = event.ok ? { good: before.good + 1, bad: 0 } : { good: 0, bad: before.bad + 1 };
  const counted: Machine = { ...machine, streaks: { ...machine.streaks, [event.probe]: streak } };
  switch (event.probe) {
    case "start":
      return onStartProbe(counted, event, streak, rules, now);
    case "ready":
      return onReadyProbe(counted, event, streak, rules, now);
    case "live":
      return onLiveProbe(counted, event, streak, rules, now);
    default:
      return event.probe satisfies never;
  }
}

/** Quick at first, then slower, never slower than declared. */
function nextLookMs(bad: number, intervalMs: number): number {
  return Math.min(intervalMs, Math.round(fastestProbeMs * 1.25 ** Math.min(bad, 60)));
}

/** The declared budget of a start check is time (delay + failures × interval), however often we look. */
function onStartProbe(machine: Machine, event: Probed, streak: Streak, rules: Rules, now: number): Step {
  const { stage } = machine;
  const probe = rules.health.start;
  if (stage.kind !== "starting" || stage.started || probe === undefined) return same(machine);
  if (streak.good >= probe.successThreshold) return { machine: { ...machine, stage: { ...stage, started: true } }, effects: firstReadyLook(rules) };
  if (!event.ok && now >= stage.startedAt + probe.initialDelayMs + probe.failureThreshold * probe.intervalMs)
    return endAndRestart(machine, stage.startedAt, event.detail, rules, now);
  const next = event.ok ? machine : { ...machine, reason: event.detail };
  return { machine: next, effects: [{ kind: "probe", probe: "start", inMs: nextLookMs(streak.bad, probe.intervalMs) }] };
}

function onReadyProbe(machine: Machine, event: Probed, streak: Streak, rules: Rules, now: number): Step {
  const { stage } = machine;
  const probe = readyProbe(rules);
  if (probe === undefined) return same(machine);
  switch (stage.kind) {
    case "starting":
      if (streak.good >= probe.successThreshold) return becomeReady(machine, stage.startedAt, rules, now);
      return {
        machine: event.ok ? machine : { ...machine, reason: event.detail },
        effects: [{ kind: "probe", probe: "ready", inMs: nextLookMs(streak.bad, probe.intervalMs) }],
      };
    case "ready": {
      const effects: readonly Effect[] = [{ kind: "probe", probe: "ready", inMs: probe.intervalMs }];
      return {
        machine: streak.bad >= probe.failureThreshold ? enter(machine, { kind: "unready", startedAt: stage.startedAt }, now, event.detail) : machine,
        effects,
      };
    }
    case "unready":
      if (streak.good >= probe.successThreshold) return becomeReady(machine, stage.startedAt, rules, now);
      return {
        machine: event.ok ? machine : { ...machine, reason: event.detail },
        effects: [{ kind: "probe", probe: "ready", inMs: Math.min(1_000, probe.intervalMs) }],
      };
    case "pending":
    case "ending":
    case "backoff":
    case "draining":
    case "stopping":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}

function onLiveProbe(machine: Machine, event: Probed, streak: Streak, rules: Rules, now: number): Step {
  const { stage } = machine;
  const probe = rules.health.live;
  if (probe === undefined || (stage.kind !== "ready" && stage.kind !== "unready")) return same(machine);
  if (streak.bad >= probe.failureThreshold) return endAndRestart(machine, stage.startedAt, event.detail, rules, now);
  return { machine, effects: [{ kind: "probe", probe: "live", inMs: probe.intervalMs }] };
}

function endAndRestart(machine: Machine, startedAt: number, reason: string, rules: Rules, now: number): Step {
  return {
    machine: enter(machine, { kind: "ending", startedAt, killAt: now + rules.graceMs }, now, reason),
    effects: [
      { kind: "signal", signal: rules.stopSignal },
      { kind: "wake", inMs: rules.graceMs },
    ],
  };
}
