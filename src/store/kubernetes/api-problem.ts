/** The API server's refusals as problems of whoever declares something. */
import type { Problem } from "../../lib/problem.ts";
import type { ApiError } from "../../providers/kubernetes/api-error.ts";
import { apiProblem } from "../../providers/kubernetes/api-problem.ts";

const hints = { unreachable: "see whether `kubectl version` answers", forbidden: "ask for the role edit in that namespace (view is enough to look)" };

/** `doing` says at what it happened: `writing Version shop/web-v1`. */
export function problemOfApi(error: ApiError, doing: string): Problem {
  // Somebody else was faster.
  if (error.kind === "conflict" || error.kind === "exists")
    return { code: "conflict", message: `${doing}: ${error.message}`, hint: "look at it again, then repeat the command" };
  return apiProblem(error, doing, hints);
}
