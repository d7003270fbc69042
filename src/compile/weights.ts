import { fullWeight, splitInProportion } from "../model/weights.ts";
import type { BackendId, WeightedBackend } from "./mesh-plan.ts";

/** Brings weights to a sum of exactly 10 000, keeping proportions; one backend named twice gets both shares. Nothing, or only zeros: empty. */
export function rescale(destinations: readonly WeightedBackend[]): readonly WeightedBackend[] {
  const shares = new Map<BackendId, number>();
  const known = new Map<BackendId, WeightedBackend>();
  for (const destination of destinations) {
    const { backend, weight } = destination;
    if (weight <= 0) continue;
    shares.set(backend, (shares.get(backend) ?? 0) + weight);
    known.set(backend, destination);
  }
  if (shares.size === 0) return [];
  return [...splitInProportion(fullWeight, shares)].flatMap(([backend, weight]) => {
    const destination = known.get(backend);
    return destination === undefined || weight === 0 ? [] : [{ ...destination, weight }];
  });
}
