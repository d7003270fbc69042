/**
 * The schemas that an API server would check objects against, from the projects' own Go modules at exact versions:
 * custom resources from their CRDs, built-in kinds from client-go's table of fields.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { parse, parseAllDocuments } from "yaml";

const root = path.resolve(import.meta.dirname, "../../..");

/** Says whether Go is here to fetch modules with. */
export function hasGo(): boolean {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Downloads a Go module once, into the checkout's cache; returns its folder. Throws when it cannot be had. */
export function goModule(name: string, version: string): string {
  const cache = path.join(root, ".cache/go");
  mkdirSync(cache, { recursive: true });
  const env = { ...process.env, GOMODCACHE: cache, GOFLAGS: "-modcacherw", GOTOOLCHAIN: "local" };
  const out = execFileSync("go", ["mod", "download", "-json", `${name}@${version}`], { cwd: cache, env, encoding: "utf8", timeout: 120_000 });
  return (JSON.parse(out) as { readonly Dir: string }).Dir;
}

type Schema = Record<string, unknown>;

/** Finds what is wrong with an object: an unknown kind, an unknown field, a wrong type or value, a repeated key. */
export type Check = (object: Checked) => readonly string[];

export interface Checked {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec?: unknown;
}

/** Builds a check from schemas by `apiVersion kind`. */
export function checkOf(schemas: ReadonlyMap<string, Schema>): Check {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  const compiled = new Map<string, ValidateFunction>();
  return (object) => {
    const key = `${object.apiVersion} ${object.kind}`;
    const schema = schemas.get(key);
    if (schema === undefined) return [`there is no ${key}`];
    const validate = compiled.get(key) ?? ajv.compile(schema);
    compiled.set(key, validate);
    const errors = validate(object) ? [] : (validate.errors ?? []);
    const found = errors.map(({ instancePath, message, params }) => `${instancePath}: ${message} ${JSON.stringify(params)}`);
    return [...found, ...repeatedKeys(object, schema, "")];
  };
}

interface Crd {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean; readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

/** The served versions of all CRDs in YAML files. */
export function crdSchemas(files: readonly string[]): ReadonlyMap<string, Schema> {
  const documents = files.flatMap((file) => parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Crd | null));
  const entries = documents.flatMap((crd) =>
    (crd?.spec.versions ?? [])
      .filter(({ served }) => served)
      .map(({ name, schema }) => [`${crd?.spec.group}/${name} ${crd?.spec.names.kind}`, strict(withObjectFields(schema.openAPIV3Schema))] as const),
  );
  return new Map(entries);
}

/** What every object has; some CRDs leave it unsaid. */
function withObjectFields(schema: Schema): Schema {
  const text = { type: "string" };
  return { ...schema, properties: { apiVersion: text, kind: text, metadata: metadataSchema, ...(schema["properties"] as Schema) } };
}

/** An API server drops fields that a schema does not know; here they are errors. Not inside `oneOf` and the like, which only add conditions. */
function strict(schema: Schema): Schema {
  const copy: Schema = { ...schema };
  const { properties, items, additionalProperties } = schema;
  if (isSchema(properties)) {
    copy["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, inner]) => [name, name === "metadata" ? metadataSchema : strict(inner as Schema)]),
    );
    if (additionalProperties === undefined && schema["x-kubernetes-preserve-unknown-fields"] !== true) copy["additionalProperties"] = false;
  }
  if (isSchema(items)) copy["items"] = strict(items);
  if (isSchema(additionalProperties)) copy["additionalProperties"] = strict(additionalProperties);
  return copy;
}

const texts = { type: "object", additionalProperties: { type: "string" } };
const metadataSchema: Schema = {
  type: "object",
  required: ["name"],
  additionalProperties: false,
  properties: {
    name: { type: "string", pattern: "^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$" },
    namespace: { type: "string", pattern: "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" },
    labels: { ...texts, additionalProperties: { type: "string", pattern: "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$" } },
    annotations: texts,
  },
};

/** Lists that Kubernetes keeps as maps may hold each key once. */
function repeatedKeys(value: unknown, schema: Schema, at: string): readonly string[] {
  const { properties, items, additionalProperties } = schema;
  if (Array.isArray(value)) {
    const keys = (schema["x-kubernetes-list-map-keys"] ?? []) as readonly string[];
    const defaults = isSchema(items) && isSchema(items["properties"]) ? items["properties"] : {};
    const keyOf = (item: Schema): string => JSON.stringify(keys.map((key) => item[key] ?? (defaults[key] as Schema | undefined)?.["default"]));
    const all = keys.length === 0 ? [] : value.map((item) => keyOf(item as Schema));
    const repeated = all.filter((key, index) => all.indexOf(key) !== index).map((key) => `${at}: the key ${key} stands twice`);
    return [...repeated, ...value.flatMap((item, index) => (isSchema(items) ? repeatedKeys(item, items, `${at}/${index}`) : []))];
  }
  if (!isSchema(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const known = (isSchema(properties) ? properties[name] : undefined) ?? additionalProperties;
    return isSchema(known) ? repeatedKeys(inner, known, `${at}/${name}`) : [];
  });
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface FieldTable {
  readonly types: readonly ({ readonly name: string } & TypeRow)[];
}
interface TypeRow {
  readonly scalar?: string;
  readonly namedType?: string;
  readonly map?: { readonly fields?: readonly { readonly name: string; readonly type: TypeRow }[]; readonly elementType?: TypeRow };
  readonly list?: { readonly elementType: TypeRow; readonly keys?: readonly string[] };
}

/** Built-in kinds from client-go's field table: names and types of fields, and keys of lists; no limits on values. */
export function builtInSchemas(clientGo: string, kinds: Readonly<Record<string, string>>): ReadonlyMap<string, Schema> {
  const source = readFileSync(path.join(clientGo, "applyconfigurations/internal/internal.go"), "utf8");
  const [, text = ""] = /YAMLObject\(`([^`]*)`/.exec(source) ?? [];
  const table = new Map((parse(text) as FieldTable).types.map((type) => [type.name, type]));
  return new Map(Object.entries(kinds).map(([key, name]) => [key, rootOf(name, table)]));
}

function rootOf(name: string, table: ReadonlyMap<string, TypeRow>): Schema {
  const schema = schemaOf({ namedType: name }, table) as Schema & { readonly properties: object };
  return { ...schema, properties: { ...schema.properties, metadata: metadataSchema } };
}

function schemaOf(type: TypeRow, table: ReadonlyMap<string, TypeRow>): Schema {
  // A template's has no name: whatever is made from it has.
  if (type.namedType?.endsWith(".ObjectMeta") === true) return { ...metadataSchema, required: [] };
  if (type.namedType?.endsWith(".IntOrString") === true) return { type: ["integer", "string"] };
  // Anything at all; it is defined by itself.
  if (type.namedType?.startsWith("__untyped") === true) return {};
  if (type.namedType !== undefined) return schemaOf(table.get(type.namedType) ?? { scalar: "untyped" }, table);
  if (type.list !== undefined) return { type: "array", items: schemaOf(type.list.elementType, table), "x-kubernetes-list-map-keys": type.list.keys };
  if (type.map?.fields !== undefined) {
    return {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(type.map.fields.map((field) => [field.name, schemaOf(field.type, table)])),
    };
  }
  if (type.map !== undefined) return { type: "object", additionalProperties: schemaOf(type.map.elementType ?? { scalar: "untyped" }, table) };
  const scalars: Readonly<Record<string, string>> = { string: "string", numeric: "number", boolean: "boolean" };
  const scalar = scalars[type.scalar ?? ""];
  return scalar === undefined ? {} : { type: scalar };
}
