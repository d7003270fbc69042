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

/** `before` if `after` has the very same elements in the same order, else `after`: so a list that did not change keeps its identity. */
export function shareList<Element>(before: readonly Element[] | undefined, after: readonly Element[]): readonly Element[] {
  return before !== undefined && before.length === after.length && after.every((element, index) => element === before[index]) ? before : after;
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
