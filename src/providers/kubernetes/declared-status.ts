/** What the control plane says of declared objects, in the `status` of each: written by its controller, read by whoever shows it. */
import type { RunState, Shares } from "../../model/declared.ts";
import { type JobRunFacts, type JobState, jobStates } from "../../model/job-run.ts";
import { formatPercent } from "../../model/weights.ts";
import { conditionTime, type StatusCondition } from "./conditions.ts";
import { flag, list, number, optional, type Raw, record, text } from "./readers.ts";

/** Who writes status. */
export const statusManager = "weir-status";

export const versionStates = ["ready", "starting", "degraded", "failing", "draining", "stopped"] as const;
export type VersionState = (typeof versionStates)[number];

interface AnyStatus {
  /** Of the object's spec that this is about. */
  readonly observedGeneration: number;
  /** One line why it is not as it should be. */
  readonly reason?: string;
  readonly conditions: readonly StatusCondition[];
}

export interface VersionStatus extends AnyStatus {
  /** Of what its pods should be made from. */
  readonly hash: string;
  readonly state: VersionState;
  /** Pods of this hash that are ready. */
  readonly ready: number;
  readonly wanted: number;
  /** Basis points of the app's traffic, now. */
  readonly weight: number;
}

export interface AppStatus extends AnyStatus {
  /** Shares in force: acknowledged by the Envoys of all nodes that have pods of the mesh. */
  readonly weights: Shares;
  /** Everything of this generation is acknowledged, and nothing moves. */
  readonly programmed: boolean;
}

/** One run of a job: a Job of Kubernetes. Times are milliseconds since the epoch. */
export interface JobRunStatus extends JobRunFacts {
  /** It goes on, and will not get better by waiting. */
  readonly hopeless?: true;
}

export interface JobStatus extends AnyStatus {
  /** Of what its pods are made from. */
  readonly hash: string;
  readonly state: JobState;
  /** The newest thing that it was run for. */
  readonly begun?: string;
  /** Newest first. */
  readonly runs: readonly JobRunStatus[];
  readonly nextRunAt?: number;
}

/** Of routers and external services. */
export interface ProgrammedStatus extends AnyStatus {
  readonly programmed: boolean;
}

/** Kind → what is said of it; ConfigMaps and Secrets have no status. */
export interface Statuses {
  readonly service: VersionStatus;
  readonly app: AppStatus;
  readonly job: JobStatus;
  readonly router: ProgrammedStatus;
  readonly external: ProgrammedStatus;
  readonly config: never;
  readonly secret: never;
}

/** A version's status as it is written: with the texts that `kubectl get versions` has columns for. */
export function writtenVersionStatus(status: VersionStatus): object {
  return { ...status, shown: { ready: `${status.ready}/${status.wanted}`, weight: formatPercent(status.weight) } };
}

/** An app's status as it is written: with the text that `kubectl get apps.weir.dev` has a column for. */
export function writtenAppStatus(status: AppStatus): object {
  const shares = Object.entries(status.weights).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { ...status, shown: { weights: shares.map(([version, weight]) => `${version}=${formatPercent(weight)}`).join(" ") } };
}

/** A job's status as it is written: with the times that `kubectl get jobs.weir.dev` has columns for. */
export function writtenJobStatus(status: JobStatus): object {
  const [last] = status.runs;
  const shown = {
    ...optional("lastRun", last === undefined ? undefined : conditionTime(last.startedAt)),
    ...optional("lastState", last?.state),
    ...optional("nextRun", status.nextRunAt === undefined ? undefined : conditionTime(status.nextRunAt)),
  };
  return { ...status, shown };
}

/** Reads a Version's status; undefined before anything was said. */
export function readVersionStatus(value: unknown): VersionStatus | undefined {
  const raw = record(value);
  const state = versionStates.find((known) => known === raw["state"]);
  if (state === undefined) return undefined;
  const [ready, wanted, weight] = [number(raw["ready"]) ?? 0, number(raw["wanted"]) ?? 0, number(raw["weight"]) ?? 0];
  return { ...readAny(raw), hash: text(raw["hash"]) ?? "", state, ready, wanted, weight };
}

/** Reads an App's status; undefined before anything was said. */
export function readAppStatus(value: unknown): AppStatus | undefined {
  const raw = record(value);
  const programmed = flag(raw["programmed"]);
  if (programmed === undefined) return undefined;
  const weights = Object.entries(record(raw["weights"])).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return { ...readAny(raw), weights: Object.fromEntries(weights), programmed };
}

/** Reads a Job's status; undefined before anything was said. */
export function readJobStatus(value: unknown): JobStatus | undefined {
  const raw = record(value);
  const state = jobStates.find((known) => known === raw["state"]);
  if (state === undefined) return undefined;
  const optionals = { ...optional("begun", text(raw["begun"])), ...optional("nextRunAt", number(raw["nextRunAt"])) };
  return { ...readAny(raw), hash: text(raw["hash"]) ?? "", state, ...optionals, runs: list(raw["runs"]).map(readRun) };
}

const runStates = ["running", "succeeded", "failed", "stopped"] as const satisfies readonly RunState[];

function readRun(value: unknown): JobRunStatus {
  const raw = record(value);
  return {
    name: text(raw["name"]) ?? "",
    cause: text(raw["cause"]) ?? "",
    state: runStates.find((known) => known === raw["state"]) ?? "running",
    startedAt: number(raw["startedAt"]) ?? 0,
    ...optional("endedAt", number(raw["endedAt"])),
    ...optional("reason", text(raw["reason"])),
  };
}

/** Reads the status of a Router or ExternalService; undefined before anything was said. */
export function readProgrammedStatus(value: unknown): ProgrammedStatus | undefined {
  const raw = record(value);
  const programmed = flag(raw["programmed"]);
  return programmed === undefined ? undefined : { ...readAny(raw), programmed };
}

function readAny(raw: Raw): AnyStatus {
  return {
    observedGeneration: number(raw["observedGeneration"]) ?? 0,
    ...optional("reason", text(raw["reason"])),
    conditions: list(raw["conditions"]).map(readCondition),
  };
}

function readCondition(value: unknown): StatusCondition {
  const raw = record(value);
  const status = raw["status"];
  return {
    type: text(raw["type"]) ?? "",
    status: status === "True" || status === "False" ? status : "Unknown",
    reason: text(raw["reason"]) ?? "",
    message: text(raw["message"]) ?? "",
    observedGeneration: number(raw["observedGeneration"]) ?? 0,
    lastTransitionTime: text(raw["lastTransitionTime"]) ?? "",
  };
}
