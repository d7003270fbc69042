/** What scripts can rely on (docs/exit-codes in `weir --help`). */
export const exitCode = { ok: 0, failed: 1, badInput: 2, notFound: 3, conflict: 4, timeout: 5, unavailable: 6 } as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** The exit code for an answer of the API. */
export function exitCodeOf(status: number): ExitCode {
  if (status === 400) return exitCode.badInput;
  if (status === 404) return exitCode.notFound;
  if (status === 409) return exitCode.conflict;
  if (status === 503) return exitCode.unavailable;
  return status === 504 ? exitCode.timeout : exitCode.failed;
}
