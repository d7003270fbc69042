/** Jobs that run what is declared, read from the API server's JSON. */
import type { KubeJob } from "./objects.ts";
import { writtenReader } from "./read-declarations.ts";
import { list, number, optional, type Raw, record, text } from "./readers.ts";
import { causeAnnotation } from "./workload-objects.ts";

const timeAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";
const readWrittenJob = writtenReader("Job");

/** Reads a Job. */
export function readJob(value: unknown): KubeJob {
  const raw = record(value);
  const [meta, status] = [record(raw["metadata"]), record(raw["status"])];
  const conditions = list(status["conditions"]).map(record);
  const holds = (type: string): Raw | undefined => conditions.find((one) => one["type"] === type && one["status"] === "True");
  const [complete, failed] = [holds("Complete"), holds("Failed")];
  const end = complete ?? failed;
  const endedAt = timeOf(status["completionTime"]) ?? timeOf(end?.["lastTransitionTime"]);
  return {
    ...readWrittenJob(raw),
    cause: causeOf(meta),
    startedAt: timeOf(status["startTime"]) ?? timeOf(meta["creationTimestamp"]) ?? 0,
    ...optional("endedAt", end === undefined ? undefined : endedAt),
    state: complete !== undefined ? "succeeded" : failed !== undefined ? "failed" : "running",
    failures: number(status["failed"]) ?? 0,
    ...optional("failure", failed === undefined ? undefined : { reason: text(failed["reason"]) ?? "", message: text(failed["message"]) ?? "" }),
  };
}

function causeOf(meta: Raw): string {
  const annotations = record(meta["annotations"]);
  const time = text(annotations[timeAnnotation]);
  return text(annotations[causeAnnotation]) ?? (time === undefined ? "" : `at ${new Date(time).toISOString()}`);
}

function timeOf(value: unknown): number | undefined {
  const time = Date.parse(text(value) ?? "");
  return Number.isNaN(time) ? undefined : time;
}
