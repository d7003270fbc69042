/** Reads what an API server sent: whatever is absent or of another type gets a neutral value, whatever is unknown is left out. */

export type Raw = Readonly<Record<string, unknown>>;

const nothing: Raw = {};

/** The object itself, or an empty one. */
export function record(value: unknown): Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Raw) : nothing;
}

/** The list itself, or an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The text itself; undefined for anything else and for the empty one. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The number itself, or undefined. */
export function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** The truth value itself, or undefined. */
export function flag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** The texts of a list. */
export function texts(value: unknown): readonly string[] {
  return list(value).filter((item): item is string => typeof item === "string" && item !== "");
}

/** The texts of a map; `keep` says which keys are wanted. */
export function textMap(value: unknown, keep: (key: string) => boolean = () => true): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(record(value)).filter((entry): entry is [string, string] => typeof entry[1] === "string" && keep(entry[0])));
}

/** A property only where there is a value: `{...optional("node", node)}`. */
export function optional<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: Value });
}
