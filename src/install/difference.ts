/** What an object on the cluster and the same one after an apply differ in, field by field. */

export interface FieldDifference {
  /** `spec.template.spec.containers[agent].image` */
  readonly path: string;
  /** Absent: it was not there. */
  readonly before?: string;
  /** Absent: it is taken away. */
  readonly after?: string;
}

/** What the cluster itself writes. */
const itsOwn: ReadonlySet<string> = new Set([
  "status",
  'metadata.annotations."deprecated.daemonset.template.generation"',
  'metadata.annotations."deployment.kubernetes.io/revision"',
  "metadata.creationTimestamp",
  "metadata.generation",
  "metadata.managedFields",
  "metadata.resourceVersion",
  "metadata.selfLink",
  "metadata.uid",
]);
const longest = 80;

/** The fields that differ, in the order of the objects. A Secret's contents are not shown. */
export function differences(before: unknown, after: unknown): readonly FieldDifference[] {
  const found: FieldDifference[] = [];
  const isSecret = isFields(after) && after["kind"] === "Secret";
  compare("", before, after, (difference) => found.push(isSecret && /^(data|stringData)\b/.test(difference.path) ? hidden(difference) : difference));
  return found;
}

/** Paths of what `wanted` says and `live` does not have so; what it has beyond that (defaults) is no difference. */
export function missingFields(live: unknown, wanted: unknown): readonly string[] {
  const missing: string[] = [];
  const look = (path: string, has: unknown, says: unknown): void => {
    if (same(has, says)) return;
    const [left, right] = [parts(has), parts(says)];
    if (left === undefined || right === undefined) missing.push(path);
    else for (const [key, value] of right) look(join(path, key), left.get(key), value);
  };
  look("", live, wanted);
  return missing;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function compare(path: string, before: unknown, after: unknown, add: (difference: FieldDifference) => void): void {
  if (itsOwn.has(path) || same(before, after)) return;
  const [left, right] = [parts(before), parts(after)];
  if (left === undefined || right === undefined) {
    add({ path, ...(before === undefined ? {} : { before: show(before) }), ...(after === undefined ? {} : { after: show(after) }) });
    return;
  }
  for (const key of new Set([...left.keys(), ...right.keys()])) compare(join(path, key), left.get(key), right.get(key), add);
}

/** A map's fields, a list's elements by their name or place; undefined for anything else. */
function parts(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (isFields(value)) return new Map(Object.entries(value));
  if (!Array.isArray(value)) return undefined;
  return new Map(value.map((item: unknown, at) => [`[${isFields(item) && typeof item["name"] === "string" ? item["name"] : at}]`, item]));
}

function join(path: string, key: string): string {
  if (key.startsWith("[")) return `${path}${key}`;
  const safe = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
  return path === "" ? safe : `${path}.${safe}`;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const [left, right] = [parts(a), parts(b)];
  if (left === undefined || right === undefined || left.size !== right.size || Array.isArray(a) !== Array.isArray(b)) return false;
  return [...left].every(([key, value]) => right.has(key) && same(value, right.get(key)));
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

function hidden({ path, before, after }: FieldDifference): FieldDifference {
  return { path, ...(before === undefined ? {} : { before: "(secret)" }), ...(after === undefined ? {} : { after: "(another secret)" }) };
}
