/**
 * What is declared, as objects of a cluster, both ways. A put becomes the whole object; an object becomes what it declares, or problems.
 * Places in files are not kept: an object stands for itself there, whoever applied it.
 */
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { Problem } from "../../lib/problem.ts";
import type { Declared, DeclaredApp, DeclaredJob, DeclaredService, Kinds, Put } from "../../model/declared.ts";
import { type ClusterKind, clusterKinds, dataKindLabel, stackLabel } from "../../model/declared-kinds.ts";
import { valueSchemas } from "../../model/declared-schemas.ts";
import { type AppName, appKey, type Namespace, objectKey, type VersionName, versionKey } from "../../model/names.ts";
import type { ExternalService, Router } from "../../model/types.ts";
import { readAppStatus, readJobStatus, readProgrammedStatus, readVersionStatus, type Statuses } from "./declared-status.ts";
import type { KubeMeta } from "./objects.ts";
import { readMeta } from "./read-objects.ts";
import { list, number, optional, type Raw, record, text } from "./readers.ts";

/** A put of a kind that is an object on a cluster. */
export type ClusterPut = Extract<Put, { readonly kind: ClusterKind }>;

/** An object as it is sent. */
export interface DeclaredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** A declared object as a cluster has it, and what the control plane says of it. */
export interface KubeDeclared<K extends ClusterKind = ClusterKind> extends KubeMeta {
  readonly kind: K;
  readonly resourceVersion: string;
  /** Absent: it does not fit, `problems` say why. */
  readonly object?: Declared<K>;
  readonly problems: readonly Problem[];
  /** Absent: nothing was said yet. */
  readonly status?: Statuses[K];
}

/** The object's name: `APP-VERSION` of a version, else the last part of the key. */
export function objectName(key: string): string {
  return key.slice(key.indexOf("/") + 1).replace("@", "-");
}

/** The namespace in any key. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/** The object that declares `put.value`. A Secret has its contents as `stringData`: whoever replaces the object with it has exactly these. */
export function declaredObject(put: ClusterPut): DeclaredObject {
  const { group, version, kind } = clusterKinds[put.kind];
  const labels = { ...optional(stackLabel, put.stack), ...(put.kind === "config" || put.kind === "secret" ? { [dataKindLabel]: put.kind } : {}) };
  const metadata = { name: objectName(put.key), namespace: namespaceOf(put.key), labels };
  return { apiVersion: group === "" ? version : `${group}/${version}`, kind, metadata, ...content(put) };
}

function content(put: ClusterPut): object {
  switch (put.kind) {
    case "config":
      return { data: put.value.data };
    case "secret":
      return { type: "Opaque", stringData: put.value.data };
    case "service":
      return { spec: versionSpec(put.value) };
    case "app":
      return { spec: appSpec(put.value) };
    case "job":
      return { spec: jobSpec(put.value) };
    case "router":
      return { spec: routerSpec(put.value) };
    case "external":
      return { spec: externalSpec(put.value) };
    default:
      return put satisfies never;
  }
}

function versionSpec({ service, origin, restarts }: DeclaredService): object {
  return { ...without(service, "namespace"), origin, restarts };
}

function jobSpec({ job, restarts }: DeclaredJob): object {
  return { ...without(job, "namespace", "name", "where"), restarts };
}

function appSpec(app: DeclaredApp): object {
  return without(app, "namespace", "app");
}

function routerSpec(router: Router): object {
  return { ...without(router, "namespace", "name", "where"), rules: router.rules.map((rule) => without(rule, "where")) };
}

function externalSpec(external: ExternalService): object {
  return without(external, "namespace", "name", "where");
}

/** A copy without these fields: names are the object's own there. */
function without<T extends object>(value: T, ...fields: readonly (keyof T)[]): object {
  return Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field as keyof T)));
}

/** The put that makes an object what it is; `object` is of a kind that a cluster has. */
export function putOf({ kind, key, stack, value }: Declared): ClusterPut {
  return { op: "put", kind, key, value, ...optional("stack", stack) } as Put as ClusterPut;
}

/** Whether two puts of one key make the same object. */
export function sameObject(a: ClusterPut, b: ClusterPut): boolean {
  return canonicalJson(declaredObject(a)) === canonicalJson(declaredObject(b));
}

/** Reads a Version. Problem: `kube-object-invalid`. */
export function readVersion(value: unknown): KubeDeclared<"service"> {
  const raw = record(value);
  const meta = readMeta(raw);
  const { origin, restarts, ...template } = record(raw["spec"]);
  const service = { ...template, ...completeService(template), namespace: meta.namespace };
  const { app, version } = template;
  const wrongName = meta.name === `${String(app)}-${String(version)}` ? [] : [invalid("service", meta, `its name must be ${String(app)}-${String(version)}`)];
  const key = versionKey(meta.namespace as Namespace, app as AppName, version as VersionName);
  return {
    ...readAs("service", raw, { key, value: { service, origin, restarts }, problems: wrongName }),
    ...optional("status", readVersionStatus(raw["status"])),
  };
}

/** Reads an App. Problem: `kube-object-invalid`. */
export function readApp(value: unknown): KubeDeclared<"app"> {
  const raw = record(value);
  const { namespace, name } = readMeta(raw);
  const read = readAs("app", raw, { key: appKey(namespace as Namespace, name as AppName), value: { ...record(raw["spec"]), namespace, app: name } });
  return { ...read, ...optional("status", readAppStatus(raw["status"])) };
}

/** Reads a Job of ours. Problem: `kube-object-invalid`. */
export function readDeclaredJob(value: unknown): KubeDeclared<"job"> {
  const raw = record(value);
  const { namespace, name } = readMeta(raw);
  const { restarts, ...job } = record(raw["spec"]);
  const read = readAs("job", raw, { key: objectKey(namespace as Namespace, name), value: { job: { ...job, namespace, name }, restarts } });
  return { ...read, ...optional("status", readJobStatus(raw["status"])) };
}

/** Reads a Router. Problem: `kube-object-invalid`. */
export function readRouter(value: unknown): KubeDeclared<"router"> {
  const raw = record(value);
  const { namespace, name } = readMeta(raw);
  const spec = record(raw["spec"]);
  const rules = list(spec["rules"]).map((rule) => completeRule(record(rule), namespace));
  const read = readAs("router", raw, { key: objectKey(namespace as Namespace, name), value: { ...spec, rules, namespace, name } });
  return { ...read, ...optional("status", readProgrammedStatus(raw["status"])) };
}

/** Reads an ExternalService. Problem: `kube-object-invalid`. */
export function readExternal(value: unknown): KubeDeclared<"external"> {
  const raw = record(value);
  const { namespace, name } = readMeta(raw);
  const spec = record(raw["spec"]);
  const read = readAs("external", raw, {
    key: objectKey(namespace as Namespace, name),
    value: { ...spec, ports: list(spec["ports"]).map(completePort), namespace, name },
  });
  return { ...read, ...optional("status", readProgrammedStatus(raw["status"])) };
}

/** Reads a ConfigMap with the label `weir.dev/kind: config`. */
export function readConfig(value: unknown): KubeDeclared<"config"> {
  const raw = record(value);
  const { namespace, name } = readMeta(raw);
  return readAs("config", raw, { key: objectKey(namespace as Namespace, name), value: { namespace, name, data: record(raw["data"]) } });
}

/** Reads a Secret with the label `weir.dev/kind: secret`. Problem: `kube-object-invalid`, also for contents that are no text. */
export function readSecret(value: unknown): KubeDeclared<"secret"> {
  const raw = record(value);
  const { namespace, name } = readMeta(raw);
  const data = Object.fromEntries(Object.entries(record(raw["data"])).map(([key, content]) => [key, decoded(content)]));
  return readAs("secret", raw, { key: objectKey(namespace as Namespace, name), value: { namespace, name, data } });
}

/** The reader of each kind: what a `Reflector` of it wants. */
export const declaredReaders: { readonly [K in ClusterKind]: (raw: unknown) => KubeDeclared<K> } = {
  config: readConfig,
  secret: readSecret,
  external: readExternal,
  service: readVersion,
  app: readApp,
  job: readDeclaredJob,
  router: readRouter,
};

/** What of a kind is ours to read: every object, but for ConfigMaps and Secrets. */
export function declaredSelection(kind: ClusterKind): { readonly labels?: string } {
  return kind === "config" || kind === "secret" ? { labels: `${dataKindLabel}=${kind}` } : {};
}

interface Reading {
  readonly key: string;
  /** As the schema wants it; checked here. */
  readonly value: unknown;
  readonly problems?: readonly Problem[];
}

function readAs<K extends ClusterKind>(kind: K, raw: Raw, { key, value, problems = [] }: Reading): KubeDeclared<K> {
  const meta = readMeta(raw);
  const own = record(raw["metadata"]);
  const resourceVersion = text(own["resourceVersion"]) ?? "";
  const read = { ...meta, kind, resourceVersion };
  const checked = valueSchemas[kind].safeParse(value);
  // Only places and codes: the value may be a secret's.
  const misfits = checked.success ? [] : checked.error.issues.map(({ path, code }) => invalid(kind, meta, `${path.join(".")} does not fit (${code})`));
  if (!checked.success || problems.length > 0) return { ...read, problems: [...problems, ...misfits] };
  const createdAt = timeOf(own["creationTimestamp"]) ?? 0;
  const version = Number(resourceVersion);
  const object = {
    kind,
    key,
    ...optional("stack", meta.labels[stackLabel]),
    // ConfigMaps and Secrets have no generation: each change of theirs is one.
    generation: number(own["generation"]) ?? version,
    version,
    createdAt,
    updatedAt: Math.max(createdAt, ...list(own["managedFields"]).map(changedAt)),
    value: checked.data as Kinds[K],
  } as Declared<K>;
  return { ...read, object, problems: [] };
}

function invalid(kind: ClusterKind, { namespace, name }: KubeMeta, why: string): Problem {
  return {
    code: "kube-object-invalid",
    message: `${clusterKinds[kind].kind} ${namespace}/${name}: ${why}`,
    hint: "it is as if it were not there; correct it, or bring Weir on the cluster and your own to the same version",
  };
}

/** When a manager last changed the object itself; 0 for who writes its status. */
function changedAt(entry: unknown): number {
  const { subresource, time } = record(entry);
  return subresource === "status" ? 0 : (timeOf(time) ?? 0);
}

function timeOf(value: unknown): number | undefined {
  const time = Date.parse(text(value) ?? "");
  return Number.isNaN(time) ? undefined : time;
}

/** Defaults that depend on other fields, which a CustomResourceDefinition cannot say. */
function completeService(template: Raw): object {
  const ports = list(template["ports"]).map(completePort);
  const speaksHttp = ports.map(record).some(({ protocol }) => protocol === "http" || protocol === "http2");
  const probes = Object.entries(record(template["health"])).map(([name, probe]) => [name, completeProbe(record(probe))]);
  return { ports, public: template["public"] ?? speaksHttp, health: Object.fromEntries(probes) };
}

function completeProbe(probe: Raw): unknown {
  const check = record(probe["check"]);
  if (check["kind"] === "http") return { ...probe, check: { headers: {}, ...check } };
  return check["kind"] === "grpc" ? { ...probe, check: { service: "", ...check } } : probe;
}

function completePort(value: unknown): unknown {
  const raw = record(value);
  return { ...raw, containerPort: raw["containerPort"] ?? raw["port"] };
}

function completeRule(rule: Raw, namespace: string): unknown {
  const action = record(rule["action"]);
  if (action["kind"] !== "forward") return rule;
  const withNamespace = (value: unknown): unknown => {
    const raw = record(value);
    return { ...raw, to: { namespace, ...record(raw["to"]) } };
  };
  const { mirrors, destinations } = action;
  return {
    ...rule,
    action: {
      ...action,
      destinations: list(destinations).map(withNamespace),
      ...(mirrors === undefined ? {} : { mirrors: list(mirrors).map(withNamespace) }),
    },
  };
}

/** The text in base64; anything else as it is, which no schema takes for a text. */
function decoded(value: unknown): unknown {
  if (typeof value !== "string") return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(atob(value), (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
