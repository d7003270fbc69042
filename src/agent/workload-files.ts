/** What one workload's start needs on the node's private tmpfs: its script, environment, configs and secrets. */
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { environmentScript, type SandboxFile, type SandboxOverlay, sandboxScript } from "../dataplane/sandbox.ts";
import type { Tools } from "../dataplane/tools.ts";
import type { WorkloadFile, WorkloadSpec, WorkloadVolume } from "./contract.ts";

export interface FilesContext {
  readonly tools: Tools;
  /** The private tmpfs. */
  readonly dir: string;
  readonly uid: number;
  readonly gid: number;
  readonly hidden: readonly string[];
  /** Where data is that workloads leave behind. */
  readonly volumeDir: string;
  /** Variables that a workload gets when it does not set them. */
  readonly defaultEnv: Readonly<Record<string, string>>;
}

/** Folder of one workload on the tmpfs. */
export function workloadDir(dir: string, id: string): string {
  return path.join(dir, "workloads", id);
}

/** The namespace pin of one workload. */
export function pinFile(dir: string, id: string): string {
  return path.join(dir, "pins", id);
}

/** Files that all workloads share: how names are resolved. Written once. */
export function writeSharedFiles(dir: string, nodeAddress: string, nsswitch: string | undefined): void {
  for (const folder of ["workloads", "pins"]) mkdirSync(path.join(dir, folder), { recursive: true });
  // An explicit search list: without one the host name's own domain would be searched.
  writeFileSync(path.join(dir, "resolv.conf"), `nameserver ${nodeAddress}\nsearch .\noptions timeout:2 attempts:2\n`);
  writeFileSync(path.join(dir, "nsswitch.conf"), hostsByDns(nsswitch ?? ""));
}

/** The machine's name service switch, with host names from the file and DNS alone: other sources know names of outside. */
export function hostsByDns(nsswitch: string): string {
  const others = nsswitch.split("\n").filter((line) => !/^\s*hosts\s*:/.test(line));
  return `${others.join("\n").trimEnd()}\nhosts: files dns\n`.trimStart();
}

/** Writes everything for a start; answers the script and remarks for the workload's log. */
export function writeWorkloadFiles(spec: WorkloadSpec, context: FilesContext): { readonly script: string; readonly remarks: readonly string[] } {
  const dir = workloadDir(context.dir, spec.id);
  for (const part of ["files", "overlays"]) rmSync(path.join(dir, part), { recursive: true, force: true });
  mkdirSync(path.join(dir, "files"), { recursive: true });
  const { script: environment, refused } = environmentScript({ ...context.defaultEnv, ...spec.env });
  writeFileSync(path.join(dir, "env"), environment, { mode: 0o600 });
  const hostName = spec.id.slice(0, 63).replace(/[-.]+$/, "");
  writeFileSync(path.join(dir, "hosts"), `127.0.0.1 localhost ${hostName}\n::1 localhost\n`);
  const { binds, overlays } = place(spec, { dir, volumeDir: context.volumeDir });
  const script = path.join(dir, "start");
  const plan = {
    pin: pinFile(context.dir, spec.id),
    hostName,
    uid: context.uid,
    gid: context.gid,
    dir: spec.dir,
    command: spec.command,
    envFile: path.join(dir, "env"),
    resolvConf: path.join(context.dir, "resolv.conf"),
    nsswitch: path.join(context.dir, "nsswitch.conf"),
    hosts: path.join(dir, "hosts"),
    hidden: context.hidden,
    binds,
    overlays,
  };
  writeFileSync(script, sandboxScript(context.tools, plan), { mode: 0o600 });
  return {
    script,
    remarks: refused.map((name) => `environment variable ${JSON.stringify(name)} is left out: no program started by a shell can have a name like that`),
  };
}

interface Placed {
  readonly binds: readonly SandboxFile[];
  readonly overlays: readonly SandboxOverlay[];
}

/** A file or folder that exists is covered by a bind mount; a new one appears through an overlay of the deepest folder that exists. */
function place(
  { files, volumes = [] }: Pick<WorkloadSpec, "files" | "volumes">,
  { dir, volumeDir }: { readonly dir: string; readonly volumeDir: string },
): Placed {
  const overlays = new Map<string, SandboxOverlay>();
  const upperOf = (target: string): string => {
    const base = existingFolder(path.dirname(target));
    const overlay = overlays.get(base) ?? newOverlay(base, path.join(dir, "overlays", String(overlays.size)));
    overlays.set(base, overlay);
    return path.join(overlay.upper, path.relative(base, target));
  };
  // A volume first: what is mounted in it is seen.
  const folders = volumes.map((volume) => placeVolume(volume, volumeDir, upperOf));
  const bound = files.flatMap((file, at) => placeFile(file, path.join(dir, "files", String(at)), upperOf));
  return { binds: [...folders, ...bound], overlays: [...overlays.values()] };
}

function placeVolume({ folder, path: target }: WorkloadVolume, volumeDir: string, upperOf: (target: string) => string): SandboxFile {
  const source = path.join(volumeDir, folder);
  mkdirSync(source, { recursive: true, mode: 0o700 });
  if (!existsSync(target)) mkdirSync(upperOf(target), { recursive: true, mode: 0o755 });
  return { path: target, source };
}

function placeFile(file: WorkloadFile, source: string, upperOf: (target: string) => string): readonly SandboxFile[] {
  if (statSync(file.path, { throwIfNoEntry: false })?.isFile() === true) {
    writeFileSync(source, file.content, { mode: file.mode });
    return [{ path: file.path, source }];
  }
  const target = upperOf(file.path);
  mkdirSync(path.dirname(target), { recursive: true, mode: 0o755 });
  writeFileSync(target, file.content, { mode: file.mode });
  return [];
}

function newOverlay(base: string, dir: string): SandboxOverlay {
  const overlay = { base, upper: path.join(dir, "upper"), work: path.join(dir, "work") };
  for (const folder of [overlay.upper, overlay.work]) mkdirSync(folder, { recursive: true, mode: 0o755 });
  return overlay;
}

function existingFolder(folder: string): string {
  return existsSync(folder) ? folder : existingFolder(path.dirname(folder));
}
