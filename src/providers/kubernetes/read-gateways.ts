/** Gateway API's classes and Gateways, and TLS Secrets, from the API server's JSON. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type {
  KubeClientValidation,
  KubeGateway,
  KubeGatewayClass,
  KubeGatewayTls,
  KubeListener,
  KubeListenerSet,
  KubeReported,
  KubeSecretRef,
  KubeSelector,
  KubeTlsSecret,
} from "./gateway-objects.ts";
import { readRootsRefs } from "./read-backend-tls.ts";
import { readMeta } from "./read-objects.ts";
import { readCondition } from "./read-routes.ts";
import { list, number, optional, type Raw, record, text, textMap, texts } from "./readers.ts";
import { gatewayGroup } from "./route-objects.ts";

/** Reads a GatewayClass. */
export function readGatewayClass(value: unknown): KubeGatewayClass {
  const raw = record(value);
  const spec = record(raw["spec"]);
  return {
    kind: "GatewayClass",
    ...readMeta(raw),
    generation: generationOf(raw),
    controller: text(spec["controllerName"]) ?? "",
    hasParameters: spec["parametersRef"] !== undefined,
    reported: statusText(raw["status"]),
  };
}

/** Reads a Gateway. */
export function readGateway(value: unknown): KubeGateway {
  const raw = record(value);
  const [meta, spec, status] = [readMeta(raw), record(raw["spec"]), record(raw["status"])];
  const infrastructure = record(spec["infrastructure"]);
  return {
    kind: "Gateway",
    ...meta,
    generation: generationOf(raw),
    createdAt: text(record(raw["metadata"])["creationTimestamp"]) ?? "",
    className: text(spec["gatewayClassName"]) ?? "",
    listeners: list(spec["listeners"]).map((listener) => readListener(record(listener), meta.namespace)),
    tls: readGatewayTls(record(spec["tls"]), meta.namespace),
    addresses: list(spec["addresses"])
      .map(record)
      .map((address) => ({ type: text(address["type"]) ?? "IPAddress", value: text(address["value"]) ?? "" })),
    infrastructure: {
      labels: textMap(infrastructure["labels"]),
      annotations: textMap(infrastructure["annotations"]),
      hasParameters: infrastructure["parametersRef"] !== undefined,
    },
    allowedListeners: readAllowedListeners(record(record(spec["allowedListeners"])["namespaces"])),
    reported: readStatus(status),
  };
}

function readAllowedListeners(raw: Raw): KubeGateway["allowedListeners"] {
  const from = text(raw["from"]);
  const known = from === "Same" || from === "All" || from === "Selector" ? from : "None";
  return { from: known, selector: readSelector(record(raw["selector"])) };
}

function readStatus(status: Raw): KubeReported {
  return { text: statusText(status), conditions: list(status["conditions"]).map((one) => readCondition(record(one))) };
}

/** Reads a ListenerSet. */
export function readListenerSet(value: unknown): KubeListenerSet {
  const raw = record(value);
  const [meta, spec] = [readMeta(raw), record(raw["spec"])];
  const parent = record(spec["parentRef"]);
  return {
    kind: "ListenerSet",
    ...meta,
    generation: generationOf(raw),
    createdAt: text(record(raw["metadata"])["creationTimestamp"]) ?? "",
    parent: {
      group: typeof parent["group"] === "string" ? parent["group"] : gatewayGroup,
      kind: text(parent["kind"]) ?? "Gateway",
      namespace: text(parent["namespace"]) ?? meta.namespace,
      name: text(parent["name"]) ?? "",
    },
    listeners: list(spec["listeners"]).map((listener) => readListener(record(listener), meta.namespace)),
    reported: readStatus(record(raw["status"])),
  };
}

/** A status without the times of its conditions, as text: two that say the same are the same, in whatever order lists by type or name have it. */
export function statusText(status: unknown): string {
  return canonicalJson(timeless(status ?? {}));
}

function timeless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(timeless).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "lastTransitionTime")
      .map(([key, one]) => [key, timeless(one)]),
  );
}

function keyOf(element: unknown): string {
  const { type, name } = record(element);
  return text(type) ?? text(name) ?? "";
}

function generationOf(raw: Raw): number {
  return number(record(raw["metadata"])["generation"]) ?? 0;
}

function readListener(raw: Raw, namespace: string): KubeListener {
  const allowed = record(raw["allowedRoutes"]);
  const namespaces = record(allowed["namespaces"]);
  const from = text(namespaces["from"]);
  return {
    name: text(raw["name"]) ?? "",
    port: number(raw["port"]) ?? 0,
    protocol: text(raw["protocol"]) ?? "",
    hostname: (text(raw["hostname"]) ?? "").toLowerCase(),
    ...optional("tls", raw["tls"] === undefined ? undefined : readTls(record(raw["tls"]), namespace)),
    from: from === "All" || from === "Selector" ? from : "Same",
    selector: readSelector(record(namespaces["selector"])),
    kinds: list(allowed["kinds"])
      .map(record)
      .map((kind) => ({ group: typeof kind["group"] === "string" ? kind["group"] : gatewayGroup, kind: text(kind["kind"]) ?? "" })),
  };
}

function readTls(raw: Raw, namespace: string): NonNullable<KubeListener["tls"]> {
  return { mode: text(raw["mode"]) ?? "Terminate", certificates: list(raw["certificateRefs"]).map((ref) => readSecretRef(record(ref), namespace)) };
}

function readSecretRef(raw: Raw, namespace: string): KubeSecretRef {
  return {
    group: text(raw["group"]) ?? "",
    kind: text(raw["kind"]) ?? "Secret",
    namespace: text(raw["namespace"]) ?? namespace,
    name: text(raw["name"]) ?? "",
  };
}

function readGatewayTls(raw: Raw, namespace: string): KubeGatewayTls {
  const [frontend, ref] = [record(raw["frontend"]), record(raw["backend"])["clientCertificateRef"]];
  return {
    ...optional("clientCertificate", ref === undefined ? undefined : readSecretRef(record(ref), namespace)),
    ...optional("clients", readClients(frontend["default"], namespace)),
    clientsAt: list(frontend["perPort"])
      .map(record)
      .map((one) => ({ port: number(one["port"]) ?? 0, ...optional("clients", readClients(one["tls"], namespace)) })),
  };
}

function readClients(value: unknown, namespace: string): KubeClientValidation | undefined {
  const validation = record(value)["validation"];
  if (validation === undefined) return undefined;
  const raw = record(validation);
  return { roots: readRootsRefs(raw["caCertificateRefs"], namespace), isInsecure: raw["mode"] === "AllowInsecureFallback" };
}

function readSelector(raw: Raw): KubeSelector {
  const expressions = list(raw["matchExpressions"])
    .map(record)
    .map((one) => ({ key: text(one["key"]) ?? "", operator: text(one["operator"]) ?? "", values: texts(one["values"]) }));
  return { labels: textMap(raw["matchLabels"]), expressions };
}

/** Reads a Secret of the type `kubernetes.io/tls`. What Envoy would refuse is found here, so that one bad Secret takes no listener of others with it. */
export function readTlsSecret(value: unknown): KubeTlsSecret {
  const raw = record(value);
  const data = record(raw["data"]);
  const [chain, key] = ["tls.crt", "tls.key"].map((name) => Buffer.from(text(data[name]) ?? "", "base64").toString("utf8")) as [string, string];
  const mistake = mistakeIn(chain, key);
  const kept = mistake === undefined ? { pair: { chain, key } } : { mistake };
  return { kind: "Secret", ...readMeta(raw), ...kept };
}

function mistakeIn(chain: string, key: string): string | undefined {
  const [certificate, secret] = [attempt(() => new X509Certificate(chain)), attempt(() => createPrivateKey(key))];
  if (certificate === undefined) return "tls.crt holds no certificate in PEM";
  if (secret === undefined) return "tls.key holds no private key in PEM";
  if (!isServable(secret)) return "tls.key is neither RSA of 2048 bits or more nor ECDSA on P-256, P-384 or P-521";
  return certificate.checkPrivateKey(secret) ? undefined : "tls.key does not belong to tls.crt";
}

const curves: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);

function isServable({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === "rsa") return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  return asymmetricKeyType === "ec" && curves.has(asymmetricKeyDetails?.namedCurve ?? "");
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
