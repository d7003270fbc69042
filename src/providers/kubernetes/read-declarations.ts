/** Declared objects and what belongs to them, read from the API server's JSON. Of configs and secrets only a hash of their contents stays. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { DeclarationKind, KubeAutoscaler, KubeContent, KubeDeclaration, KubeRunner, KubeWritten } from "./objects.ts";
import { readMeta } from "./read-objects.ts";
import { list, number, optional, type Raw, record, text, texts } from "./readers.ts";
import { declaredReaders, type KubeDeclared } from "./translate-declared.ts";
import { fieldManager, isRunnerKind, type RunnerKind, type WrittenKind } from "./workload-objects.ts";

/** The reader of a kind of `weir.dev`. What only its status says is left out: our own words must not look like a change. */
export function declarationReader<K extends DeclarationKind>(kind: K): (raw: unknown) => KubeDeclaration<K> {
  const read: (raw: unknown) => KubeDeclared<K> = declaredReaders[kind];
  return (raw) => {
    const meta = record(record(raw)["metadata"]);
    const { object, problems } = read(raw);
    const said = kind === "job" ? record(record(raw)["status"]) : {};
    return {
      ...readMeta(record(raw)),
      kind,
      generation: number(meta["generation"]) ?? 0,
      createdAt: Date.parse(text(meta["creationTimestamp"]) ?? "") || 0,
      ...optional("value", object?.value),
      problems,
      ...(kind === "job" ? { said: { ...optional("begun", text(said["begun"])), ...optional("state", text(said["state"])) } } : {}),
    };
  };
}

/** The reader of ConfigMaps or Secrets that workloads may use. */
export function contentReader(kind: KubeContent["kind"]): (raw: unknown) => KubeContent {
  return (value) => {
    const raw = record(value);
    return { ...readMeta(raw), kind, hash: hashOf({ data: raw["data"], binary: raw["binaryData"] }) };
  };
}

/** The reader of a kind that Weir writes. */
export function writtenReader<K extends WrittenKind>(kind: K): (raw: unknown) => KubeWritten & { readonly kind: K } {
  return (value) => {
    const raw = record(value);
    const owners = list(record(raw["metadata"])["ownerReferences"]).map(record);
    const meta = readMeta(raw);
    const uids = texts(owners.map(({ uid }) => uid));
    const annotations = ownFields(raw).flatMap((fields) => Object.keys(record(record(fields["f:metadata"])["f:annotations"])));
    const said = { spec: decidingSpec(kind, raw), data: raw["data"], automount: raw["automountServiceAccountToken"] };
    return { ...meta, kind, digest: hashOf({ labels: meta.labels, annotations, uids, ...said }), owners: uids };
  };
}

/** How many pods there are decides nothing that is ours where an autoscaler says it. */
function decidingSpec(kind: WrittenKind, raw: Raw): unknown {
  if (!isRunnerKind(kind) || saysReplicas(raw)) return raw["spec"];
  const { replicas: _replicas, ...rest } = record(raw["spec"]);
  return rest;
}

/** Whether Weir applied the number of pods that there is, and nobody changed it since. */
function saysReplicas(raw: Raw): boolean {
  return ownFields(raw).some((fields) => record(fields["f:spec"])["f:replicas"] !== undefined);
}

/** What Weir applied and nobody changed since, as the API server notes it: names of fields, without their values. */
function ownFields(raw: Raw): readonly Raw[] {
  return list(record(raw["metadata"])["managedFields"])
    .map(record)
    .filter(({ manager, operation, subresource }) => manager === fieldManager && operation === "Apply" && subresource === undefined)
    .map(({ fieldsV1 }) => record(fieldsV1));
}

/** The reader of a kind that makes pods. */
export function runnerReader(kind: RunnerKind): (raw: unknown) => KubeRunner {
  const readWritten = writtenReader(kind);
  return (value) => {
    const raw = record(value);
    const status = record(raw["status"]);
    const count = (...fields: readonly string[]): number => fields.map((field) => number(status[field])).find((found) => found !== undefined) ?? 0;
    return {
      ...readWritten(raw),
      kind,
      isObserved: count("observedGeneration") >= (number(record(raw["metadata"])["generation"]) ?? 0),
      wanted: kind === "DaemonSet" ? count("desiredNumberScheduled") : (number(record(raw["spec"])["replicas"]) ?? 1),
      updated: count("updatedReplicas", "updatedNumberScheduled"),
      ready: count("readyReplicas", "numberReady"),
      saysReplicas: saysReplicas(raw),
      ...optional("failure", failureOf(status, ["ReplicaFailure", "True"])),
    };
  };
}

/** Reads an autoscaler that Weir wrote. */
export function readAutoscaler(value: unknown): KubeAutoscaler {
  const raw = record(value);
  return { ...readWrittenAutoscaler(raw), ...optional("failure", failureOf(record(raw["status"]), ["AbleToScale", "False"], ["ScalingActive", "False"])) };
}

const readWrittenAutoscaler = writtenReader("HorizontalPodAutoscaler");

/** What the first of these conditions that holds says. */
function failureOf(status: Raw, ...bad: readonly (readonly [type: string, status: string])[]): string | undefined {
  const conditions = list(status["conditions"]).map(record);
  const found = bad.map(([type, holds]) => conditions.find((one) => one["type"] === type && one["status"] === holds)).find((one) => one !== undefined);
  return text(found?.["message"]);
}

/** 16 hexadecimal digits of a value's SHA-256. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, 16);
}
