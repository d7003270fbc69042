/** Entry of the command `weir`. */
import { exitCode } from "./exit-code.ts";
import { Failure } from "./failure.ts";
import { say } from "./output.ts";
import { problemText } from "./problems.ts";
import { runProgram } from "./program.ts";
import { version } from "./version.ts";

// A reader that went away (`weir ps | head -1`, `weir up 2>&1 | head`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCode.ok);
    throw error;
  });
}

try {
  process.exitCode = await runProgram(process.argv.slice(2), version);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  for (const problem of error.problems) say(problemText(problem));
  process.exitCode = error.exit;
}
