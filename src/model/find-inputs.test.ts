import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findInputs } from "./find-inputs.ts";

test("finds what configs and secrets take from beside the file, once each", () => {
  const text = `
configs:
  site: {index.html: text, logo: {file: ./logo.svg}, mode: {env: MODE}}
  more: {logo: {file: ./logo.svg}}
secrets:
  db: {password: {env: DB_PASSWORD}, cert: {file: ../cert.pem}}
services:
  web: {command: x, env: {A: {file: not-this}, file: nor-this}}
file: nor-that`;
  assert.deepEqual(findInputs(text), { files: ["./logo.svg", "../cert.pem"], env: ["MODE", "DB_PASSWORD"] });
});

test("follows anchors and merges", () => {
  assert.deepEqual(findInputs("configs: {a: &a {k: {file: one}}, b: {<<: *a, l: {env: E}}}"), { files: ["one"], env: ["E"] });
});

test("a text that is no file of ours has none, and nothing throws", () => {
  for (const text of ["", "[", "configs: 1", "configs: [a]", "configs: {a: b}", "configs: {a: {b: [c]}}", "configs: {a: {b: {file: [x]}}}"]) {
    assert.deepEqual(findInputs(text), { files: [], env: [] }, text);
  }
  fc.assert(fc.property(fc.string(), (text) => assert.ok(Array.isArray(findInputs(text).files))));
});
