/** Kubernetes objects as plain values, as an installation writes them. */

export interface InstallObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    /** Absent: of no namespace. */
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Where Weir's own parts live. */
export const systemNamespace = "weir-system";
export const controlName = "weir-control";
export const nodeName = "weir-node";
/** The port of nodes and their Envoys. */
export const controlPort = 15_012;
export const healthPort = 15_020;
/** The port at which the API server asks about declared objects. */
export const webhookPort = 15_017;

/** By this label an installation knows its own objects: what it has not made it does not touch. */
export const ownLabel = { key: "weir.dev/part-of", value: "install" } as const;
export const ownSelector = `${ownLabel.key}=${ownLabel.value}`;

/** Labels of one component's objects. */
export function labelsOf(component: string): Readonly<Record<string, string>> {
  return {
    "app.kubernetes.io/name": component,
    "app.kubernetes.io/part-of": "weir",
    "app.kubernetes.io/managed-by": "weir",
    [ownLabel.key]: ownLabel.value,
  };
}

/** What pods of a component are selected by; never changes, for selectors may not. */
export function podLabels(component: string): Readonly<Record<string, string>> {
  return { "app.kubernetes.io/name": component, "app.kubernetes.io/part-of": "weir" };
}

/** Metadata of an object in Weir's namespace. */
export function inSystem(name: string, component: string = name): InstallObject["metadata"] {
  return { name, namespace: systemNamespace, labels: labelsOf(component) };
}

/** How messages call an object: `daemonset weir-node`. */
export function nameOf({ kind, metadata: { name } }: Pick<InstallObject, "kind" | "metadata">): string {
  return `${kind.toLowerCase()} ${name}`;
}
