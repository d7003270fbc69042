/** Problems on a terminal. */
import { styleText } from "node:util";
import type { Problem, SourcePlace } from "../lib/problem.ts";

/** `weir.yaml:4:12: error[unknown-key]: ...`, the line with a caret, the hint. */
export function problemText(problem: Problem): string {
  const red = (text: string) => styleText("red", text, { stream: process.stderr });
  const place = problem.where === undefined ? "" : `${problem.where.file}:${problem.where.line}:${problem.where.column}: `;
  const lines = [`${place}${red(`error[${problem.code}]`)}: ${problem.message}`];
  if (problem.where?.text !== undefined) lines.push(...excerpt(problem.where, problem.where.text));
  if (problem.hint !== undefined) lines.push(`  hint: ${problem.hint}`);
  return lines.join("\n");
}

function excerpt(where: SourcePlace, text: string): readonly string[] {
  const number = String(where.line);
  const indent = text.slice(0, where.column - 1).replace(/[^\t]/g, " ");
  return [`  ${number} | ${text}`, `  ${" ".repeat(number.length)} | ${indent}^`];
}
