/** The definition of reports on the mesh: what the control plane says, and nobody declares. */
import { meshReportKind } from "../model/mesh-report.ts";
import type { StructuralSchema } from "./crd-schema.ts";
import { type InstallObject, labelsOf } from "./objects.ts";

const text: StructuralSchema = { type: "string" };
const flag: StructuralSchema = { type: "boolean" };
const whole: StructuralSchema = { type: "integer", format: "int64" };
const time: StructuralSchema = { type: "string", format: "date-time" };
const object = (properties: Readonly<Record<string, StructuralSchema>>): StructuralSchema => ({ type: "object", properties });
// All of it is written at once, by one writer.
const listOf = (items: StructuralSchema): StructuralSchema => ({ type: "array", items, "x-kubernetes-list-type": "atomic" });

const certificate = object({ serial: text, notBefore: time, notAfter: time, renewAt: time, issuers: listOf(text) });
const pod = object({ uid: text, name: text, node: text, app: text, serviceAccount: text, identity: text, mode: text, state: text, reason: text, certificate });
const authority = object({ subject: text, fingerprint: text, notBefore: time, notAfter: time });
const node = object({ name: text, agent: text, proxy: text, envoy: text, refused: text, guard: text, reason: text, pods: whole });
const system = object({
  leader: text,
  authority: object({ plugIn: flag, rotation: text, notAfter: time, rootNotAfter: time, refused: text }),
  nodes: listOf(node),
  permissive: listOf(text),
  waiting: listOf(object({ pod: text, reason: text })),
  problems: listOf(text),
});
const status: StructuralSchema = {
  type: "object",
  description: "What the control plane says of the mesh in this namespace; it alone writes it. Nothing in it is secret.",
  properties: { version: text, trustDomain: text, joins: flag, mode: text, joined: text, pods: listOf(pod), authorities: listOf(authority), system },
};

/** The definition of MeshReport. */
export function reportDefinition(): InstallObject {
  const { group, version, resource, kind } = meshReportKind;
  const column = (name: string, jsonPath: string, type = "string"): object => ({ name, type, jsonPath });
  const schema = { type: "object", properties: { apiVersion: text, kind: text, metadata: { type: "object" }, status } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${resource}.${group}`, labels: labelsOf("weir") },
    spec: {
      group,
      scope: "Namespaced",
      // Not of the category weir: `kubectl get weir` shows what is declared.
      names: { plural: resource, singular: "meshreport", kind, listKind: `${kind}List`, shortNames: ["wmesh"] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          additionalPrinterColumns: [column("Joined", ".status.joined"), column("Mode", ".status.mode"), column("Age", ".metadata.creationTimestamp", "date")],
        },
      ],
    },
  };
}
