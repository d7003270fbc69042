/** Differences between two declared values, as a person reads them. */
import { canonicalJson } from "../lib/canonical-json.ts";

/** One field that differs. `before` or `after` is absent when there was or will be none; both are, when the value must not be shown. */
export interface FieldChange {
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

/** Places in files say where something was declared, not what. */
const placeKey = "where";

/** Compares leaf by leaf, in the order of paths. `undefined` on one side: everything of the other is new, or gone. */
export function diffFields(before: unknown, after: unknown): readonly FieldChange[] {
  const [old, young] = [leaves(before), leaves(after)];
  const paths = [...new Set([...old.keys(), ...young.keys()])].toSorted();
  return paths
    .filter((path) => old.get(path) !== young.get(path))
    .map((path) => ({ path, ...shown("before", old.get(path)), ...shown("after", young.get(path)) }));
}

/** Says whether two values differ in anything but the place they were declared at. */
export function sameValue(before: unknown, after: unknown): boolean {
  return before === undefined || after === undefined ? before === after : canonicalJson(withoutPlaces(before)) === canonicalJson(withoutPlaces(after));
}

function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, member]) => (key === placeKey ? [] : [[key, withoutPlaces(member)]])));
}

/** The same paths without their values. */
export function redact(fields: readonly FieldChange[]): readonly FieldChange[] {
  return fields.map(({ path }) => ({ path }));
}

function shown(side: "before" | "after", value: string | undefined): Partial<FieldChange> {
  return value === undefined ? {} : { [side]: value };
}

function leaves(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  collect(value, "", found);
  return found;
}

function collect(value: unknown, path: string, found: Map<string, string>): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null) {
    found.set(path, typeof value === "string" ? value : JSON.stringify(value));
    return;
  }
  const reference = referenceText(value);
  if (reference !== undefined) {
    found.set(path, reference);
    return;
  }
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((item, i): [string, unknown] => [`${i}`, item])
    : Object.entries(value);
  for (const [key, member] of entries) if (key !== placeKey) collect(member, path === "" ? key : `${path}.${key}`, found);
}

/** What an environment variable is set to, in one line. */
function referenceText(value: object): string | undefined {
  const { kind, name, key, value: literal } = value as { kind?: unknown; name?: unknown; key?: unknown; value?: unknown };
  if (kind === "literal" && typeof literal === "string") return literal;
  if ((kind === "config" || kind === "secret") && typeof name === "string" && !("path" in value))
    return `${kind} ${name}${typeof key === "string" ? `/${key}` : ""}`;
  return undefined;
}
