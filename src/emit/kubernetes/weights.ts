/** Weights as Kubernetes objects write them: whole numbers that only mean something beside each other. */
import type { WeightedBackend } from "../../compile/mesh-plan.ts";

const scales = [100, 10, 1];

/**
 * Turns basis points (sum 10 000) into the smallest whole numbers that keep the shares exact: percent (sum 100) where
 * every weight is a whole percent, else tenths of a percent (1 000), else basis points. Same order as given.
 */
export function shares(destinations: readonly WeightedBackend[]): readonly number[] {
  const divisor = scales.find((scale) => destinations.every(({ weight }) => weight % scale === 0)) ?? 1;
  return destinations.map(({ weight }) => weight / divisor);
}
