/**
 * From JSON Schema to what a CustomResourceDefinition takes (a "structural" schema): unions of objects that differ by `kind` become one object with all
 * fields and CEL rules about which belong together; what the API server cannot know from the model (defaults, limits, sums) is laid over by path.
 */
import type { JsonSchema } from "../model/declared-json-schema.ts";

/** A CEL rule of the API server. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

export interface StructuralSchema {
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly "x-kubernetes-validations"?: readonly CelRule[];
  readonly "x-kubernetes-list-type"?: "map" | "atomic";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}

/** What is said of one field beyond the model's schema. */
export interface FieldRules extends Omit<Partial<StructuralSchema>, "type" | "properties" | "required" | "items" | "additionalProperties"> {
  /** It may be left out although the model's value always has it: who reads the object fills it in. */
  readonly filled?: true;
  /** No two elements of the list may have the same value here. */
  readonly unique?: string;
}

/** By path: `ports[].port` is a field of a list's elements, `env{}.kind` one of a map's values; "" is the value itself. */
export type RulesByPath = Readonly<Record<string, FieldRules>>;

/** So many elements a list or map may have unless its own rules say otherwise: the API server wants to know what a CEL rule can cost. */
const usualLimit = 64;

/** Makes the structural schema of one value. Throws when a path of `rules` is not in the schema: that is a bug. */
export function structuralSchema(schema: JsonSchema, rules: RulesByPath): StructuralSchema {
  const used = new Set<string>();
  const made = new Structure(rules, used).make(schema, "");
  const unused = Object.keys(rules).filter((path) => !used.has(path));
  if (unused.length > 0) throw new Error(`no such fields: ${unused.join(", ")}`);
  return made;
}

class Structure {
  readonly #rules: RulesByPath;
  readonly #used: Set<string>;

  constructor(rules: RulesByPath, used: Set<string>) {
    this.#rules = rules;
    this.#used = used;
  }

  make(schema: JsonSchema, path: string): StructuralSchema {
    const { filled: _filled, unique, ...own } = this.#rules[path] ?? {};
    this.#used.add(path);
    const made = this.#shape(schema, path);
    const validations = [...(made["x-kubernetes-validations"] ?? []), ...(own["x-kubernetes-validations"] ?? [])];
    return {
      ...made,
      ...own,
      ...(unique === undefined ? {} : { "x-kubernetes-list-type": "map" as const, "x-kubernetes-list-map-keys": [unique] }),
      ...(validations.length === 0 ? {} : { "x-kubernetes-validations": validations }),
    };
  }

  #shape(schema: JsonSchema, path: string): StructuralSchema {
    const variants = schema.oneOf ?? schema.anyOf;
    if (variants !== undefined) return variants.every(({ properties }) => properties !== undefined) ? this.#union(variants, path) : choice(variants);
    if (schema.properties !== undefined) return this.#object(schema.properties, schema.required ?? [], path);
    if (schema.items !== undefined) return { type: "array", items: this.make(schema.items, `${path}[]`), maxItems: usualLimit };
    if (typeof schema.additionalProperties === "object")
      return { type: "object", additionalProperties: this.make(schema.additionalProperties, `${path}{}`), maxProperties: usualLimit };
    return scalar(schema);
  }

  #object(properties: Readonly<Record<string, JsonSchema>>, required: readonly string[], path: string): StructuralSchema {
    const made = Object.entries(properties).map(([name, schema]): [string, StructuralSchema] => [name, this.make(schema, join(path, name))]);
    const needed = required.filter((name) => this.#isNeeded(path, name));
    return { type: "object", properties: Object.fromEntries(made), ...(needed.length === 0 ? {} : { required: needed }) };
  }

  #isNeeded(path: string, name: string): boolean {
    const rules = this.#rules[join(path, name)];
    return rules?.filled !== true && rules?.default === undefined;
  }

  /** One object with the fields of all variants; each field must look the same in every variant that has it. */
  #union(variants: readonly JsonSchema[], path: string): StructuralSchema {
    const kinds = variants.map((variant) => String(variant.properties?.["kind"]?.const));
    const fields = new Map<string, { readonly schema: JsonSchema; readonly kinds: string[]; readonly neededBy: string[] }>();
    for (const [at, variant] of variants.entries()) {
      const kind = kinds[at] ?? "";
      for (const [name, schema] of Object.entries(variant.properties ?? {})) {
        if (name === "kind") continue;
        const known = fields.get(name) ?? { schema, kinds: [], neededBy: [] };
        if (JSON.stringify(known.schema) !== JSON.stringify(schema)) throw new Error(`${join(path, name)} is not the same in all kinds`);
        known.kinds.push(kind);
        if (variant.required?.includes(name) === true && this.#isNeeded(path, name)) known.neededBy.push(kind);
        fields.set(name, known);
      }
    }
    const properties = Object.fromEntries([...fields].map(([name, { schema }]) => [name, schema]));
    const made = this.#object({ kind: { type: "string", enum: kinds }, ...properties }, ["kind"], path);
    const rules = [...fields].flatMap(([name, field]) => [...neededRule(name, field.neededBy), ...belongsRule(name, field.kinds, kinds.length)]);
    return { ...made, "x-kubernetes-validations": rules };
  }
}

function neededRule(name: string, kinds: readonly string[]): readonly CelRule[] {
  if (kinds.length === 0) return [];
  return [{ rule: `has(self.${name}) || !(self.kind in [${quoted(kinds)}])`, message: `${kinds.join(", ")}: needs ${name}` }];
}

function belongsRule(name: string, kinds: readonly string[], all: number): readonly CelRule[] {
  if (kinds.length === all) return [];
  return [{ rule: `!has(self.${name}) || self.kind in [${quoted(kinds)}]`, message: `${name} belongs to the kind ${kinds.join(", ")}` }];
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(", ");
}

function choice(variants: readonly JsonSchema[]): StructuralSchema {
  const values = variants.map((variant) => variant.const);
  return { type: values.every(Number.isInteger) ? "integer" : "string", enum: values };
}

function scalar({ type, minimum, maximum, minLength, enum: values }: JsonSchema): StructuralSchema {
  return {
    type: type ?? "string",
    ...(type === "integer" ? { format: "int64" } : {}),
    ...(values === undefined ? {} : { enum: values }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
    ...(minLength === undefined ? {} : { minLength }),
  };
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
