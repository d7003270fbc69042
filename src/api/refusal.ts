import type { Problem, Result } from "../lib/problem.ts";

export type RefusalStatus = 400 | 404 | 409 | 413 | 422 | 503;

/** Ends a request with problems of the user's making. */
export class Refusal extends Error {
  readonly status: RefusalStatus;
  readonly problems: readonly Problem[];

  constructor(status: RefusalStatus, problems: readonly Problem[]) {
    super(problems.map((problem) => problem.message).join("; "));
    this.status = status;
    this.problems = problems;
  }
}

/** Codes that say more than "bad input". */
const statusByCode: Readonly<Record<string, RefusalStatus>> = {
  "adopt-ambiguous": 409,
  "adopt-headless": 422,
  "adopt-own": 409,
  "app-unknown": 404,
  "cluster-behind": 503,
  "cluster-forbidden": 422,
  "cluster-refused": 422,
  "cluster-unauthorized": 422,
  "cluster-unreachable": 503,
  conflict: 409,
  "deployment-unknown": 404,
  "in-use": 409,
  "name-taken": 409,
  "namespace-ending": 409,
  "namespace-missing": 404,
  "namespace-unseen": 422,
  "not-found": 404,
  "object-foreign": 409,
  "owned-by-other": 409,
  "revision-unknown": 404,
  "rollback-impossible": 422,
  "rollback-nothing": 422,
  "stack-unknown": 404,
  "undo-incomplete": 422,
  "version-exists": 409,
  "version-unknown": 404,
};

/** The value of a result, or the refusal that its problems deserve. */
export function need<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Refusal(statusByCode[result.problems[0]?.code ?? ""] ?? 400, result.problems);
}

/** A refusal with one problem. */
export function refuse(code: string, message: string, options: { readonly hint?: string | undefined; readonly status?: RefusalStatus } = {}): Refusal {
  const { hint, status } = options;
  return new Refusal(status ?? statusByCode[code] ?? 400, [{ code, message, ...(hint === undefined ? {} : { hint }) }]);
}
