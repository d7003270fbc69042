import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileProblems } from "./problem-codes/file-problems.ts";
import { identityProblems } from "./problem-codes/identity-problems.ts";
import { installProblems } from "./problem-codes/install-problems.ts";
import { kubeProblems } from "./problem-codes/kube-problems.ts";
import { runProblems } from "./problem-codes/run-problems.ts";
import { problemCodes } from "./problem-codes.ts";

const root = path.resolve(import.meta.dirname, "../..");
const page = path.join(root, "docs/problems.md");
const sources = globSync("src/**/*.ts", { cwd: root })
  .filter((file) => !file.endsWith(".test.ts") && !file.startsWith(path.normalize("src/model/problem-codes")))
  .map((file) => ({ file, text: readFileSync(path.join(root, file), "utf8") }));

/** Where a code is given to a problem: as a property, or as an argument of what makes problems. */
const givings = [
  /\bcode: "([a-z][a-z0-9-]*)"/g,
  /\b(?:failure|refuse|problem|problemOf)\(\s*"([a-z][a-z0-9-]*)"/g,
  /\breport\.add(?:Unseen)?\(\s*[^"]*?,\s*"([a-z][a-z0-9-]*)"/g,
];

test("every code that src gives to a problem is explained", () => {
  const given = sources.flatMap(({ file, text }) => givings.flatMap((giving) => [...text.matchAll(giving)].map(([, code = ""]) => ({ file, code }))));
  assert.ok(given.length > 150, `the scan found only ${given.length}`);
  const unexplained = given.filter(({ code }) => !problemCodes.has(code));
  assert.deepEqual(unexplained, [], "explain these in src/model/problem-codes/, then: WEIR_DOCS=update node --test src/model/problem-codes.test.ts");
});

test("every explained code is given by something", () => {
  const all = sources.map(({ text }) => text).join("\n");
  const isGiven = (code: string) => all.includes(`"${code}"`) || (/^(config|secret)-unknown$/.test(code) && all.includes("`${kind}-unknown`"));
  assert.deepEqual(
    [...problemCodes.keys()].filter((code) => !isGiven(code)),
    [],
  );
});

test("the lists are alphabetical, share no code, and say everything in sentences", () => {
  const lists = [fileProblems, identityProblems, installProblems, kubeProblems, runProblems];
  for (const list of lists) assert.deepEqual(Object.keys(list), Object.keys(list).toSorted());
  assert.equal(problemCodes.size, lists.flatMap((list) => Object.keys(list)).length);
  for (const [code, { title, explanation, next }] of problemCodes) {
    assert.match(title, /^[a-zA-Z`].*[^.]$/, code);
    for (const sentence of [explanation, next]) assert.match(sentence, /^[A-Z`].*\.$/, code);
  }
});

/** docs/problems.md as it should be. */
function pageText(): string {
  const entries = [...problemCodes].map(([code, { title, explanation, next }]) => `## ${code}\n\n*${title}*\n\n${explanation}\n\n${next}\n`);
  return `# Problems\n\nEvery problem that Weir tells has a code, which stays as it is: scripts can match on it. \`weir explain CODE\` prints an entry of this page.\n\n${entries.join("\n")}`;
}

test("docs/problems.md is current (WEIR_DOCS=update writes it)", () => {
  if (process.env["WEIR_DOCS"] === "update") writeFileSync(page, pageText());
  assert.equal(readFileSync(page, "utf8"), pageText());
});
