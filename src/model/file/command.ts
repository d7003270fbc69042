import { failed, ok, type Result } from "../../lib/problem.ts";
import { splitWords } from "../../lib/shell-words.ts";
import { quote } from "../quote.ts";
import { text } from "./scalars.ts";
import { byKind, listOf, refine, type Shape, scalar, soundOnly } from "./shape.ts";

const example = "node server.js or [node, server.js]";

const line: Shape<readonly string[]> = scalar("a command", example, { type: "string" }, (node) => readCommandLine(node.text));
const list: Shape<readonly string[]> = refine(soundOnly(listOf("a command", text)), (words) => words.map(({ value }) => value));

/** A program and its arguments (or arguments alone): one line split as a shell does, or a list. */
export const words: Shape<readonly string[]> = byKind("a command", example, { scalar: line, list });

/** Splits a command line; what would need a shell is a problem. Problems: `command-invalid`, `command-needs-shell`. */
function readCommandLine(written: string): Result<readonly string[]> {
  if (written.includes("\0")) return failed({ code: "text-invalid", message: "a NUL character can't be used here" });
  const split = splitWords(written);
  if (split.ok) return ok(split.words);
  switch (split.reason) {
    case "quote-open":
      return failed({
        code: "command-invalid",
        message: `the ${split.found} at character ${split.at + 1} of the command is never closed`,
        hint: "close it, or write a list",
      });
    case "needs-shell":
      return failed({
        code: "command-needs-shell",
        message: `${quote(split.found)} at character ${split.at + 1} of the command needs a shell, and none is started`,
        hint: `put it in single quotes to mean it literally, or write [sh, -c, ${quote(written)}]`,
      });
    default:
      return split.reason satisfies never;
  }
}
