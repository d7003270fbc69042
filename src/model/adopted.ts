/** What a version may adopt: objects of a cluster that make pods. */
import type { Adopted } from "./types.ts";

export const adoptedKinds = ["Deployment", "StatefulSet", "DaemonSet"] as const;
export type AdoptedKind = (typeof adoptedKinds)[number];

export interface AdoptedName {
  readonly kind: AdoptedKind;
  readonly name: string;
}

/** Which object it is whose pods a version has. */
export function adoptedName({ deployment, statefulSet, daemonSet }: Adopted): AdoptedName {
  if (statefulSet !== undefined) return { kind: "StatefulSet", name: statefulSet };
  return daemonSet === undefined ? { kind: "Deployment", name: deployment ?? "" } : { kind: "DaemonSet", name: daemonSet };
}

/** What a version says that has the pods of this object. */
export function adopts({ kind, name }: AdoptedName, selector: Adopted["selector"]): Adopted {
  switch (kind) {
    case "Deployment":
      return { deployment: name, selector };
    case "StatefulSet":
      return { statefulSet: name, selector };
    case "DaemonSet":
      return { daemonSet: name, selector };
    default:
      return kind satisfies never;
  }
}

/** Says whether exactly one object is named. */
export function isOneAdopted({ deployment, statefulSet, daemonSet }: Partial<Adopted>): boolean {
  return [deployment, statefulSet, daemonSet].filter((name) => name !== undefined).length === 1;
}
