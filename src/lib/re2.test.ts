import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { re2Error } from "./re2.ts";

test("RE2's syntax is accepted, what only backtracking engines know is not", () => {
  for (const pattern of ["^/a/.*$", "(?i)abc", "(?P<id>\\d+)", "[[:alpha:]]+", "\\pN", ""]) assert.equal(re2Error(pattern), undefined, pattern);
  assert.equal(re2Error("a(?=b)"), "invalid or unsupported Perl syntax: `(?=`");
  assert.equal(re2Error("(a)\\1"), "invalid escape sequence: `\\1`");
  assert.equal(re2Error("["), "missing closing ]: `[`");
  assert.match(re2Error("(a{1000}){1000}") ?? "", /invalid repeat count/);
});

test("any text gets an answer", () => {
  fc.assert(fc.property(fc.string(), (pattern) => void re2Error(pattern)));
});
