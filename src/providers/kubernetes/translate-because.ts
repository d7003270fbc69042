/** Conditions of statuses, and why they are not so. */
import type { KubeCondition } from "./route-objects.ts";

/** Why something is not so, in a condition's words. */
export interface Because {
  readonly reason: string;
  readonly message: string;
}

/** A condition that is so, with its own name for a reason, if there is nothing `bad`. */
export function because(type: string, generation: number, bad: Because | undefined): KubeCondition {
  return { type, status: bad === undefined ? "True" : "False", reason: bad?.reason ?? type, message: bad?.message ?? "", generation };
}
