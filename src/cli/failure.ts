import type { Problem } from "../lib/problem.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";

/** Ends a command: its problems are printed, its code is the exit status. Thrown only inside the CLI. */
export class Failure extends Error {
  readonly problems: readonly Problem[];
  readonly exit: ExitCode;

  constructor(problems: readonly Problem[], exit: ExitCode) {
    super(problems.map((problem) => problem.message).join("\n"));
    this.problems = problems;
    this.exit = exit;
  }
}

/** A failure of one problem. */
export function failure(code: string, message: string, options: { readonly hint?: string; readonly exit?: ExitCode } = {}): Failure {
  return new Failure([{ code, message, ...(options.hint === undefined ? {} : { hint: options.hint }) }], options.exit ?? exitCode.failed);
}
