/** A place in a file the user wrote. Lines and columns count from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The line itself, so that a message can show it. */
  readonly text?: string;
}

/**
 * Something the user can mend, as a value: problems are collected and shown all at once.
 * `code` is permanent: scripts match on it and the docs list it.
 */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly where?: SourcePlace;
  /** What to do next, in one sentence. */
  readonly hint?: string;
}

/** The outcome of anything that can find problems. A failure carries at least one. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** Wraps a value as a success. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** Wraps problems as a failure. */
export function failed<T>(...problems: readonly Problem[]): Result<T> {
  return { ok: false, problems };
}
