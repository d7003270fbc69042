/** Namespaces. `default` is always there and is not printed. */
import { defaultNamespace, type Namespace } from "../../model/names.ts";
import { type KubeObject, type Membership, managedBy } from "./object.ts";

/** Emits a Namespace object for each of `names` but `default`. */
export function emitNamespaces(names: ReadonlySet<Namespace>, { labels, annotations }: Membership): readonly KubeObject[] {
  return [...names]
    .filter((name) => name !== defaultNamespace)
    .map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { ...labels, ...managedBy }, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    }));
}

/** The command that makes the namespace `default` take part in a mesh; undefined where nothing is needed. */
export function joinCommand({ labels, annotations }: Membership): string | undefined {
  const [label] = Object.entries(labels);
  if (label !== undefined) return `kubectl label namespace ${defaultNamespace} ${label.join("=")}`;
  const [annotation] = Object.entries(annotations);
  return annotation === undefined ? undefined : `kubectl annotate namespace ${defaultNamespace} ${annotation.join("=")}`;
}
