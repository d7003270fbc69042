/** BackendTLSPolicies, and root certificates in ConfigMaps, from the API server's JSON. */
import { X509Certificate } from "node:crypto";
import type { PeerName } from "../../model/gateway.ts";
import type { KubeBackendTlsPolicy, KubeRoots, KubeRootsRef } from "./backend-tls-objects.ts";
import { gatewayController } from "./gateway-objects.ts";
import { readMeta } from "./read-objects.ts";
import { readReported } from "./read-routes.ts";
import { list, number, optional, type Raw, record, text } from "./readers.ts";

/** Reads a BackendTLSPolicy. */
export function readBackendTlsPolicy(value: unknown): KubeBackendTlsPolicy {
  const raw = record(value);
  const [meta, said, spec] = [readMeta(raw), record(raw["metadata"]), record(raw["spec"])];
  const validation = record(spec["validation"]);
  const ancestors = list(record(raw["status"])["ancestors"]).map(record);
  return {
    kind: "BackendTLSPolicy",
    ...meta,
    generation: number(said["generation"]) ?? 0,
    createdAt: text(said["creationTimestamp"]) ?? "",
    targets: list(spec["targetRefs"])
      .map(record)
      .map((ref) => ({ ...readKind(ref), name: text(ref["name"]) ?? "", ...optional("section", text(ref["sectionName"])) })),
    roots: readRootsRefs(validation["caCertificateRefs"], meta.namespace),
    wellKnownRoots: text(validation["wellKnownCACertificates"]) ?? "",
    hostname: text(validation["hostname"]) ?? "",
    names: list(validation["subjectAltNames"]).map(record).map(readName),
    reported: ancestors.filter((one) => one["controllerName"] === gatewayController).map((one) => readReported(one, "ancestorRef")),
  };
}

function readKind(raw: Raw): { readonly group: string; readonly kind: string } {
  return { group: text(raw["group"]) ?? "", kind: text(raw["kind"]) ?? "" };
}

function readName(raw: Raw): PeerName {
  return raw["type"] === "URI" ? { kind: "uri", name: text(raw["uri"]) ?? "" } : { kind: "dns", name: (text(raw["hostname"]) ?? "").toLowerCase() };
}

/** Reads `caCertificateRefs`; those without a namespace are in `namespace`. */
export function readRootsRefs(value: unknown, namespace: string): readonly KubeRootsRef[] {
  return list(value)
    .map(record)
    .map((ref) => ({ ...readKind(ref), namespace: text(ref["namespace"]) ?? namespace, name: text(ref["name"]) ?? "" }));
}

/** Reads a ConfigMap's `ca.crt`; what else there is in it is forgotten. What Envoy would refuse is found here. */
export function readRoots(value: unknown): KubeRoots {
  const raw = record(value);
  const { uid, name, namespace, terminating } = readMeta(raw);
  const meta = { kind: "ConfigMap", uid, name, namespace, labels: {}, annotations: {}, terminating } as const;
  const found = text(record(raw["data"])["ca.crt"]);
  if (found === undefined) return { ...meta, mistake: "it has no key ca.crt" };
  const blocks = found.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.length > 0 && blocks.every(isCertificate)
    ? { ...meta, pem: `${blocks.join("\n")}\n` }
    : { ...meta, mistake: "its ca.crt does not hold certificates in PEM" };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}
