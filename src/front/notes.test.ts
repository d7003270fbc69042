import assert from "node:assert/strict";
import { test } from "node:test";
import { readNotes } from "./notes.ts";

function event(kind: string, name: string, at: string, said: Readonly<Record<string, unknown>> = {}): unknown {
  return { involvedObject: { kind, name }, reason: "Failed", message: `${name} failed`, lastTimestamp: at, type: "Warning", ...said };
}

test("notes are about one version: its Deployment, its ReplicaSets and pods; the newest, oldest first, each once", () => {
  const notes = readNotes(
    [
      event("Pod", "web-v1-5f7-abcde", "2026-01-01T00:00:03Z", { reason: "FailedScheduling", message: "0/2 nodes\n are available", count: 7 }),
      event("Pod", "web-v1-5f7-abcdf", "2026-01-01T00:00:02Z", { message: "x" }),
      event("Pod", "web-v1-5f7-abcdg", "2026-01-01T00:00:04Z", { message: "x" }),
      event("ReplicaSet", "web-v1-5f7", "2026-01-01T00:00:01Z", { reason: "FailedCreate", message: "exceeded quota" }),
      event("Deployment", "web-v1", "", { eventTime: "2026-01-01T00:00:00.5Z", message: "first" }),
      event("Pod", "web-v10-5f7-abcde", "2026-01-01T00:00:01Z"),
      event("PersistentVolumeClaim", "data-web-v1-0", "2026-01-01T00:00:01.5Z", { message: "no class" }),
      event("PersistentVolumeClaim", "data-web-v1-x-0", "2026-01-01T00:00:01.5Z"),
      event("Pod", "web-v1-0", "2026-01-01T00:00:02.5Z", { message: "of a StatefulSet" }),
      event("StatefulSet", "web-v1", "2026-01-01T00:00:02.7Z", { message: "set" }),
      event("Deployment", "web-v1-2", "2026-01-01T00:00:01Z"),
      event("Pod", "web-v1", "2026-01-01T00:00:01Z"),
      {},
    ],
    "web-v1",
  );
  assert.deepEqual(notes, ["Failed: no class", "Failed: x", "Failed: of a StatefulSet", "Failed: set", "FailedScheduling: 0/2 nodes are available (7 times)"]);
});

test("and about one job: its runs and their pods", () => {
  const notes = readNotes(
    [
      event("Job", "migrate-0a1b2c3d", "2026-01-01T00:00:01Z", { reason: "FailedCreate", message: "exceeded quota" }),
      event("Pod", "migrate-0a1b2c3d-x7k2p", "2026-01-01T00:00:02Z", { message: "no such image" }),
      event("Pod", "migrate-more-0a1b2c3d-x7k2p", "2026-01-01T00:00:03Z"),
    ],
    "migrate",
  );
  assert.deepEqual(notes, ["FailedCreate: exceeded quota", "Failed: no such image"]);
});
