/** How jobs' runs ended, on disk: a node that is started again does not run again what has ended. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { WorkloadExit } from "./contract.ts";

export interface Outcome {
  readonly specHash: string;
  readonly outcome: "succeeded" | "failed";
  readonly since: number;
  readonly restarts: number;
  readonly lastExit?: WorkloadExit;
  readonly reason?: string;
}

function fileOf(dir: string, id: string): string {
  return path.join(dir, `${id}.json`);
}

/** The outcome of the workload `id`; undefined: it has none yet, or it was cut off by a crash. */
export function readOutcome(dir: string, id: string): Outcome | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(dir, id), "utf8")) as Outcome;
  } catch {
    return undefined;
  }
}

/** Keeps an outcome. */
export function writeOutcome(dir: string, id: string, outcome: Outcome): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = fileOf(dir, id);
  writeFileSync(`${file}.new`, JSON.stringify(outcome), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Forgets the outcomes of all workloads but these. */
export function keepOutcomes(dir: string, ids: ReadonlySet<string>): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const file of readdirSync(dir)) if (!ids.has(file.replace(/\.json$/, ""))) rmSync(path.join(dir, file), { force: true });
}
