/** What a cluster made, written down as soon as it is made: with it, whoever comes after a crash can clean up, and touches nothing else. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Sandbox } from "./sandbox.ts";

export interface ClusterRecord {
  /** Name of the control group in every tree. */
  readonly cgroup: string;
  /** The control plane first, then the nodes in order; fewer while it starts. */
  readonly sandboxes: readonly Sandbox[];
}

const fileName = "cluster.json";

/** Reads the record of the cluster in `dir`; undefined when there is none. */
export function readRecord(dir: string): ClusterRecord | undefined {
  const file = path.join(dir, fileName);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ClusterRecord) : undefined;
}

/** Writes the record, whole or not at all. */
export function writeRecord(dir: string, record: ClusterRecord): void {
  const file = path.join(dir, fileName);
  writeFileSync(`${file}.new`, JSON.stringify(record));
  renameSync(`${file}.new`, file);
}

/** Makes the folder of a new cluster; throws when it holds anything, for all of it is removed in the end. */
export function claimFolder(dir: string, record: ClusterRecord): void {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  if (readdirSync(dir).length > 0) throw new Error(`${dir} is not empty: a cluster needs a folder of its own`);
  writeRecord(dir, record);
}
