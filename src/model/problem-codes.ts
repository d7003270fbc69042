/** Every code that a `Problem` can have. Codes are permanent: scripts match on them, `weir explain` and docs/problems.md tell what they mean. */
import { fileProblems } from "./problem-codes/file-problems.ts";
import { identityProblems } from "./problem-codes/identity-problems.ts";
import { installProblems } from "./problem-codes/install-problems.ts";
import { kubeProblems } from "./problem-codes/kube-problems.ts";
import { runProblems } from "./problem-codes/run-problems.ts";

export interface ProblemEntry {
  /** A few words. */
  readonly title: string;
  /** What it means. */
  readonly explanation: string;
  /** What to do. */
  readonly next: string;
}

/** By code, in alphabetical order. */
export const problemCodes: ReadonlyMap<string, ProblemEntry> = new Map(
  Object.entries({ ...fileProblems, ...identityProblems, ...installProblems, ...kubeProblems, ...runProblems }).toSorted(([a], [b]) => (a < b ? -1 : 1)),
);
