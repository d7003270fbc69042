import { fullWeight, splitInProportion } from "../model/weights.ts";
import type { WeightedBackend } from "./mesh-plan.ts";

/** Brings weights to a sum of exactly 10 000, keeping proportions; one backend named twice gets both shares. Nothing, or only zeros: empty. */
export function rescale(destinations: readonly WeightedBackend[]): readonly WeightedBackend[] {
  const shares = new Map<string, number>();
  const known = new Map<string, WeightedBackend>();
  for (const [index, destination] of destinations.entries()) {
    const { backend, weight, requestHeaders, responseHeaders } = destination;
    if (weight <= 0) continue;
    // One backend with different headers is two destinations.
    const key = requestHeaders === undefined && responseHeaders === undefined ? backend : `${backend}#${index}`;
    shares.set(key, (shares.get(key) ?? 0) + weight);
    known.set(key, destination);
  }
  if (shares.size === 0) return [];
  return [...splitInProportion(fullWeight, shares)].flatMap(([key, weight]) => {
    const destination = known.get(key);
    return destination === undefined || weight === 0 ? [] : [{ ...destination, weight }];
  });
}
