/** Data that workloads of this machine leave behind: folders, NAMESPACE/APP@VERSION/NUMBER/NAME. */
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { KeptVolume, VolumeQuery } from "../api/context.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";

/** The folders of these versions, declared or not; each is called by its whole path. */
export function findVolumes(volumeDir: string, queries: readonly VolumeQuery[]): readonly KeptVolume[] {
  const found = queries.flatMap(({ namespace, app, version }) =>
    list(path.join(volumeDir, namespace))
      .map((folder) => folder.split("@"))
      .filter(([ownApp, ownVersion]) => ownApp === app && (version === undefined || ownVersion === version))
      .flatMap(([, ownVersion = ""]) => foldersOf(volumeDir, { namespace, app, version: ownVersion as VersionName })),
  );
  return [...new Map(found.map((volume) => [volume.name, volume])).values()];
}

function foldersOf(volumeDir: string, owner: { readonly namespace: Namespace; readonly app: AppName; readonly version: VersionName }): readonly KeptVolume[] {
  const own = path.join(volumeDir, owner.namespace, `${owner.app}@${owner.version}`);
  return list(own).flatMap((replica) => list(path.join(own, replica)).map((name) => ({ ...owner, name: path.join(own, replica, name) })));
}

/** Deletes these folders, and what is empty then. */
export function removeVolumes(volumes: readonly KeptVolume[]): void {
  for (const { name } of volumes) {
    rmSync(name, { recursive: true, force: true });
    for (const parent of [path.dirname(name), path.dirname(path.dirname(name))]) if (list(parent).length === 0) rmdirSync(parent);
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}
