/** What the readers of one file share: where problems go, what was read beside the file, which names exist so far. */
import { didYouMean } from "../../lib/did-you-mean.ts";
import type { KnownNames } from "../known-names.ts";
import { type AppKey, type AppName, appKey, isLabel, type Namespace, type ObjectKey, objectKey, type VersionName } from "../names.ts";
import { quote } from "../quote.ts";
import { parseRef } from "../ref.ts";
import type { Port, Service } from "../types.ts";
import type { Report } from "./report.ts";
import type { Located, LocatedEntry } from "./shape.ts";

/** What services must say: one machine starts their commands, a cluster runs their images. */
export type Runs = "commands" | "images";

export interface Scope {
  readonly report: Report;
  /** Absolute folder that relative paths start from. */
  readonly dir: string;
  readonly files: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** What the platform starts; undefined: either, for nothing is started. */
  readonly runs: Runs | undefined;
  /** Of everything that does not say its own. */
  readonly namespace: Namespace;
  readonly names: NameIndex;
}

/** `isSound` false: something about it is wrong and was reported, so what refers to it is not judged. */
export interface KnownApp {
  readonly versions: ReadonlySet<VersionName>;
  readonly ports: readonly Port[];
  readonly isSound: boolean;
}

export interface KnownTarget {
  readonly ports: readonly Port[];
  readonly isSound: boolean;
}

export interface KnownKeys {
  readonly keys: readonly string[];
  readonly isSound: boolean;
}

/** The names of the file so far, on top of those known from elsewhere. */
export class NameIndex {
  readonly apps: Map<AppKey, KnownApp> = new Map();
  readonly externals: Map<ObjectKey, KnownTarget> = new Map();
  readonly configs: Map<ObjectKey, KnownKeys> = new Map();
  readonly secrets: Map<ObjectKey, KnownKeys> = new Map();
  /** `config NS/NAME` or `secret NS/NAME` → where the file declares it. */
  readonly declared: Map<string, number> = new Map();

  constructor(known: KnownNames) {
    for (const service of known.services) this.addService(service, true);
    for (const { namespace, name, ports } of known.externals) this.externals.set(objectKey(namespace, name), { ports, isSound: true });
    for (const { namespace, name, keys } of known.configs) this.configs.set(objectKey(namespace, name), { keys, isSound: true });
    for (const { namespace, name, keys } of known.secrets) this.secrets.set(objectKey(namespace, name), { keys, isSound: true });
  }

  /** Adds a version to its app; the app has the ports of all its versions. */
  addService({ namespace, app, version, ports }: Pick<Service, "namespace" | "app" | "version" | "ports">, isSound: boolean): void {
    const key = appKey(namespace, app);
    const before = this.apps.get(key) ?? { versions: new Set(), ports: [], isSound: true };
    this.apps.set(key, { versions: new Set([...before.versions, version]), ports: [...before.ports, ...ports], isSound: before.isSound && isSound });
  }

  /** Names of one kind in one namespace, for hints. */
  namesIn(namespace: Namespace, keys: Iterable<string>): readonly string[] {
    return [...keys].filter((key) => key.startsWith(`${namespace}/`)).map((key) => key.slice(namespace.length + 1));
  }
}

/** The name that a key gives: `[NS:]NAME[@VERSION]`. */
export interface KeyName {
  readonly namespace: Namespace;
  readonly name: string;
  readonly version?: VersionName;
}

/**
 * Reads the key of an object. Its own `namespace:` may repeat what the key says, but not contradict it.
 * Returns undefined after reporting what is wrong.
 */
export function readKey(entry: LocatedEntry<unknown>, scope: Scope, own: Located<string> | undefined): KeyName | undefined {
  const ref = parseRef(entry.key, (own?.value ?? scope.namespace) as Namespace);
  if (!ref.ok) {
    for (const problem of ref.problems) scope.report.addProblem(entry.keyAt, problem);
    return undefined;
  }
  const { kind, namespace, name, version } = ref.value;
  if (kind !== undefined) {
    scope.report.add(entry.keyAt, "name-invalid", `${quote(entry.key)} is not a name`, `write ${name} here`);
    return undefined;
  }
  if (own !== undefined && own.value !== namespace) {
    scope.report.add(own.at, "name-conflict", `the key says namespace ${namespace}, this says ${own.value}`, "say it in one place");
  }
  return { namespace, name, ...(version === undefined ? {} : { version }) };
}

/** Reads a key that can't have a version: of a router, external service, config or secret. */
export function readPlainKey(entry: LocatedEntry<unknown>, scope: Scope, own: Located<string> | undefined): KeyName | undefined {
  const key = readKey(entry, scope, own);
  if (key?.version === undefined) return key;
  scope.report.add(entry.keyAt, "name-invalid", `${quote(entry.key)}: only services have versions`, `write ${key.name}`);
  return undefined;
}

/** A label that was checked, as a namespace. */
export function asNamespace(label: string): Namespace {
  return label as Namespace;
}

/** A label that was checked, as an app's name. */
export function asAppName(label: string): AppName {
  return label as AppName;
}

/** A label that was checked, as a version's name. */
export function asVersionName(label: string): VersionName {
  return label as VersionName;
}

/** Reports that a config or secret, or its key, does not exist; says nothing when it does or can't be judged. */
export function checkDataRef(
  scope: Scope,
  kind: "config" | "secret",
  namespace: Namespace,
  { name, key }: { readonly name: Located<string>; readonly key: Located<string> | undefined },
): void {
  const index = kind === "config" ? scope.names.configs : scope.names.secrets;
  const data = index.get(objectKey(namespace, name.value));
  if (data === undefined) {
    const hint = didYouMean(name.value, scope.names.namesIn(namespace, index.keys())) ?? `declare it under ${kind}s`;
    if (isLabel(name.value)) scope.report.add(name.at, `${kind}-unknown`, `there is no ${kind} ${quote(name.value)} in namespace ${namespace}`, hint);
    return;
  }
  if (key === undefined || !data.isSound || data.keys.includes(key.value)) return;
  scope.report.add(key.at, "key-unknown", `${kind} ${name.value} has no key ${quote(key.value)}`, didYouMean(key.value, data.keys));
}
