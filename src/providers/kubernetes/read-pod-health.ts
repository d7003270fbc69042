/** What a pod's status says of why it is not ready. */
import type { PodTrouble } from "./objects.ts";
import { list, number, optional, type Raw, record, text } from "./readers.ts";

/** Ended by itself so often that waiting longer helps nobody. */
const crashLoopExits = 3;
/** What every container passes through. */
const ordinary: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);
/** What does not get better without somebody who mends it. */
const hopeless: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

/** Reads a pod's status: how often its containers were started again, and what is wrong. */
export function readPodHealth(status: Raw): { readonly restarts: number; readonly trouble?: PodTrouble } {
  const containers = [...list(status["initContainerStatuses"]), ...list(status["containerStatuses"])].map(record);
  const restarts = containers.reduce((sum, container) => sum + restartsOf(container), 0);
  const troubles = containers.flatMap((container) => containerTrouble(container) ?? []);
  const trouble = troubles.find(({ kind }) => kind === "failing") ?? troubles[0] ?? unscheduled(status) ?? evicted(status);
  return { restarts, ...optional("trouble", trouble) };
}

function restartsOf(container: Raw): number {
  return number(container["restartCount"]) ?? 0;
}

function containerTrouble(container: Raw): PodTrouble | undefined {
  const state = record(container["state"]);
  const [waiting, terminated] = [record(state["waiting"]), record(state["terminated"])];
  const reason = text(waiting["reason"]);
  // Its last end says more than that it waits.
  const ended = state["terminated"] === undefined ? record(record(container["lastState"])["terminated"]) : terminated;
  const exit = exitOf(ended);
  if (reason !== undefined && hopeless.has(reason))
    return { kind: "failing", reason: `${reason}: ${firstLine(text(waiting["message"]) ?? "no more is said")}` };
  const times = restartsOf(container) + 1;
  if (exit !== undefined && (reason === "CrashLoopBackOff" || state["terminated"] !== undefined))
    return { kind: times >= crashLoopExits ? "failing" : "waiting", reason: times === 1 ? exit : `${exit}, ${times} times` };
  if (reason === undefined || ordinary.has(reason)) return undefined;
  return { kind: "waiting", reason: firstLine(text(waiting["message"]) ?? reason) };
}

function exitOf(terminated: Raw): string | undefined {
  const [code, reason] = [number(terminated["exitCode"]), text(terminated["reason"])];
  if (code === undefined) return undefined;
  if (reason === "OOMKilled") return "killed: it used more memory than it may";
  const message = text(terminated["message"]);
  // The runtime could not even start it: then its code means nothing.
  if (reason === "StartError" || reason === "ContainerCannotRun") return `cannot be started: ${firstLine(message ?? reason)}`;
  return code > 128 && code < 160 ? `killed by signal ${code - 128}` : `exited with code ${code}`;
}

function unscheduled(status: Raw): PodTrouble | undefined {
  const condition = list(status["conditions"])
    .map(record)
    .find(({ type, status: holds }) => type === "PodScheduled" && holds === "False");
  const message = text(condition?.["message"]);
  return message === undefined ? undefined : { kind: "waiting", reason: `no node takes it: ${firstLine(message)}` };
}

function evicted(status: Raw): PodTrouble | undefined {
  if (status["phase"] !== "Failed") return undefined;
  return { kind: "waiting", reason: firstLine(text(status["message"]) ?? text(status["reason"]) ?? "it failed") };
}

const longest = 300;

/** Reasons are one line; some messages are pages. */
function firstLine(message: string): string {
  const line = message.trim().split("\n")[0] ?? "";
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}
