/** Kubernetes objects as plain values, and what every emitter of objects returns. */
import type { Namespace } from "../../model/names.ts";

/** Anything that can stand in an object: what YAML can say and Kubernetes accepts. */
export type KubeValue = string | number | boolean | readonly KubeValue[] | KubeFields;
/** A key whose value is undefined is left out when printed. */
export interface KubeFields {
  readonly [key: string]: KubeValue | undefined;
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: KubeFields;
  readonly data?: KubeFields;
  /** Of a ServiceAccount. */
  readonly automountServiceAccountToken?: boolean;
  /** EndpointSlice has its fields at the top. */
  readonly addressType?: string;
  readonly endpoints?: readonly KubeFields[];
  readonly ports?: readonly KubeFields[];
}

/** What a mesh wants to see on namespaces whose pods take part in it. */
export interface Membership {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What an emitter made of a plan. */
export interface Emission {
  /** All but the namespaces that they are in. */
  readonly objects: readonly KubeObject[];
  readonly membership: Membership;
  /** What the reader must know or do besides applying the objects; whole sentences. */
  readonly notices: readonly string[];
}

/** Marks everything Weir printed, so that it can be listed and removed with one selector. */
export const managedBy: Readonly<Record<string, string>> = { "app.kubernetes.io/managed-by": "weir" };

/** What an object needs besides its kind. */
export interface Named {
  readonly name: string;
  readonly namespace: Namespace;
  readonly labels?: Readonly<Record<string, string>>;
  /** Left out when empty. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Builds the `metadata` of a namespaced object: the given labels plus `managed-by`. */
export function metadata(named: Named): KubeObject["metadata"] {
  const { name, namespace, labels, annotations = {} } = named;
  return {
    name,
    namespace,
    labels: { ...labels, ...managedBy },
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}
