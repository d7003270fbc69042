/**
 * The processes of one Envoy: the one in charge and those that it replaced and that still finish their connections. They share a base id
 * (Envoy's own hot restart hands the listening sockets over). Kept in a file, so that a new supervisor finds what an old one started.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isRunning, type ProcessId } from "./proc.ts";

export interface Retired {
  readonly id: ProcessId;
  /** It is killed when it is still there. */
  readonly endsAt: number;
}

export interface Family {
  readonly baseId: number;
  readonly epoch: number;
  readonly current: ProcessId;
  readonly retired: readonly Retired[];
  /** Started to replace `current`, not yet in charge. */
  readonly next?: ProcessId;
}

/** Every process of a family. */
export function membersOf(family: Family): readonly ProcessId[] {
  return [family.current, ...family.retired.map((one) => one.id), ...(family.next === undefined ? [] : [family.next])];
}

/** Writes the family down, whole or not at all. */
export function saveFamily(file: string, family: Family): void {
  writeFileSync(`${file}.new`, JSON.stringify(family));
  renameSync(`${file}.new`, file);
}

/** Reads what `saveFamily` wrote. Of a family of which nobody runs it takes away what is left, and answers undefined, as when there is none. */
export function loadFamily(file: string): Family | undefined {
  let family: Family;
  try {
    family = JSON.parse(readFileSync(file, "utf8")) as Family;
  } catch {
    return undefined;
  }
  if (membersOf(family).some(isRunning)) return family;
  forgetFamily(file, family.baseId);
  return undefined;
}

/** Takes away what a family leaves: its file, and the shared memory that Envoy itself never removes. */
export function forgetFamily(file: string, baseId: number | undefined): void {
  rmSync(file, { force: true });
  // Envoy counts its names in tens of the base id.
  if (baseId !== undefined) rmSync(`/dev/shm/envoy_shared_memory_${baseId * 10}`, { force: true });
}
