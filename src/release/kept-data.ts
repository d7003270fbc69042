/** What becomes of the data of versions with volumes, and what else of a change one may not expect. */
import type { Problem } from "../lib/problem.ts";
import type { DeclaredSnapshot } from "../model/declared.ts";
import type { Runs } from "../model/file/scope.ts";
import { appKey, versionKey } from "../model/names.ts";
import type { Service, Volume } from "../model/types.ts";

/** `db@v1`, with its namespace where it is not the default one. */
function nameOf({ namespace, app, version }: Service): string {
  return `${namespace === "default" ? "" : `${namespace}:`}${app}@${version}`;
}

function volumesOf({ volumes }: Pick<Service, "volumes">): readonly Volume[] {
  return volumes ?? [];
}

/** Where a volume appears may change, what it is may not. */
function identity(volumes: readonly Volume[]): string {
  return volumes
    .map(({ name, size, class: storageClass = "" }) => `${name} ${size} ${storageClass}`)
    .toSorted()
    .join();
}

/** Problem `volumes-fixed`: services that want other volumes than they have. To have none, or the first ones, is no such wish. */
export function volumeProblems(snapshot: DeclaredSnapshot, services: readonly Service[]): readonly Problem[] {
  return services.flatMap((service): readonly Problem[] => {
    const before = volumesOf(snapshot.objects.service.get(versionKey(service.namespace, service.app, service.version))?.value.service ?? {});
    const after = volumesOf(service);
    if (before.length === 0 || after.length === 0 || identity(before) === identity(after)) return [];
    const { app, version } = service;
    return [
      {
        code: "volumes-fixed",
        message: `the volumes of ${nameOf(service)} are ${identity(before)}, and stay so: a version's volumes keep their names, sizes and classes`,
        hint: `make another version of ${app}, which starts empty; or let the file say what it said, and resize the claims themselves: kubectl get pvc -l weir.dev/app=${app},weir.dev/version=${version}`,
      },
    ];
  });
}

interface Changed {
  readonly snapshot: DeclaredSnapshot;
  readonly wanted: readonly Service[];
  /** Versions that go. */
  readonly gone: readonly Service[];
  /** What the platform starts. */
  readonly runs: Runs | undefined;
}

/** One line for each thing that may be a surprise. */
export function changeNotes({ snapshot, wanted, gone, runs }: Changed): readonly string[] {
  const kept = gone
    .filter((service) => volumesOf(service).length > 0)
    .map((service) => `the volumes of ${nameOf(service)} stay when it goes; \`weir rm --volumes ${nameOf(service)}\` deletes them, before or after`);
  return [...kept, ...wanted.flatMap((service) => [...dataNotes(snapshot, service), ...(runs === "commands" ? machineNotes(service) : [])])];
}

function dataNotes(snapshot: DeclaredSnapshot, service: Service): readonly string[] {
  const { namespace, app, version } = service;
  const before = snapshot.objects.service.get(versionKey(namespace, app, version))?.value.service;
  if (before !== undefined) {
    const isLost = volumesOf(before).length > 0 && volumesOf(service).length === 0;
    return isLost ? [`${nameOf(service)} no longer sees its volumes; they stay, and are there again when it has them again`] : [];
  }
  if (volumesOf(service).length === 0) return [];
  const key = appKey(namespace, app);
  const others = [...snapshot.objects.service.values()].map(({ value }) => value.service).filter((one) => appKey(one.namespace, one.app) === key);
  const withData = others.filter((one) => volumesOf(one).length > 0).map((one) => one.version);
  return withData.length === 0 ? [] : [`${nameOf(service)} has volumes of its own: it does not see the data of ${withData.toSorted().join(", ")}`];
}

/** Where there is one machine, whatever the file says. */
function machineNotes(service: Service): readonly string[] {
  if (service.perNode === true) return [`${nameOf(service)} runs once: this machine is the only node`];
  if (service.autoscale === undefined) return [];
  return [`${nameOf(service)} runs ${service.scale}, not up to ${service.autoscale.max}: the number follows the load on a cluster only`];
}
