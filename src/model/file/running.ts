/** How many workloads a service has, what each is sure to get, and what of it outlives them. */
import { resolvePath } from "../../lib/posix-path.ts";
import { failed, ok } from "../../lib/problem.ts";
import { isLabel } from "../names.ts";
import { quantityPattern, quantityValue } from "../quantity.ts";
import { quote } from "../quote.ts";
import { nameProblem } from "../ref.ts";
import type { Resources, Service, Volume } from "../types.ts";
import type { Report } from "./report.ts";
import { absolutePath, filledText, integer } from "./scalars.ts";
import { byKind, type Located, type LocatedEntry, mapOf, type ObjectOf, object, optional, required, type Shape, scalar, soundOnly } from "./shape.ts";

/** More replicas than that are a mistake more often than a wish. */
const mostReplicas = 100;
/** Kubernetes' own, where an autoscaler says nothing. */
export const usualCpuPercent = 80;
/** Of a volume that says none. */
export const usualVolumeSize = "1Gi";
/** What a cluster calls the files of configs and secrets in a pod. */
const takenVolumeName = /^mount-\d+$/;

const count = integer("a number of replicas", 0, mostReplicas);
const countOrPerNode: Shape<number | "per-node"> = {
  schema: { anyOf: [count.schema, { const: "per-node" }] },
  read: (node, report, ownerAt) => (node.kind === "scalar" && node.text === "per-node" ? "per-node" : count.read(node, report, ownerAt)),
};
const rangeFields = {
  min: optional(integer("a number of replicas", 1, mostReplicas), "never fewer (default 1)"),
  max: required(integer("a number of replicas", 1, mostReplicas), "never more"),
  cpu: optional(integer("a percentage", 1, 1_000), `use of resources.cpu, in percent, that replicas are added for (default ${usualCpuPercent})`),
};
const range = object("a scale", rangeFields, { target: "cpu", minReplicas: "min", maxReplicas: "max" });
/** A number, `per-node`, or `{min, max, cpu}`. */
export const scaleShape: Shape<number | "per-node" | ObjectOf<typeof rangeFields>> = byKind("a scale", "3, per-node or {min: 1, max: 5, cpu: 70}", {
  scalar: countOrPerNode,
  map: range,
});

function quantity(noun: string, example: string): Shape<string> {
  return scalar(noun, example, { type: ["string", "number"], pattern: quantityPattern }, ({ text: written }) => {
    const value = quantityValue(written);
    if (value !== undefined && value > 0) return ok(written);
    const near = written.replaceAll(" ", "").replace(/([kmgtpe])i?b?$/i, (_, unit: string) => `${unit.toUpperCase()}i`);
    const mended = near !== written && (quantityValue(near) ?? 0) > 0 ? `; ${near}?` : "";
    return failed({ code: "quantity-invalid", message: `${quote(written)} is not ${noun}`, hint: `write it as Kubernetes does, like ${example}${mended}` });
  });
}

const resourceFields = {
  cpu: optional(quantity("an amount of processor", "250m"), "what each replica is sure to get, in processors: 250m is a quarter of one"),
  memory: optional(quantity("an amount of memory", "128Mi"), "what each replica is sure to get, and never more than that"),
};
/** `{cpu: 250m, memory: 128Mi}` */
export const resourcesShape: Shape<ObjectOf<typeof resourceFields>> = object("resources", resourceFields);

const volumeFields = {
  path: required(absolutePath, "where it appears in the workload"),
  size: optional(quantity("a size", "1Gi"), `how much it must hold (default ${usualVolumeSize})`),
  class: optional(filledText, "the cluster's storage class (default: its usual one)"),
};
type VolumeFields = ObjectOf<typeof volumeFields>;
/** By name: a path, or a map. */
export const volumesShape: Shape<readonly LocatedEntry<string | VolumeFields>[]> = mapOf(
  "the volumes",
  byKind("a volume", "/var/lib/db, or {path: /var/lib/db, size: 1Gi}", {
    scalar: absolutePath,
    map: soundOnly(object("a volume", volumeFields, { storageClass: "class", mountPath: "path", storage: "size" })),
  }),
);

/** What a service says of all this. */
export interface RunningFields {
  readonly scale: Located<number | "per-node" | ObjectOf<typeof rangeFields>> | undefined;
  readonly resources: Located<ObjectOf<typeof resourceFields>> | undefined;
  readonly volumes: Located<readonly LocatedEntry<string | VolumeFields>[]> | undefined;
}

/** Completes it with its defaults. Fields that say nothing are absent. `taken`: paths where something is mounted already. */
export function readRunning(
  fields: RunningFields,
  taken: ReadonlySet<string>,
  report: Report,
): Pick<Service, "scale" | "autoscale" | "perNode" | "resources" | "volumes"> {
  const resources = readResources(fields.resources?.value);
  const volumes = readVolumes(fields.volumes?.value ?? [], taken, report);
  if (fields.scale?.value === "per-node" && volumes.length > 0)
    report.add(
      fields.scale.at,
      "volumes-per-node",
      "one on every node and volumes of its own do not go together",
      "say how many replicas there are, or leave the volumes out",
    );
  return {
    ...readScale(fields.scale, resources, report),
    ...(resources === undefined ? {} : { resources }),
    ...(volumes.length === 0 ? {} : { volumes }),
  };
}

function readScale(scale: RunningFields["scale"], resources: Resources | undefined, report: Report): Pick<Service, "scale" | "autoscale" | "perNode"> {
  if (scale === undefined) return { scale: 1 };
  if (scale.value === "per-node") return { scale: 1, perNode: true };
  if (typeof scale.value === "number") return { scale: scale.value };
  const { min, max, cpu } = scale.value;
  const least = min?.value ?? 1;
  if (max === undefined) return { scale: least };
  if (max.value < least) report.add(max.at, "scale-range", `at most ${max.value} replicas are fewer than at least ${least}`, "max is min or more");
  if (resources?.cpu === undefined)
    report.add(
      scale.at,
      "autoscale-needs-cpu",
      "the number of replicas can only follow their use of the processor when it is known what each should have",
      "add resources: {cpu: 250m}",
    );
  return { scale: least, autoscale: { max: max.value, cpu: cpu?.value ?? usualCpuPercent } };
}

/** What each replica or run is sure to get; undefined: nothing is said. */
export function readResources(fields: ObjectOf<typeof resourceFields> | undefined): Resources | undefined {
  const { cpu, memory } = fields ?? {};
  if (cpu === undefined && memory === undefined) return undefined;
  return { ...(cpu && { cpu: cpu.value }), ...(memory && { memory: memory.value }) };
}

function readVolumes(entries: readonly LocatedEntry<string | VolumeFields>[], taken: ReadonlySet<string>, report: Report): readonly Volume[] {
  const paths = new Set(taken);
  return entries.flatMap(({ key, keyAt, value, at }): readonly Volume[] => {
    checkName(key, keyAt, report);
    const said = typeof value === "string" ? { value, at } : value.path;
    if (said === undefined) return [];
    const path = resolvePath("/", said.value);
    if (path === "/") report.add(said.at, "path-invalid", "a volume cannot take the place of everything", "give it a folder of its own, like /var/lib/db");
    if (paths.has(path)) report.add(said.at, "duplicate-mount", `something is mounted at ${quote(path)} already`);
    paths.add(path);
    const { size, class: storageClass } = typeof value === "string" ? {} : value;
    return [{ name: key, path, size: size?.value ?? usualVolumeSize, ...(storageClass && { class: storageClass.value }) }];
  });
}

/** Its name is part of those of folders and claims. */
function checkName(name: string, at: number, report: Report): void {
  if (!isLabel(name)) report.addProblem(at, nameProblem("volume's name", name));
  else if (takenVolumeName.test(name)) report.add(at, "name-invalid", `${quote(name)} is what a cluster calls something else`, "choose another name");
}
