/** The data that versions leave behind: nothing deletes it but who asks for it. */
import type { Declared } from "../model/declared.ts";
import type { AppName, Namespace } from "../model/names.ts";
import { parseRef } from "../model/ref.ts";
import type { ApiContext, KeptVolume, VolumeQuery } from "./context.ts";
import type { VolumeView } from "./contract.ts";
import { need } from "./refusal.ts";

/** Whose volumes they are that these objects may leave behind. */
export function volumeOwners(objects: readonly Declared[]): readonly VolumeQuery[] {
  return objects.flatMap((object) => {
    if (object.kind !== "service" || !("service" in object.value)) return [];
    const { namespace, app, version, volumes = [] } = object.value.service;
    return volumes.length === 0 ? [] : [{ namespace, app, version }];
  });
}

/** Whose volumes a reference names when nothing of that name is declared any more; undefined: nobody's. */
export async function leftoverOwner({ machine }: ApiContext, text: string, namespace: string): Promise<VolumeQuery | undefined> {
  const { kind, name, version, ...ref } = need(parseRef(text, namespace as Namespace));
  if (kind !== undefined && kind !== "app" && kind !== "service") return undefined;
  const query = { namespace: ref.namespace, app: name as AppName, ...(version === undefined ? {} : { version }) };
  return need(await machine.keptVolumes([query])).length === 0 ? undefined : query;
}

/** Deletes what is there, and says so. */
export async function deleteVolumes({ machine }: ApiContext, owners: readonly VolumeQuery[]): Promise<readonly VolumeView[]> {
  if (owners.length === 0) return [];
  const found = need(await machine.keptVolumes(owners));
  need(await machine.deleteVolumes(found));
  return found.map((volume) => view(volume, true));
}

/** What stays. Who may not look at it is not told of it: what was asked for is done. */
export async function keptVolumes({ machine }: ApiContext, owners: readonly VolumeQuery[]): Promise<readonly VolumeView[]> {
  const found = owners.length === 0 ? undefined : await machine.keptVolumes(owners);
  return found?.ok === true ? found.value.map((volume) => view(volume, false)) : [];
}

function view({ namespace, app, version, name }: KeptVolume, deleted: boolean): VolumeView {
  return { namespace, app, version, name, deleted };
}
