/** What is to be done for one pod next: a pure function, so that each way through joining, leaving and failing can be tested by itself. */
import { isIPv4 } from "node:net";
import { captureRules, drainRules, noRules, quietRules } from "./pod-rules.ts";

/** What is known of the rules in a pod. `unknown` is how a new agent begins. */
export type RulesState =
  | { readonly kind: "unknown" | "none" }
  | { readonly kind: "captured"; readonly text: string }
  /** New connections go their own way; redirected ones are waited for. */
  | { readonly kind: "draining"; readonly since: number }
  /** Nothing is translated and nothing tracked. */
  | { readonly kind: "quiet"; readonly since: number };

export interface WantedPod {
  readonly address: string;
  readonly probePorts: readonly number[];
  readonly mode: "strict" | "permissive";
  readonly capture: boolean;
}

export interface PodView {
  /** Absent: the pod is in no order (any more). */
  readonly wanted?: WantedPod;
  readonly rules: RulesState;
  readonly now: number;
  /** Redirected connections that are still open; asked for while draining. */
  readonly open?: number;
}

export type PodStep =
  | { readonly do: "nothing" }
  | { readonly do: "apply"; readonly rules: string; readonly becomes: RulesState }
  /** Look at the pod's connections, then ask again. */
  | { readonly do: "count" }
  | { readonly do: "forget" }
  | { readonly do: "fail"; readonly reason: string };

/** Redirected connections of a pod that left the mesh are cut after this time; those of a pod that only is not captured any more are not. */
export const drainLimitMs = 30_000;

/** The kernel lets go of connection tracking in a fraction of this. */
export const quietMs = 1_000;

/** Says the next step for a pinned pod. Asked again after each step until it says `nothing` or `forget`; `count` is answered with `open`. */
export function nextStep({ wanted, rules, now, open }: PodView): PodStep {
  if (wanted?.capture === true) {
    if (!isIPv4(wanted.address)) return { do: "fail", reason: `${wanted.address}: only pods with an IPv4 address can be captured` };
    if (rules.kind === "none") return quiet(now);
    const text = captureRules(wanted);
    return rules.kind === "captured" && rules.text === text ? { do: "nothing" } : { do: "apply", rules: text, becomes: { kind: "captured", text } };
  }
  switch (rules.kind) {
    case "unknown":
    case "captured":
      return { do: "apply", rules: drainRules(), becomes: { kind: "draining", since: now } };
    case "draining": {
      if (open === undefined) return { do: "count" };
      const isOver = open === 0 || (wanted === undefined && now - rules.since >= drainLimitMs);
      return isOver ? quiet(now) : { do: "nothing" };
    }
    case "quiet":
      return now - rules.since >= quietMs ? { do: "apply", rules: noRules(), becomes: { kind: "none" } } : { do: "nothing" };
    case "none":
      return wanted === undefined ? { do: "forget" } : { do: "nothing" };
    default:
      return rules satisfies never;
  }
}

function quiet(since: number): PodStep {
  return { do: "apply", rules: quietRules(), becomes: { kind: "quiet", since } };
}
