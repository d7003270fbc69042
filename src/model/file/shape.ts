/**
 * Shapes say once what a part of the file may look like. From one shape come
 * the typed value, every problem with its place, and the JSON Schema that editors use.
 */
import { closest, didYouMean } from "../../lib/did-you-mean.ts";
import type { Result } from "../../lib/problem.ts";
import { quote } from "../quote.ts";
import type { Report } from "./report.ts";
import type { YamlEntry, YamlNode, YamlScalar } from "./yaml-tree.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Shape<T> {
  readonly schema: JsonSchema;
  /** Returns the value, or undefined when what is wrong was reported. `ownerAt`: the key (or item) that this is the value of. */
  read(node: YamlNode, report: Report, ownerAt: number): T | undefined;
}

/** A value and the offset where it stands. */
export interface Located<T> {
  readonly value: T;
  readonly at: number;
}

/** The value under a key of the user's choice. */
export interface LocatedEntry<T> extends Located<T> {
  readonly key: string;
  readonly keyAt: number;
  /** False: something in it was wrong and was reported. */
  readonly isSound: boolean;
}

interface Field<T> {
  readonly shape: Shape<T>;
  readonly doc: string;
  readonly isRequired: boolean;
}

/** A key that may be left out. `doc` is shown by editors. */
export function optional<T>(shape: Shape<T>, doc: string): Field<T> {
  return { shape, doc, isRequired: false };
}

/** A key that must be there. `doc` is shown by editors. */
export function required<T>(shape: Shape<T>, doc: string): Field<T> {
  return { shape, doc, isRequired: true };
}

/** What an object shape reads: undefined where a key is absent or its value was wrong (then that was reported). */
export type ObjectOf<F extends Readonly<Record<string, Field<unknown>>>> = {
  readonly [K in keyof F]: (F[K] extends Field<infer T> ? Located<T> : never) | undefined;
};

/**
 * A map with fixed keys. Keys that are not in `fields` are `unknown-key`, missing ones `missing-key`.
 * `noun` is for messages: "a service". `synonyms` maps words from elsewhere to ours (`image: command`).
 */
export function object<F extends Readonly<Record<string, Field<unknown>>>>(
  noun: string,
  fields: F,
  synonyms: Readonly<Record<string, string>> = {},
): Shape<ObjectOf<F>> {
  const all = Object.entries(fields);
  const names = all.map(([name]) => name);
  const requiredNames = all.filter(([, field]) => field.isRequired).map(([name]) => name);
  return {
    schema: {
      type: "object",
      properties: Object.fromEntries(all.map(([name, { shape, doc }]) => [name, { description: doc, ...shape.schema }])),
      ...(requiredNames.length > 0 ? { required: requiredNames } : {}),
      additionalProperties: false,
    },
    read(node, report, ownerAt) {
      if (node.kind !== "map") return wrongKind(node, report, ownerAt, noun, `a map with ${listed(names)}`);
      const entries = new Map(node.entries.map((entry) => [entry.key, entry]));
      for (const { key, keyAt } of node.entries) {
        if (!names.includes(key)) report.add(keyAt, "unknown-key", `${noun} has no ${quote(key)}`, keyHint(key, names, synonyms));
      }
      const values = all.map(([name, field]) => [name, readField(noun, name, field, entries.get(name), report, ownerAt)] as const);
      return Object.fromEntries(values) as ObjectOf<F>;
    },
  };
}

function readField(
  noun: string,
  name: string,
  field: Field<unknown>,
  entry: YamlEntry | undefined,
  report: Report,
  ownerAt: number,
): Located<unknown> | undefined {
  if (entry === undefined || (isNothing(entry.node) && !field.isRequired)) {
    if (field.isRequired) report.add(ownerAt, "missing-key", `${noun} needs ${quote(name)}`, field.doc);
    return undefined;
  }
  const value = field.shape.read(entry.node, report, entry.keyAt);
  return value === undefined ? undefined : { value, at: entry.node.at };
}

function keyHint(key: string, names: readonly string[], synonyms: Readonly<Record<string, string>>): string | undefined {
  const meant = Object.hasOwn(synonyms, key) ? synonyms[key] : undefined;
  return meant !== undefined && closest(key, names) === undefined ? `did you mean "${meant}"?` : didYouMean(key, names);
}

function listed(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(", ")}, …` : names.join(", ");
}

/**
 * A map whose keys the user chooses, each value of one shape. A wrong value is reported and left out,
 * or replaced by `fallback`, so that its name is still known.
 */
export function mapOf<T>(noun: string, shape: Shape<T>, fallback?: T): Shape<readonly LocatedEntry<T>[]> {
  return {
    schema: { type: "object", additionalProperties: shape.schema },
    read(node, report, ownerAt) {
      if (node.kind !== "map") return wrongKind(node, report, ownerAt, noun, "name: value");
      return node.entries.flatMap(({ key, keyAt, node: child }) => {
        const before = report.count;
        const value = shape.read(child, report, keyAt) ?? fallback;
        return value === undefined ? [] : [{ key, keyAt, value, at: child.at, isSound: report.count === before }];
      });
    },
  };
}

/** A list, each item of one shape. Wrong items are reported and left out. */
export function listOf<T>(noun: string, shape: Shape<T>): Shape<readonly Located<T>[]> {
  return {
    schema: { type: "array", items: shape.schema },
    read(node, report, ownerAt) {
      if (node.kind !== "list") return wrongKind(node, report, ownerAt, noun, "[a, b]");
      return node.items.flatMap((item) => located(item, shape, report));
    },
  };
}

/** One value or a list of them. */
export function oneOrMany<T>(shape: Shape<T>): Shape<readonly Located<T>[]> {
  return {
    schema: { anyOf: [shape.schema, { type: "array", items: shape.schema }] },
    read(node, report, ownerAt) {
      if (node.kind !== "list") return located(node, shape, report, ownerAt);
      return node.items.flatMap((item) => located(item, shape, report));
    },
  };
}

function located<T>(node: YamlNode, shape: Shape<T>, report: Report, ownerAt: number = node.at): readonly Located<T>[] {
  const value = shape.read(node, report, ownerAt);
  return value === undefined ? [] : [{ value, at: node.at }];
}

interface KindShapes<A, B, C> {
  readonly scalar?: Shape<A>;
  readonly list?: Shape<B>;
  readonly map?: Shape<C>;
}

/** A value that may be written in several ways, told apart by whether it is a scalar, a list or a map. `noun` is for messages. */
export function byKind<A = never, B = never, C = never>(noun: string, example: string, shapes: KindShapes<A, B, C>): Shape<A | B | C> {
  return {
    schema: { anyOf: [shapes.scalar, shapes.list, shapes.map].flatMap((shape) => (shape === undefined ? [] : [shape.schema])) },
    read(node, report, ownerAt): A | B | C | undefined {
      const shape: Shape<A | B | C> | undefined = isNothing(node) ? undefined : shapes[node.kind];
      return shape === undefined ? wrongKind(node, report, ownerAt, noun, example) : shape.read(node, report, ownerAt);
    },
  };
}

/** A scalar that `parse` reads. Its problems get their place here. `noun` and `example` are for messages when it is a list or map. */
export function scalar<T>(noun: string, example: string, schema: JsonSchema, parse: (node: YamlScalar) => Result<T>): Shape<T> {
  return {
    schema,
    read(node, report, ownerAt) {
      if (node.kind !== "scalar" || isNothing(node)) return wrongKind(node, report, ownerAt, noun, example);
      const result = parse(node);
      if (result.ok) return result.value;
      for (const problem of result.problems) report.addProblem(node.at, problem);
      return undefined;
    },
  };
}

/** Changes what a shape reads. `change` returns undefined after it reported a problem. `isSound` false: something in it was wrong and was reported. */
export function refine<A, B>(shape: Shape<A>, change: (value: A, at: number, report: Report, isSound: boolean) => B | undefined): Shape<B> {
  return {
    schema: shape.schema,
    read(node, report, ownerAt) {
      const before = report.count;
      const value = shape.read(node, report, ownerAt);
      return value === undefined ? undefined : change(value, node.at, report, report.count === before);
    },
  };
}

/** The same, but what has something wrong in it is left out: later checks would only complain about what is missing then. */
export function soundOnly<T>(shape: Shape<T>): Shape<T> {
  return refine(shape, (value, _at, _report, isSound) => (isSound ? value : undefined));
}

/** The same, but what is wrong (and was reported) reads as `fallback`: later checks would else say that it is missing. */
export function orElse<T>(shape: Shape<T>, fallback: T): Shape<T> {
  return { schema: shape.schema, read: (node, report, ownerAt) => shape.read(node, report, ownerAt) ?? fallback };
}

function isNothing(node: YamlNode): boolean {
  return node.kind === "scalar" && node.value === null;
}

function wrongKind(node: YamlNode, report: Report, ownerAt: number, noun: string, example: string): undefined {
  if (isNothing(node)) report.add(ownerAt, "value-missing", `expected ${noun} here, found nothing`, `write ${example}`);
  else report.add(node.at, "wrong-type", `expected ${noun} here, found ${kindName(node)}`, `write ${example}`);
  return undefined;
}

function kindName(node: YamlNode): string {
  switch (node.kind) {
    case "scalar":
      return quote(node.text);
    case "list":
      return "a list";
    case "map":
      return "a map";
    default:
      return node satisfies never;
  }
}
