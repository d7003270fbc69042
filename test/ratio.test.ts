/** How many lines of tests there are for a line of code; the house wants 0.7 at least. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

const root = path.resolve(import.meta.dirname, "..");

function linesOf(files: readonly string[]): number {
  return files.reduce(
    (sum, file) =>
      sum +
      readFileSync(path.join(root, file), "utf8")
        .split("\n")
        .filter((line) => line.trim() !== "").length,
    0,
  );
}

test("lines of tests : lines of code", (t) => {
  const source = globSync("src/**/*.ts", { cwd: root });
  const code = linesOf(source.filter((file) => !file.endsWith(".test.ts")));
  const tests = linesOf([...source.filter((file) => file.endsWith(".test.ts")), ...globSync("test/**/*.{ts,mjs}", { cwd: root })]);
  t.diagnostic(`${tests} : ${code} = ${(tests / code).toFixed(2)}`);
  assert.ok(tests / code >= 0.7, `${tests} lines of tests for ${code} lines of code`);
});
