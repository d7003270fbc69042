/** The life of a job's run as a pure state machine: started until it succeeds, or has failed once more than it is tried again, or takes too long. */
import { formatDuration } from "../lib/duration.ts";
import type { WorkloadExit } from "./contract.ts";
import { enter, exitReason, type Machine, type Rules, restartDelayMs, type Step, type WorkloadEvent } from "./supervisor-state.ts";

/** How often a run is tried again, and how long all of it may take. */
export interface JobRules {
  readonly retries: number;
  readonly timeoutMs?: number;
}

/** A timer may come so much before its moment. */
const earlyMs = 1_000;

/** Takes one event at one moment, as `step` does. */
export function stepJob(machine: Machine, event: WorkloadEvent, rules: Rules, job: JobRules, now: number): Step {
  const { stage } = machine;
  switch (event.kind) {
    case "prepared":
      return stage.kind === "pending" ? { machine, effects: [{ kind: "start" }] } : same(machine);
    case "started":
      return stage.kind === "pending" || stage.kind === "backoff" ? onStarted(machine, job, now) : same(machine);
    case "exited":
      return onExited(machine, { code: event.code, signal: event.signal, at: now }, job, now);
    case "start-failed":
      return stage.kind === "draining" || stage.kind === "stopping" ? same(enter(machine, { kind: "exited" }, now)) : onFailed(machine, event.reason, job, now);
    case "woken":
      return onWoken(machine, rules, job, now);
    case "stop":
      return onStop(machine, rules, now);
    case "run":
    case "probed":
    case "drained":
      return same(machine);
    default:
      return event satisfies never;
  }
}

function same(machine: Machine): Step {
  return { machine, effects: [] };
}

function deadlineOf({ firstStartedAt }: Machine, { timeoutMs }: JobRules): number | undefined {
  return firstStartedAt === undefined || timeoutMs === undefined ? undefined : firstStartedAt + timeoutMs;
}

function tookTooLong({ timeoutMs }: JobRules): string {
  return `took longer than ${formatDuration(timeoutMs ?? 0)}`;
}

function onStarted(machine: Machine, job: JobRules, now: number): Step {
  const next = { ...enter(machine, { kind: "starting", startedAt: now, started: true }, now, machine.reason), firstStartedAt: machine.firstStartedAt ?? now };
  const deadline = deadlineOf(next, job);
  return { machine: next, effects: deadline === undefined ? [] : [{ kind: "wake", inMs: Math.max(0, deadline - now) }] };
}

function onExited(machine: Machine, exit: WorkloadExit, job: JobRules, now: number): Step {
  const { stage } = machine;
  const known = { ...machine, lastExit: exit };
  switch (stage.kind) {
    case "draining":
    case "stopping":
      return same(enter(known, { kind: "exited" }, now));
    case "ending":
      return finished(known, "failed", now, machine.reason);
    case "starting":
    case "ready":
    case "unready":
      return exit.code === 0 ? finished(known, "succeeded", now) : onFailed(known, exitReason(exit), job, now);
    case "pending":
    case "backoff":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}

function finished(machine: Machine, outcome: "succeeded" | "failed", now: number, reason?: string): Step {
  return same({ ...enter(machine, { kind: "exited" }, now, reason), outcome });
}

function onFailed(machine: Machine, reason: string, job: JobRules, now: number): Step {
  if (machine.stage.kind === "exited") return same(machine);
  const times = machine.restarts + 1;
  if (machine.restarts >= job.retries) return finished(machine, "failed", now, times === 1 ? reason : `${reason}, ${times} times`);
  const inMs = restartDelayMs(machine.restarts);
  return { machine: enter(machine, { kind: "backoff", until: now + inMs }, now, reason), effects: [{ kind: "wake", inMs }] };
}

function onWoken(machine: Machine, rules: Rules, job: JobRules, now: number): Step {
  const { stage } = machine;
  const deadline = deadlineOf(machine, job);
  const early = (moment: number): Step => ({ machine, effects: [{ kind: "wake", inMs: moment - now }] });
  switch (stage.kind) {
    case "backoff":
      if (deadline !== undefined && now >= deadline) return finished(machine, "failed", now, `${tookTooLong(job)}; it ${machine.reason ?? "failed"}`);
      return now < stage.until ? early(stage.until) : { machine: { ...machine, restarts: machine.restarts + 1 }, effects: [{ kind: "start" }] };
    case "starting":
    case "ready":
    case "unready":
      if (deadline === undefined) return same(machine);
      if (now < deadline) return deadline - now < earlyMs ? early(deadline) : same(machine);
      return told(enter(machine, { kind: "ending", startedAt: stage.startedAt, killAt: now + rules.graceMs }, now, tookTooLong(job)), rules);
    case "ending":
    case "stopping":
      return now < stage.killAt ? early(stage.killAt) : { machine, effects: [{ kind: "signal", signal: "SIGKILL" }] };
    case "pending":
    case "draining":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}

function told(machine: Machine, rules: Rules): Step {
  return {
    machine,
    effects: [
      { kind: "signal", signal: rules.stopSignal },
      { kind: "wake", inMs: rules.graceMs },
    ],
  };
}

function onStop(machine: Machine, rules: Rules, now: number): Step {
  const { stage } = machine;
  switch (stage.kind) {
    case "pending":
    case "backoff":
      return same(enter(machine, { kind: "exited" }, now, machine.reason));
    case "starting":
    case "ready":
    case "unready":
    case "ending":
      return told(enter(machine, { kind: "stopping", startedAt: stage.startedAt, killAt: now + rules.graceMs }, now), rules);
    case "draining":
    case "stopping":
    case "exited":
      return same(machine);
    default:
      return stage satisfies never;
  }
}
