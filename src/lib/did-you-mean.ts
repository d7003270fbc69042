import { distance } from "fastest-levenshtein";

/**
 * Returns the known word that `wrong` most likely stands for, or undefined when none is close.
 * Close: at most two edits per five letters (at least one), upper and lower case alike. A tie goes to the first in `known`.
 */
export function closest(wrong: string, known: Iterable<string>): string | undefined {
  // Longer input is no typing mistake, and the distance costs length times length.
  if (wrong.length > 100) return undefined;
  const typed = wrong.toLowerCase();
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const word of known) {
    const edits = distance(typed, word.toLowerCase());
    if (edits < bestDistance && edits <= Math.max(1, Math.floor(Math.max(typed.length, word.length) * 0.4))) {
      best = word;
      bestDistance = edits;
    }
  }
  return best;
}

/** Returns a sentence that helps: the close one of `known`, else all of them (up to twelve), else undefined when there are none. */
export function didYouMean(wrong: string, known: Iterable<string>): string | undefined {
  const words = [...new Set(known)];
  const near = closest(wrong, words);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (words.length === 0) return undefined;
  if (words.length > 12) return `one of ${words.slice(0, 12).join(", ")}, …`;
  return words.length === 1 ? `only ${words.join("")} is known here` : `one of ${words.join(", ")}`;
}
