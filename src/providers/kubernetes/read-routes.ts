/** Gateway API's routes and grants from the API server's JSON. */
import type { Cors } from "../../model/gateway.ts";
import type { HeaderChanges } from "../../model/types.ts";
import { gatewayController } from "./gateway-objects.ts";
import { readMeta } from "./read-objects.ts";
import { list, number, optional, type Raw, record, text, texts } from "./readers.ts";
import {
  gatewayGroup,
  type KubeBackendRef,
  type KubeCondition,
  type KubeFilter,
  type KubeObjectRef,
  type KubeParentRef,
  type KubeParentStatus,
  type KubePath,
  type KubeReferenceGrant,
  type KubeRoute,
  type KubeRouteMatch,
  type KubeRouteRule,
  meshController,
} from "./route-objects.ts";

/** Reads an HTTPRoute. */
export function readHttpRoute(value: unknown): KubeRoute {
  return readRoute("HTTPRoute", record(value));
}

/** Reads a GRPCRoute. */
export function readGrpcRoute(value: unknown): KubeRoute {
  return readRoute("GRPCRoute", record(value));
}

/** Reads a TLSRoute. */
export function readTlsRoute(value: unknown): KubeRoute {
  return readRoute("TLSRoute", record(value));
}

/** Reads a TCPRoute. */
export function readTcpRoute(value: unknown): KubeRoute {
  return readRoute("TCPRoute", record(value));
}

/** Reads a ReferenceGrant. */
export function readReferenceGrant(value: unknown): KubeReferenceGrant {
  const raw = record(value);
  const spec = record(raw["spec"]);
  return {
    kind: "ReferenceGrant",
    ...readMeta(raw),
    from: list(spec["from"])
      .map(record)
      .map((from) => ({ ...readKind(from), namespace: text(from["namespace"]) ?? "" })),
    to: list(spec["to"])
      .map(record)
      .map((to) => ({ ...readKind(to), ...optional("name", text(to["name"])) })),
  };
}

function readKind(raw: Raw): { readonly group: string; readonly kind: string } {
  return { group: text(raw["group"]) ?? "", kind: text(raw["kind"]) ?? "" };
}

function readRoute(kind: KubeRoute["kind"], raw: Raw): KubeRoute {
  const [meta, spec] = [readMeta(raw), record(raw["spec"])];
  const said = record(raw["metadata"]);
  return {
    kind,
    ...meta,
    generation: number(said["generation"]) ?? 0,
    createdAt: text(said["creationTimestamp"]) ?? "",
    hostnames: texts(spec["hostnames"]).map((name) => name.toLowerCase()),
    parents: list(spec["parentRefs"]).map((parent) => readParent(record(parent), meta.namespace)),
    rules: list(spec["rules"]).map((rule) => readRule(kind, record(rule), meta.namespace)),
    reported: list(record(raw["status"])["parents"])
      .map(record)
      .filter(isOurs)
      .map((one) => readReported(one, "parentRef")),
  };
}

/** Says whether an entry of a status's `parents` is our own. */
export function isOurs(parent: Raw): boolean {
  return parent["controllerName"] === meshController || parent["controllerName"] === gatewayController;
}

function readParent(raw: Raw, namespace: string): KubeParentRef {
  return {
    group: typeof raw["group"] === "string" ? raw["group"] : gatewayGroup,
    kind: text(raw["kind"]) ?? "Gateway",
    namespace: text(raw["namespace"]) ?? namespace,
    name: text(raw["name"]) ?? "",
    ...optional("port", number(raw["port"])),
    ...optional("section", text(raw["sectionName"])),
    said: readSaid(raw),
  };
}

function readSaid(raw: Raw): KubeParentRef["said"] {
  const isSaid = (entry: [string, unknown]): entry is [string, string | number] => typeof entry[1] === "string" || typeof entry[1] === "number";
  return Object.fromEntries(Object.entries(raw).filter(isSaid));
}

/** Reads what a status says of one parent of a route, or one ancestor of a policy. */
export function readReported(raw: Raw, ref: "parentRef" | "ancestorRef"): KubeParentStatus {
  const controller = raw["controllerName"] === gatewayController ? gatewayController : meshController;
  return { parentRef: readSaid(record(raw[ref])), controller, conditions: list(raw["conditions"]).map((one) => readCondition(record(one))) };
}

/** Reads a condition of any status. */
export function readCondition(raw: Raw): KubeCondition {
  return {
    type: text(raw["type"]) ?? "",
    status: text(raw["status"]) ?? "",
    reason: text(raw["reason"]) ?? "",
    message: text(raw["message"]) ?? "",
    generation: number(raw["observedGeneration"]) ?? 0,
  };
}

function readRule(kind: KubeRoute["kind"], raw: Raw, namespace: string): KubeRouteRule {
  const timeouts = record(raw["timeouts"]);
  return {
    matches: list(raw["matches"]).map((match) => (kind === "GRPCRoute" ? readGrpcMatch(record(match)) : readHttpMatch(record(match)))),
    filters: list(raw["filters"]).map((filter) => readFilter(record(filter), namespace)),
    backends: list(raw["backendRefs"]).map((backend) => readBackend(record(backend), namespace)),
    ...optional("requestTimeout", text(timeouts["request"])),
    ...optional("backendTimeout", text(timeouts["backendRequest"])),
    ...optional("retry", raw["retry"] === undefined ? undefined : readRetry(record(raw["retry"]))),
  };
}

function readRetry(raw: Raw): NonNullable<KubeRouteRule["retry"]> {
  const codes = list(raw["codes"]).flatMap((code) => number(code) ?? []);
  return { codes, ...optional("attempts", number(raw["attempts"])), hasBackoff: raw["backoff"] !== undefined };
}

function readHttpMatch(raw: Raw): KubeRouteMatch {
  const path = record(raw["path"]);
  const value = text(path["value"]);
  return {
    ...optional("path", value === undefined ? undefined : { type: text(path["type"]) ?? "PathPrefix", value }),
    ...optional("method", text(raw["method"])),
    headers: readNamed(raw["headers"]),
    query: readNamed(raw["queryParams"]),
  };
}

function readGrpcMatch(raw: Raw): KubeRouteMatch {
  const method = record(raw["method"]);
  const names = { ...optional("service", text(method["service"])), ...optional("method", text(method["method"])) };
  return {
    ...optional("grpc", Object.keys(names).length === 0 ? undefined : { type: text(method["type"]) ?? "Exact", ...names }),
    headers: readNamed(raw["headers"]),
    query: [],
  };
}

/** Of several with one name only the first counts. Header names have no case. */
function readNamed(value: unknown): KubeRouteMatch["headers"] {
  const all = list(value)
    .map(record)
    .map((one) => ({ name: text(one["name"]) ?? "", type: text(one["type"]) ?? "Exact", value: text(one["value"]) ?? "" }));
  return all.filter(({ name }, index) => all.findIndex((other) => other.name.toLowerCase() === name.toLowerCase()) === index);
}

function readObjectRef(raw: Raw, namespace: string): KubeObjectRef {
  return {
    group: text(raw["group"]) ?? "",
    kind: text(raw["kind"]) ?? "Service",
    namespace: text(raw["namespace"]) ?? namespace,
    name: text(raw["name"]) ?? "",
    ...optional("port", number(raw["port"])),
  };
}

function readBackend(raw: Raw, namespace: string): KubeBackendRef {
  const filters = list(raw["filters"]).map((filter) => readFilter(record(filter), namespace));
  return { ...readObjectRef(raw, namespace), weight: number(raw["weight"]) ?? 1, filters };
}

function readFilter(raw: Raw, namespace: string): KubeFilter {
  const type = text(raw["type"]) ?? "";
  switch (type) {
    case "RequestHeaderModifier":
      return { kind: "requestHeaders", changes: readChanges(record(raw["requestHeaderModifier"])) };
    case "ResponseHeaderModifier":
      return { kind: "responseHeaders", changes: readChanges(record(raw["responseHeaderModifier"])) };
    case "RequestRedirect":
      return readRedirect(record(raw["requestRedirect"]));
    case "URLRewrite": {
      const rewrite = record(raw["urlRewrite"]);
      return { kind: "rewrite", ...optional("host", text(rewrite["hostname"])), ...optional("path", readPath(record(rewrite["path"]))) };
    }
    case "RequestMirror": {
      const mirror = record(raw["requestMirror"]);
      return { kind: "mirror", to: readObjectRef(record(mirror["backendRef"]), namespace), share: readShare(mirror) };
    }
    case "CORS":
      return { kind: "cors", cors: readCors(record(raw["cors"])) };
    default:
      return { kind: "other", type };
  }
}

function readCors(raw: Raw): Cors {
  return {
    origins: texts(raw["allowOrigins"]),
    methods: texts(raw["allowMethods"]),
    headers: texts(raw["allowHeaders"]),
    exposed: texts(raw["exposeHeaders"]),
    credentials: raw["allowCredentials"] === true,
    maxAgeSeconds: number(raw["maxAge"]) ?? 5,
  };
}

function readChanges(raw: Raw): HeaderChanges {
  const named = (value: unknown): HeaderChanges["set"] =>
    list(value)
      .map(record)
      .map((one) => ({ name: text(one["name"]) ?? "", value: text(one["value"]) ?? "" }));
  return { add: named(raw["add"]), set: named(raw["set"]), remove: texts(raw["remove"]) };
}

function readRedirect(raw: Raw): KubeFilter {
  return {
    kind: "redirect",
    ...optional("scheme", text(raw["scheme"])),
    ...optional("host", text(raw["hostname"])),
    ...optional("port", number(raw["port"])),
    ...optional("path", readPath(record(raw["path"]))),
    code: number(raw["statusCode"]) ?? 302,
  };
}

function readPath(raw: Raw): KubePath | undefined {
  if (raw["type"] === "ReplaceFullPath") return { kind: "full", path: text(raw["replaceFullPath"]) ?? "/" };
  if (raw["type"] === "ReplacePrefixMatch") return { kind: "prefix", path: text(raw["replacePrefixMatch"]) ?? "/" };
  return undefined;
}

function readShare(raw: Raw): number {
  const fraction = record(raw["fraction"]);
  const numerator = number(fraction["numerator"]);
  if (numerator !== undefined) return Math.round((numerator * 10_000) / (number(fraction["denominator"]) ?? 100));
  return Math.round((number(raw["percent"]) ?? 100) * 100);
}
