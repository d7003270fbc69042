/** What the keeper knows of one pod, and what it reports of it. */
import type { PodReport } from "./contract.ts";
import type { Pin } from "./pod-network.ts";
import type { RulesState } from "./pod-steps.ts";

export interface PodState {
  /** Absent: its namespace is not found. */
  pin?: Pin;
  rules: RulesState;
  phase: PodReport["phase"];
  reason?: string;
  /** When its rules were told last that somebody serves it. */
  servedAt: number;
  /** The runtime waits for us: nothing of it may pass before its Envoy listens. */
  isStarting?: true;
}

/** Of a pod that nothing is known of. */
export function newPodState(): PodState {
  return { rules: { kind: "unknown" }, phase: "searching", servedAt: Number.NEGATIVE_INFINITY };
}

/** Notes that a pod is not where it should be, and why. It is tried again. */
export function failPod(state: PodState, reason: string): void {
  state.phase = "failed";
  state.reason = reason;
}

/** @param more what the report has besides */
export function reportPod(uid: string, { phase, pin, reason }: PodState, more: Partial<PodReport> = {}): PodReport {
  return { uid, phase, ...(pin === undefined ? {} : { networkNamespace: pin.path }), ...(reason === undefined ? {} : { reason }), ...more };
}
