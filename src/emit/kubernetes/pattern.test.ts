import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { RE2JS } from "re2js";
import type { TextMatch } from "../../model/types.ts";
import { anchored, cookiePattern, escapePattern, patternOf } from "./pattern.ts";

/** As Envoy matches: RE2, the whole text. */
function matches(pattern: string | undefined, text: string): boolean {
  assert.notEqual(pattern, undefined, "the pattern was refused");
  return RE2JS.compile(pattern ?? "").matches(text);
}

test("an escaped text matches itself and nothing shorter", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (text) => {
      assert.ok(matches(escapePattern(text), text));
      assert.ok(!matches(escapePattern(text), text.slice(1)));
    }),
  );
});

test("each kind of match as a pattern for the whole text", () => {
  assert.ok(matches(patternOf({ kind: "exact", value: "a.b" }), "a.b"));
  assert.ok(!matches(patternOf({ kind: "exact", value: "a.b" }), "axb"));
  assert.ok(matches(patternOf({ kind: "prefix", value: "a+" }), "a+c"));
  assert.ok(matches(patternOf({ kind: "present" }), ""));
  assert.equal(anchored("a|b"), "^(?:a|b)$");
});

test("a cookie is found wherever it stands in the header, and only by its whole name", () => {
  const pattern = cookiePattern("session", { kind: "exact", value: "a" });
  for (const header of ["session=a", "x=1; session=a", "session=a; y=2", "x=1;session=a;y=2"]) assert.ok(matches(pattern, header), header);
  for (const header of ["session=ab", "xsession=a", "x=session=a", "session=b; other=a"]) assert.ok(!matches(pattern, header), header);
});

test("a cookie's prefix or presence looks at its own value only", () => {
  assert.ok(matches(cookiePattern("s", { kind: "prefix", value: "a" }), "s=abc; t=1"));
  assert.ok(!matches(cookiePattern("s", { kind: "prefix", value: "a" }), "s=b; t=a"));
  assert.ok(matches(cookiePattern("s", { kind: "present" }), "s="));
  assert.ok(!matches(cookiePattern("s", { kind: "present" }), "st=1"));
});

test("a cookie's pattern cannot run over into the next cookie", () => {
  const within = (value: string): string | undefined => cookiePattern("s", { kind: "regex", value });
  assert.ok(matches(within("a.*z"), "s=abz; t=1"));
  assert.ok(!matches(within("a.*z"), "s=ab; t=z"));
  assert.ok(matches(within("^beta-[0-9]+$"), "s=beta-7"));
  assert.ok(!matches(within("[^x]+z"), "s=a; t=z"));
  assert.ok(matches(within("(?i)A\\d{2}|b"), "x=1; s=a12; y=2"));
  assert.ok(matches(within("a\\.b"), "s=a.b"));
});

test("what would need a parser to keep inside a cookie is refused", () => {
  for (const value of ["\\D+", "a\\Sb", "a;b", "x^y", "[\\x20-\\x7e]", "[+-Z]", "(?P<n>a)", "(?s).", "\\pL", "[[:punct:]]"]) {
    assert.equal(cookiePattern("s", { kind: "regex", value }), undefined, value);
  }
});

test("kept patterns agree with the cookie's own value, for random headers", () => {
  const value = fc.stringMatching(/^[ab;= ]{0,6}$/);
  const kinds: readonly TextMatch[] = ["a.*b", "[^a]*", "(?:a|b)+", "\\w*"].map((pattern) => ({ kind: "regex", value: pattern }));
  fc.assert(
    fc.property(value, fc.constantFrom(...kinds), (own, match) => {
      const cookie = own.replaceAll(";", "").trim();
      const expected = matches(patternOf(match), cookie);
      assert.equal(matches(cookiePattern("s", match), `x=ab; s=${cookie}; t=ab`), expected, `${patternOf(match)} on ${cookie}`);
    }),
  );
});
