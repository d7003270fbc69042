/** What is made of declared objects and the configs and secrets that they use, remembered until one of them changes. */
import { createHash } from "node:crypto";
import { shareList } from "../lib/memoize.ts";
import type { Declared, DeclaredSnapshot } from "../model/declared.ts";
import { usedData } from "../release/template.ts";

type Uses = Parameters<typeof usedData>[1];

/** Answers with the value of last time as long as the object and what it uses are the same; `make` may read nothing else of the snapshot. */
export function madeFromUsed<Value>(): (snapshot: DeclaredSnapshot, object: Declared, uses: Uses, make: () => Value) => Value {
  const known = new WeakMap<Declared, { readonly parts: readonly Declared[]; readonly value: Value }>();
  return (snapshot, object, uses, make) => {
    const parts: readonly Declared[] = [...usedData(snapshot, uses, "config"), ...usedData(snapshot, uses, "secret")];
    const before = known.get(object);
    if (before !== undefined && shareList(before.parts, parts) === before.parts) return before.value;
    const value = make();
    known.set(object, { parts, value });
    return value;
  };
}

/** The name of what something is made from: 16 hexadecimal digits, for a label of Kubernetes is short. */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
