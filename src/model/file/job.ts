/** `jobs:` — what runs to its end, once or by a schedule. */
import { failed, ok } from "../../lib/problem.ts";
import { quote } from "../quote.ts";
import { isTimeZone, scheduleHint, usualTimeZone, whyNoSchedule } from "../schedule.ts";
import type { Concurrency, Job, Schedule } from "../types.ts";
import { checkStart, egressField, mountsField, programSynonyms, readProgram, startable, startFields, stopFields } from "./program.ts";
import { readResources, resourcesShape } from "./running.ts";
import { choice, duration, integer, label } from "./scalars.ts";
import { asAppName, asNamespace, readPlainKey, type Scope } from "./scope.ts";
import { type LocatedEntry, type ObjectOf, object, optional, type Shape, scalar } from "./shape.ts";

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
  ...startFields,
  mounts: mountsField,
  resources: optional(resourcesShape, "what it is sure to get on a cluster"),
  egress: egressField,
  schedule: optional(cron, "when it runs, as cron says it; without it: once, and again when it changes"),
  timeZone: optional(timeZone, "of the schedule (default UTC)"),
  retries: optional(integer("a number of retries", 0, 100), "how often it is tried again when it fails (default 3)"),
  timeout: optional(duration(1000), "longest time of a run, with what is tried again (default: none)"),
  ...stopFields,
  concurrency: optional(choice<Concurrency>("a way", ["forbid", "allow", "replace"]), "what the schedule does while a run goes on (default forbid)"),
  keep: optional(integer("a number of runs", 1, 20), "how many ended runs are kept, with what they said (default 3)"),
};
export type JobFields = ObjectOf<typeof jobFields>;

/** Words that users of other tools know. */
const synonyms = {
  ...programSynonyms, cron: "schedule", backoffLimit: "retries", activeDeadlineSeconds: "timeout", deadline: "timeout", concurrencyPolicy: "concurrency",
  timezone: "timeZone", history: "keep",
}; // biome-ignore format: one table
export const jobShape: Shape<JobFields> = startable(object("a job", jobFields, synonyms));

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
    ...readProgram(fields, namespace, scope),
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
