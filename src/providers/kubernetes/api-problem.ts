/** The API server's refusals as problems. */
import type { Problem } from "../../lib/problem.ts";
import type { ApiError } from "./api-error.ts";

/** What whoever asked should do. */
export interface ApiHints {
  readonly unreachable: string;
  readonly forbidden: string;
}

/** `doing` says at what it happened: `creating secret weir-ca`. */
export function apiProblem(error: ApiError, doing: string, hints: ApiHints): Problem {
  const message = `${doing}: ${error.message}`;
  switch (error.kind) {
    case "unavailable":
    case "silent":
      return { code: "cluster-unreachable", message, hint: hints.unreachable };
    case "unauthorized":
      return { code: "cluster-unauthorized", message, hint: "log in anew as your cluster wants it; `kubectl auth whoami` says who you are" };
    case "forbidden":
      return { code: "cluster-forbidden", message, hint: hints.forbidden };
    case "conflict":
    case "exists":
    case "gone":
    case "invalid":
    case "notFound":
    case "other":
      return { code: "cluster-refused", message };
    default:
      return error satisfies never;
  }
}
