import assert from "node:assert/strict";
import test from "node:test";
import { styleText } from "node:util";
import { tableText } from "./table.ts";

test("columns are as wide as their widest cell, and lines end without spaces", () => {
  assert.equal(
    tableText([
      ["NAME", "STATE"],
      ["web@v1", "ready"],
      ["a", ""],
    ]),
    "NAME    STATE\nweb@v1  ready\na",
  );
});

test("colours take no room", () => {
  const green = styleText("green", "ready", { validateStream: false });
  assert.equal(
    tableText([
      ["STATE", "AGE"],
      [green, "1s"],
      ["x", "2s"],
    ]),
    `STATE  AGE\n${green}  1s\nx      2s`,
  );
});

test("a cell of several lines moves nothing but itself", () => {
  assert.equal(
    tableText([
      ["A", "RULES", "Z"],
      ["r", "one\ntwo two", "z"],
      ["s", "", "y"],
    ]),
    "A  RULES    Z\nr  one      z\n   two two\ns           y",
  );
});

test("a line of its own widens no column", () => {
  assert.equal(tableText([["A", "B"], ["1", "2"], "  why: a long story"]), "A  B\n1  2\n  why: a long story");
});

test("nothing is nothing", () => {
  assert.equal(tableText([]), "");
});
