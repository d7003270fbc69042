/** weir.yaml texts for tests: what they declare, or what is wrong with them. */
import assert from "node:assert/strict";
import type { Result } from "../../src/lib/problem.ts";
import { type ParseOptions, parseStack, type SourceText } from "../../src/model/parse-stack.ts";
import type { Stack } from "../../src/model/types.ts";

/** A source named weir.yaml in /srv/shop; `beside` is what it takes from files and the environment. */
export function sourceOf(text: string, beside: Partial<SourceText> = {}): SourceText {
  return { file: "weir.yaml", text, dir: "/srv/shop", files: {}, env: {}, ...beside };
}

/** The result, or a test that fails with the problems. */
export function sound<T>(result: Result<T>): T {
  assert.ok(result.ok, result.ok ? "" : JSON.stringify(result.problems, null, 2));
  return result.value;
}

/** The stack of a sound text. */
export function stackOf(text: string, beside: Partial<SourceText> = {}, options: ParseOptions = {}): Stack {
  return sound(parseStack(sourceOf(text, beside), options));
}

/** Every problem as `LINE:COLUMN CODE: MESSAGE (HINT)`; none for a sound text. */
export function mistakesOf(text: string, beside: Partial<SourceText> = {}, options: ParseOptions = {}): readonly string[] {
  const result = parseStack(sourceOf(text, beside), options);
  if (result.ok) return [];
  return result.problems.map(
    ({ code, message, where, hint }) => `${where?.line}:${where?.column} ${code}: ${message}${hint === undefined ? "" : ` (${hint})`}`,
  );
}
