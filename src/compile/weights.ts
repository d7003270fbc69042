import { fullWeight, splitInProportion } from "../model/weights.ts";
import type { BackendId, WeightedBackend } from "./mesh-plan.ts";

/** Brings weights to a sum of exactly 10 000, keeping proportions; one backend named twice gets both shares. Nothing, or only zeros: empty. */
export function rescale(destinations: readonly WeightedBackend[]): readonly WeightedBackend[] {
  const shares = new Map<BackendId, number>();
  for (const { backend, weight } of destinations) if (weight > 0) shares.set(backend, (shares.get(backend) ?? 0) + weight);
  if (shares.size === 0) return [];
  return [...splitInProportion(fullWeight, shares)].map(([backend, weight]) => ({ backend, weight }));
}
