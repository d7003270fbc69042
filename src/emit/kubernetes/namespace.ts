/** The namespaces that hosts of a plan live in. `default` is always there and is not printed. */
import type { MeshPlan } from "../../compile/mesh-plan.ts";
import { defaultNamespace } from "../../model/names.ts";
import { type KubeObject, managedBy } from "./object.ts";

/** What a mesh wants to see on namespaces whose pods take part. */
export interface Membership {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Emits a Namespace object for each namespace but `default`. */
export function emitNamespaces(plan: MeshPlan, { labels, annotations }: Membership): readonly KubeObject[] {
  const names = new Set(plan.hosts.map(({ namespace }) => namespace));
  return [...names]
    .filter((name) => name !== defaultNamespace)
    .map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: {
        name,
        labels: { ...labels, ...managedBy },
        ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      },
    }));
}
