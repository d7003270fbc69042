/** Declared objects and what belongs to them, read from the API server's JSON. Of configs and secrets only a hash of their contents stays. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { DeclarationKind, KubeContent, KubeDeclaration, KubeDeployment, KubeWritten } from "./objects.ts";
import { readMeta } from "./read-objects.ts";
import { list, number, optional, record, text, texts } from "./readers.ts";
import { declaredReaders, type KubeDeclared } from "./translate-declared.ts";
import type { WrittenKind } from "./workload-objects.ts";

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
    return { ...meta, kind, digest: hashOf({ labels: meta.labels, uids, spec: raw["spec"], automount: raw["automountServiceAccountToken"] }), owners: uids };
  };
}

const readWrittenDeployment = writtenReader("Deployment");

/** Reads a Deployment that Weir wrote. */
export function readDeployment(value: unknown): KubeDeployment {
  const raw = record(value);
  const status = record(raw["status"]);
  const failure = list(status["conditions"])
    .map(record)
    .find(({ type, status: holds }) => type === "ReplicaFailure" && holds === "True");
  const count = (field: string): number => number(status[field]) ?? 0;
  return {
    ...readWrittenDeployment(raw),
    isObserved: count("observedGeneration") >= (number(record(raw["metadata"])["generation"]) ?? 0),
    replicas: count("replicas"),
    updated: count("updatedReplicas"),
    ready: count("readyReplicas"),
    ...optional("failure", text(failure?.["message"])),
  };
}

/** 16 hexadecimal digits of a value's SHA-256. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex").slice(0, 16);
}
