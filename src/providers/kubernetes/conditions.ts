/** Conditions of statuses, in Kubernetes' form. */
import { type Raw, text } from "./readers.ts";

export interface StatusCondition {
  /** `Ready` of versions, `Programmed` of everything else that is declared; Gateway API has its own. */
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339: when `status` last became another. */
  readonly lastTransitionTime: string;
}

/** A moment (milliseconds since the epoch) as conditions have it: RFC 3339, whole seconds. */
export function conditionTime(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
}

/** The condition `next` with the time of its last change: that of the one in `before` while the answer is the same, else `at` (a `conditionTime`). */
export function conditionSince<C extends { readonly type: string; readonly status: string }>(
  next: C,
  before: readonly Raw[],
  at: string,
): C & { readonly lastTransitionTime: string } {
  const old = before.find(({ type, status }) => type === next.type && status === next.status);
  return { ...next, lastTransitionTime: text(old?.["lastTransitionTime"]) ?? at };
}
