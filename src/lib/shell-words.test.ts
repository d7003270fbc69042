import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitWords } from "./shell-words.ts";

test("words are split as a shell does", () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ["", []],
    ["  node   server.js\t--x ", ["node", "server.js", "--x"]],
    [`sh -c 'echo "$A" | cat'`, ["sh", "-c", 'echo "$A" | cat']],
    [`a "b c"'d'e`, ["a", "b cde"]],
    [`"a\\"b\\\\c\\n"`, ['a"b\\c\\n']],
    ["a\\ b", ["a b"]],
    ["a\\\nb", ["ab"]],
    [`'' ""`, ["", ""]],
    ["a#b # rest", ["a#b"]],
    ["price 5$ \\$HOME", ["price", "5$", "$HOME"]],
    ["* ~ a=b", ["*", "~", "a=b"]],
  ];
  for (const [line, words] of table) assert.deepEqual(splitWords(line), { ok: true, words }, line);
});

test("what needs a shell, or is not closed, is refused where it stands", () => {
  const table: readonly (readonly [string, number, string])[] = [
    ["a && b", 2, "needs-shell"],
    ["a >out", 2, "needs-shell"],
    ["echo $HOME", 5, "needs-shell"],
    ['echo "x ${A}"', 8, "needs-shell"],
    ["echo `id`", 5, "needs-shell"],
    ["a 'b", 2, "quote-open"],
    ['a "b', 2, "quote-open"],
    ["a \\", 2, "quote-open"],
  ];
  for (const [line, at, reason] of table) {
    const split = splitWords(line);
    assert.ok(!split.ok, line);
    assert.deepEqual([split.at, split.reason], [at, reason], line);
  }
});

const wordy: readonly string[] = ["a", "b", " ", "\\", '"', "'", "$", "`", "|", "#", "\n", "{"];

/** As one quotes for a shell. */
const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

test("any words survive quoting and splitting; any text is split without throwing", () => {
  fc.assert(fc.property(fc.array(fc.string()), (words) => assert.deepEqual(splitWords(words.map(quoted).join(" ")), { ok: true, words })));
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...wordy) }), (line) => void splitWords(line)));
});
