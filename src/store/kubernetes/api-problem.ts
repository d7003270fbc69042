/** The API server's refusals as problems of whoever declares something. */
import type { Problem } from "../../lib/problem.ts";
import type { ApiError } from "../../providers/kubernetes/api-error.ts";

/** `doing` says at what it happened: `writing Version shop/web-v1`. */
export function problemOfApi(error: ApiError, doing: string): Problem {
  const message = `${doing}: ${error.message}`;
  switch (error.kind) {
    case "unavailable":
    case "silent":
      return { code: "cluster-unreachable", message, hint: "see whether `kubectl version` answers" };
    case "unauthorized":
      return { code: "cluster-unauthorized", message, hint: "log in anew as your cluster wants it; `kubectl auth whoami` says who you are" };
    case "forbidden":
      return { code: "cluster-forbidden", message, hint: "ask for the role edit in that namespace (view is enough to look)" };
    case "conflict":
    case "exists":
      return { code: "conflict", message, hint: "look at it again, then repeat the command" };
    case "gone":
    case "invalid":
    case "notFound":
    case "other":
      return { code: "cluster-refused", message };
    default:
      return error satisfies never;
  }
}
