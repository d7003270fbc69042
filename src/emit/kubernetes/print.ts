/** Kubernetes objects as YAML text: one document each, in an order that depends on nothing but the objects. */
import { Document } from "yaml";
import type { KubeObject } from "./object.ts";

/** The order in which a reader meets them, and in which `kubectl apply` creates them without a dangling reference. */
const kindOrder = [
  "Namespace",
  "ConfigMap",
  "ServiceAccount",
  "Service",
  "EndpointSlice",
  "ServiceEntry",
  "DestinationRule",
  "Gateway",
  "ReferenceGrant",
  "VirtualService",
  "HTTPRoute",
  "GRPCRoute",
  "TCPRoute",
  // What calls others comes when their names are there.
  "Job",
  "CronJob",
];

/** Orders objects by kind, then namespace, then name. Returns a new list. */
export function sortObjects(objects: readonly KubeObject[]): readonly KubeObject[] {
  return [...objects].sort(
    (a, b) => rank(a) - rank(b) || compareText(a.metadata.namespace ?? "", b.metadata.namespace ?? "") || compareText(a.metadata.name, b.metadata.name),
  );
}

/** Prints `objects` in the order given, below `header` as comment lines. Equal input gives equal text; ends with a line break. */
export function printObjects(objects: readonly KubeObject[], header: readonly string[]): string {
  const comment = header.map((line) => (line === "" ? "#\n" : `# ${line}\n`)).join("");
  return comment + objects.map((object) => `---\n${printOne(object)}`).join("");
}

function printOne(object: KubeObject): string {
  // Kubernetes reads YAML 1.1, where a bare `on` or `1_000` is no string: "yaml-1.1" quotes those, too.
  return new Document(withoutUndefined(object), { version: "1.1", aliasDuplicateObjects: false }).toString({
    directives: false,
    lineWidth: 0,
    indentSeq: false,
  });
}

/** `undefined` means "not said"; the YAML library would print it as null. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, withoutUndefined(inner)]),
  );
}

function rank(object: KubeObject): number {
  const place = kindOrder.indexOf(object.kind);
  if (place < 0) throw new Error(`kind ${object.kind} has no place in the printing order`);
  return place;
}

/** By code unit, not by locale: the same on every machine. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
