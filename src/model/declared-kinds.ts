/** How what is declared is called on a cluster: kinds of the API group weir.dev, and labelled ConfigMaps and Secrets. */
import type { Kind } from "./declared.ts";

/** The kinds that are objects on a cluster. Stacks are labels there; addresses, templates and runs are the cluster's own business. */
export type ClusterKind = Exclude<Kind, "stack" | "address" | "template" | "run">;

export interface ClusterKindNames {
  /** The core group is "". */
  readonly group: string;
  readonly version: string;
  /** As addresses have it. */
  readonly resource: string;
  readonly kind: string;
}

export const weirGroup = "weir.dev";
export const weirVersion = "v1alpha1";

/** On any object: the stack that owns it. */
export const stackLabel = "weir.dev/stack";
/** On a ConfigMap or Secret, `config` or `secret`: it is one of ours to read, and workloads may use it. */
export const dataKindLabel = "weir.dev/kind";

const ours = (kind: string, resource: string): ClusterKindNames => ({ group: weirGroup, version: weirVersion, resource, kind });

/** In the order in which they are written: what others need comes first. */
export const clusterKinds: { readonly [K in ClusterKind]: ClusterKindNames } = {
  config: { group: "", version: "v1", resource: "configmaps", kind: "ConfigMap" },
  secret: { group: "", version: "v1", resource: "secrets", kind: "Secret" },
  external: ours("ExternalService", "externalservices"),
  service: ours("Version", "versions"),
  app: ours("App", "apps"),
  job: ours("Job", "jobs"),
  router: ours("Router", "routers"),
};

/** Whether objects of a kind exist on a cluster. */
export function isClusterKind(kind: Kind): kind is ClusterKind {
  return kind in clusterKinds;
}
