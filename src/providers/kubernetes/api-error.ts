/** The API server's refusals as values. */
import { messageOf } from "../../lib/message-of.ts";
import { list, number, optional, record, text } from "./readers.ts";

export interface ApiCause {
  readonly field: string;
  readonly reason: string;
  readonly message: string;
}

export type ApiError = { readonly message: string } & (
  | { readonly kind: "notFound" | "exists" | "unauthorized" | "forbidden" }
  /** It changed meanwhile, or fields of it belong to others (then they are the causes). */
  | { readonly kind: "conflict"; readonly causes: readonly ApiCause[] }
  /** The asked resource version is no longer known: list anew. */
  | { readonly kind: "gone" }
  | { readonly kind: "invalid"; readonly causes: readonly ApiCause[] }
  /** Not now: worth trying again. */
  | { readonly kind: "unavailable"; readonly retryAfterMs?: number }
  /** The connection said nothing for so long that it may be dead. */
  | { readonly kind: "silent" }
  | { readonly kind: "other"; readonly status: number }
);

export type ApiResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ApiError };

/** Reads a refusal. `status` is the HTTP status (or a Status object's code), `body` what came with it, if it could be read. */
export function apiError(status: number, body: unknown, retryAfter?: string): ApiError {
  const raw = record(body);
  const message = text(raw["message"]) ?? `the API server answered with status ${status}`;
  const details = record(raw["details"]);
  const causes = list(details["causes"]).map(readCause);
  switch (status) {
    case 400:
    case 422:
      return { kind: "invalid", message, causes };
    case 401:
      return { kind: "unauthorized", message };
    case 403:
      return { kind: "forbidden", message };
    case 404:
      return { kind: "notFound", message };
    case 409:
      return raw["reason"] === "AlreadyExists" ? { kind: "exists", message } : { kind: "conflict", message, causes };
    case 410:
      return { kind: "gone", message };
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: {
      const seconds = number(details["retryAfterSeconds"]) ?? (retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined);
      return { kind: "unavailable", message, ...optional("retryAfterMs", seconds === undefined ? undefined : seconds * 1_000) };
    }
    default:
      return { kind: "other", message, status };
  }
}

/** Reads a Status object that came inside a watch. */
export function statusError(value: unknown): ApiError {
  return apiError(number(record(value)["code"]) ?? 500, value);
}

function readCause(value: unknown): ApiCause {
  const raw = record(value);
  return { field: text(raw["field"]) ?? "", reason: text(raw["reason"]) ?? "", message: text(raw["message"]) ?? "" };
}

/** A broken connection as a value: no API server, no route, a reset. */
export function connectionError(error: unknown): ApiError {
  // A refused connection to a name with several addresses has its reason inside.
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const isCut = inner instanceof Error && "code" in inner && inner.code === "ECONNRESET";
  const message = messageOf(inner);
  return { kind: "unavailable", message: isCut ? "the connection to the API server broke off" : message };
}
