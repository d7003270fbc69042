/** `jobs:` — what runs to its end, once or by a schedule. */
import { resolvePath } from "../../lib/posix-path.ts";
import { failed, ok } from "../../lib/problem.ts";
import { quote } from "../quote.ts";
import { isTimeZone, scheduleHint, usualTimeZone, whyNoSchedule } from "../schedule.ts";
import type { Concurrency, Job, Schedule } from "../types.ts";
import { words } from "./command.ts";
import { readResources, resourcesShape } from "./running.ts";
import { choice, duration, filledText, flag, imageName, integer, label } from "./scalars.ts";
import { asAppName, asNamespace, readPlainKey, type Scope } from "./scope.ts";
import { checkStart, envShape, mountShape, readCommand, readEnv, readMounts, stopSignals, unreadWords } from "./service.ts";
import { type LocatedEntry, listOf, type ObjectOf, object, optional, orElse, type Shape, scalar } from "./shape.ts";

/** A CronJob's name has room for the time that its runs' names end with. */
const longestName = 52;
const usualRetries = 3;
const usualKeep = 3;

/** When it runs: five fields, or a word. */
export const cron: Shape<string> = scalar("a schedule", '"*/5 * * * *"', { type: "string", minLength: 1 }, ({ text }) => {
  const reason = whyNoSchedule(text);
  return reason === undefined
    ? ok(text)
    : failed({ code: "schedule-invalid", message: `${quote(text)} is no schedule: ${reason}`, hint: `${scheduleHint}; or @hourly, @daily, @weekly, @monthly` });
});
/** As the time zone database calls it. */
export const timeZone: Shape<string> = scalar("a time zone", "Europe/Berlin", { type: "string", minLength: 1 }, ({ text }) =>
  isTimeZone(text)
    ? ok(text)
    : failed({ code: "time-zone-unknown", message: `${quote(text)} is no time zone`, hint: "write it like Europe/Berlin or America/New_York" }),
);

const jobFields = {
  namespace: optional(label("namespace"), "where it lives (default: the file's)"),
  command: optional(orElse(words, unreadWords), "what to start: one line, or a list; on a cluster in place of the image's own"),
  image: optional(orElse(imageName, ""), "container image; what a cluster runs (one machine starts the command)"),
  args: optional(words, "more arguments"),
  dir: optional(filledText, "working directory, from the file's folder"),
  env: optional(envShape, "environment variables"),
  mounts: optional(listOf("mounts", mountShape), "configs and secrets as files"),
  resources: optional(resourcesShape, "what it is sure to get on a cluster"),
  egress: optional(flag, "may call anything outside the mesh (default false)"),
  schedule: optional(cron, "when it runs, as cron says it; without it: once, and again when it changes"),
  timeZone: optional(timeZone, "of the schedule (default UTC)"),
  retries: optional(integer("a number of retries", 0, 100), "how often it is tried again when it fails (default 3)"),
  timeout: optional(duration(1000), "longest time of a run, with what is tried again (default: none)"),
  grace: optional(duration(0), "time between the stop signal and SIGKILL (default 10s)"),
  stopSignal: optional(choice("a stop signal", stopSignals), "how to ask it to stop (default SIGTERM)"),
  concurrency: optional(choice<Concurrency>("a way", ["forbid", "allow", "replace"]), "what the schedule does while a run goes on (default forbid)"),
  keep: optional(integer("a number of runs", 1, 20), "how many ended runs are kept, with what they said (default 3)"),
};
export type JobFields = ObjectOf<typeof jobFields>;

/** Words that users of other tools know. */
const synonyms = {
  cmd: "command", entrypoint: "command", container: "image", run: "command", environment: "env", limits: "resources", workingDir: "dir", working_dir: "dir",
  cwd: "dir", cron: "schedule", backoffLimit: "retries", activeDeadlineSeconds: "timeout", deadline: "timeout", concurrencyPolicy: "concurrency",
  timezone: "timeZone", history: "keep",
}; // biome-ignore format: one table
const fieldsShape: Shape<JobFields> = object("a job", jobFields, synonyms);
export const jobShape: Shape<JobFields> = {
  ...fieldsShape,
  schema: { ...fieldsShape.schema, anyOf: [{ required: ["command"] }, { required: ["image"] }] },
};

/** A job as the file has it, with its place. */
export interface ReadJob {
  readonly job: Job;
  readonly at: number;
}

/** Completes one job with its defaults; what is wrong is reported. Returns undefined when it has no usable name. */
export function buildJob(entry: LocatedEntry<JobFields>, scope: Scope): ReadJob | undefined {
  const fields = entry.value;
  const key = readPlainKey(entry, scope, fields.namespace);
  if (key === undefined) return undefined;
  if (key.name.length > longestName) {
    scope.report.add(entry.keyAt, "name-invalid", `${quote(key.name)} is too long for a job's name`, `use at most ${longestName} characters`);
  }
  checkStart("a job", entry, scope);
  checkScheduled(fields, scope);
  const namespace = asNamespace(key.namespace);
  const resources = readResources(fields.resources?.value);
  const job: Job = {
    namespace,
    name: asAppName(key.name),
    ...(fields.image === undefined ? {} : { image: fields.image.value }),
    command: readCommand(fields, scope.report),
    dir: scope.runs === "images" ? "/" : resolvePath(scope.dir, fields.dir?.value ?? "."),
    env: readEnv(fields, namespace, scope),
    mounts: readMounts(fields, namespace, scope),
    graceMs: fields.grace?.value ?? 10_000,
    stopSignal: fields.stopSignal?.value ?? "SIGTERM",
    egress: fields.egress?.value ?? false,
    ...scheduleOf(fields),
    retries: fields.retries?.value ?? usualRetries,
    ...(fields.timeout === undefined ? {} : { timeoutMs: fields.timeout.value }),
    concurrency: fields.concurrency?.value ?? "forbid",
    keep: fields.keep?.value ?? usualKeep,
    ...(resources === undefined ? {} : { resources }),
    where: scope.report.place(entry.keyAt),
  };
  return { job, at: entry.keyAt };
}

function scheduleOf({ schedule, timeZone: zone }: JobFields): { readonly schedule?: Schedule } {
  return schedule === undefined ? {} : { schedule: { cron: schedule.value, timeZone: zone?.value ?? usualTimeZone } };
}

/** What only a schedule gives a meaning. */
function checkScheduled(fields: JobFields, { report }: Scope): void {
  if (fields.schedule !== undefined) return;
  for (const name of ["timeZone", "concurrency"] as const) {
    const field = fields[name];
    if (field !== undefined)
      report.add(field.at, "missing-key", `a job with ${quote(name)} needs "schedule"`, "add a schedule, or take it out: without one it runs once");
  }
}
