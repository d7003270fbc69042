/** Values that were made anew and say what they said before keep their identity: whoever works by it has nothing to do. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { memoize, shareList } from "../../lib/memoize.ts";

/** `after` with the elements of `before` that say the same; `before` itself when all do. Elements are plain data. */
export function shareEqual<Element extends object>(before: readonly Element[], after: readonly Element[]): readonly Element[] {
  if (before === after) return before;
  const known = new Map(before.map((element) => [textOf(element), element]));
  return shareList(
    before,
    after.map((element) => known.get(textOf(element)) ?? element),
  );
}

const textOf = memoize((element: object): string => canonicalJson(element));
