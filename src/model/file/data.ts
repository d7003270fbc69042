/** `configs:` and `secrets:` — keys and contents, written down (configs only) or taken from a file or the environment. */
import { didYouMean } from "../../lib/did-you-mean.ts";
import { type ObjectKey, objectKey } from "../names.ts";
import { quote } from "../quote.ts";
import type { Config } from "../types.ts";
import type { Report } from "./report.ts";
import { filledText } from "./scalars.ts";
import { readPlainKey, type Scope } from "./scope.ts";
import { byKind, type Located, type LocatedEntry, mapOf, type ObjectOf, object, optional, type Shape, scalar } from "./shape.ts";

const sourceFields = {
  file: optional(filledText, "a file's contents; the path starts at the stack file's folder"),
  env: optional(filledText, "an environment variable's value, as whoever runs weir has it"),
};
/** Where a value comes from. */
export type SourceFields = ObjectOf<typeof sourceFields>;
export type DataEntry = LocatedEntry<string | SourceFields>;
export type DataShape = Shape<readonly LocatedEntry<readonly DataEntry[]>[]>;

const literal: Shape<string> = scalar("a value", "text", { type: ["string", "number", "boolean"] }, (node) => ({ ok: true, value: node.text }));
const configValue = byKind("a value", "text, {file: PATH} or {env: NAME}", { scalar: literal, map: object("a value", sourceFields) });

const fromSource = object("a secret's value", sourceFields);
/** A map that is not shown when it is something else: what stands there may be a secret. */
function unseen<T>(shape: Shape<T>): Shape<T> {
  return {
    schema: shape.schema,
    read(node, report, ownerAt) {
      if (node.kind === "map" || (node.kind === "scalar" && node.value === null)) return shape.read(node, report, ownerAt);
      report.addUnseen(
        node.at,
        "secret-in-file",
        "a secret is a map of keys, and no value stands in the file",
        "write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}}",
      );
      return undefined;
    },
  };
}

/** Unlike other shapes it never shows what is written: that may be the secret. */
const secretValue: Shape<SourceFields> = {
  schema: fromSource.schema,
  read(node, report, ownerAt) {
    // A map with other keys than ours may be the secret itself.
    const isSource = node.kind === "map" && node.entries.every(({ key, node: child }) => Object.hasOwn(sourceFields, key) && child.kind === "scalar");
    if (isSource) return fromSource.read(node, report, ownerAt);
    report.addUnseen(node.at, "secret-in-file", "a secret's value can't stand in the file", "put it in a file and write {file: PATH}, or write {env: NAME}");
    return undefined;
  },
};

export const configsShape: DataShape = mapOf("the configs", mapOf("a config", configValue), []);
export const secretsShape: DataShape = unseen(mapOf("the secrets", unseen(mapOf("a secret", secretValue)), []));

/** Completes a config or secret: every value is fetched from what was read beside the file. Adds it to the index of names. */
export function buildData(kind: "config" | "secret", entry: LocatedEntry<readonly DataEntry[]>, scope: Scope): Config | undefined {
  const key = readPlainKey(entry, scope, undefined);
  if (key === undefined) return undefined;
  claim(kind, objectKey(key.namespace, key.name), entry.keyAt, scope);
  const index = kind === "config" ? scope.names.configs : scope.names.secrets;
  const before = scope.report.count;
  const pairs = entry.value.map((item) => [item.key, readValue(item, scope)] as const);
  for (const { key: name, keyAt } of entry.value) checkKey(name, keyAt, scope.report);
  index.set(objectKey(key.namespace, key.name), { keys: pairs.map(([name]) => name), isSound: entry.isSound && scope.report.count === before });
  return { namespace: key.namespace, name: key.name, data: Object.fromEntries(pairs) };
}

/** `site` and `team-a:site` may be the same config: once is enough. */
function claim(kind: "config" | "secret", key: ObjectKey, at: number, { names, report }: Scope): void {
  const first = names.declared.get(`${kind} ${key}`);
  if (first === undefined) names.declared.set(`${kind} ${key}`, at);
  else report.add(at, "name-clash", `the ${kind} ${key} is here twice`, `the first is on line ${report.place(first).line}: write all its keys there`);
}

/** Keys become file names in mounts. */
function checkKey(name: string, at: number, report: Report): void {
  if (/^[-._a-zA-Z0-9]{1,253}$/.test(name) && name !== "." && name !== "..") return;
  report.add(at, "key-invalid", `${quote(name)} can't be a key`, "use letters, digits, ., - and _");
}

function readValue({ value, at, isSound }: DataEntry, scope: Scope): string {
  if (typeof value === "string") return value;
  if (!isSound) return "";
  const { file, env } = value;
  if ((file === undefined) === (env === undefined)) {
    scope.report.add(
      at,
      "source-invalid",
      `this says ${file === undefined ? "neither file nor env" : "both file and env"}`,
      "write {file: PATH} or {env: NAME}",
    );
    return "";
  }
  if (file !== undefined) return fetchFrom(scope.files, file) ?? missingFile(file, scope);
  return env === undefined ? "" : (fetchFrom(scope.env, env) ?? missingVariable(env, scope));
}

function fetchFrom(values: Readonly<Record<string, string>>, { value }: Located<string>): string | undefined {
  return Object.hasOwn(values, value) ? values[value] : undefined;
}

function missingFile({ value, at }: Located<string>, scope: Scope): string {
  scope.report.add(at, "file-missing", `${quote(value)} can't be read`, `paths start at ${scope.dir}`);
  return "";
}

function missingVariable({ value, at }: Located<string>, scope: Scope): string {
  scope.report.add(at, "env-missing", `the environment variable ${quote(value)} is not set`, didYouMean(value, Object.keys(scope.env)) ?? `export ${value}=…`);
  return "";
}
