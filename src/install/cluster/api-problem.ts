/** The API server's refusals as problems of whoever installs. */
import type { Problem } from "../../lib/problem.ts";
import type { ApiError } from "../../providers/kubernetes/api-error.ts";
import { apiProblem } from "../../providers/kubernetes/api-problem.ts";

const hints = {
  unreachable: "see whether `kubectl version` answers; another cluster: --context NAME",
  forbidden: "ask for the role cluster-admin while you install",
};

/** `doing` says at what it happened: `creating secret weir-ca`. */
export function problemOfApi(error: ApiError, doing: string): Problem {
  return apiProblem(error, doing, hints);
}
