/** Remembers results by the identity of an immutable argument; what nobody holds any longer is forgotten. */
export function memoize<Argument extends object, Value>(compute: (argument: Argument) => Value): (argument: Argument) => Value {
  const known = new WeakMap<Argument, { readonly value: Value }>();
  return (argument) => {
    const before = known.get(argument);
    if (before !== undefined) return before.value;
    const value = compute(argument);
    known.set(argument, { value });
    return value;
  };
}

/** `before` if `after` has the same elements in the same order (the very same, or the same as `same` says), else `after`: so a list that did not change keeps its identity. */
export function shareList<Element>(
  before: readonly Element[] | undefined,
  after: readonly Element[],
  same: (a: Element, b: Element) => boolean = Object.is,
): readonly Element[] {
  return before !== undefined && before.length === after.length && after.every((element, index) => same(before[index] as Element, element)) ? before : after;
}

/** The same for a map, whatever the order of its keys; no value is undefined. */
export function shareMap<K, V>(before: ReadonlyMap<K, V> | undefined, after: ReadonlyMap<K, V>, same: (a: V, b: V) => boolean = Object.is): ReadonlyMap<K, V> {
  if (before === undefined || before.size !== after.size) return after;
  for (const [key, value] of after) {
    const old = before.get(key);
    if (old === undefined || !same(old, value)) return after;
  }
  return before;
}

/** Whether two objects have the same fields with the very same values. */
export function sameFields(a: object, b: object): boolean {
  const [left, right] = [Object.entries(a), b as Readonly<Record<string, unknown>>];
  return left.length === Object.keys(b).length && left.every(([key, value]) => Object.is(value, right[key]));
}

/** Remembers for each owner the last value and what it was made from; equal inputs (by identity) give that value again. `compute` reads nothing else. */
export function memoizeLast<Owner extends object, Inputs extends readonly unknown[], Value>(
  compute: (owner: Owner, ...inputs: Inputs) => Value,
): (owner: Owner, ...inputs: Inputs) => Value {
  const known = new WeakMap<Owner, { readonly inputs: Inputs; readonly value: Value }>();
  return (owner, ...inputs) => {
    const before = known.get(owner);
    if (before !== undefined && shareList(before.inputs, inputs) === before.inputs) return before.value;
    const value = compute(owner, ...inputs);
    known.set(owner, { inputs, value });
    return value;
  };
}
