import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { mistakesOf } from "../../test/support/parse.ts";
import { stackSchema } from "./stack-schema.ts";

const root = path.resolve(import.meta.dirname, "../..");
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(stackSchema());

/** What the schema has against a text: the place and the word. */
function against(text: string): readonly string[] {
  validate(parse(text, { merge: true }) ?? {});
  return (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

test("the schema says what it is", () => {
  const { $schema, title, type, properties } = stackSchema();
  assert.deepEqual([$schema, title, type], ["https://json-schema.org/draft/2020-12/schema", "weir.yaml", "object"]);
  assert.ok(Object.values(properties as Record<string, { description?: string }>).every(({ description }) => description !== undefined));
});

test("the example, the stacks of the golden tests and the documentation's are valid", () => {
  const files = ["examples/shop/weir.yaml", ...globSync("test/golden/*/in.yaml", { cwd: root }).filter((file) => !file.includes("mistakes"))];
  assert.ok(files.length > 20);
  for (const file of files) assert.deepEqual(against(readFileSync(path.join(root, file), "utf8")), [], file);
  for (const [, block = ""] of readFileSync(path.join(root, "docs/weir-yaml.md"), "utf8").matchAll(/```yaml\n([^]*?)```/g)) {
    assert.deepEqual(against(block), [], block);
  }
});

test("what the parser takes in several spellings, editors take, too", () => {
  for (const text of [
    "services: {web: {command: [node, 1], version: 2, ports: [80, 81/tcp, {port: 82}], weight: 10.5, health: /up, env: [A=1]}}",
    "services: {web: {command: x, weight: 100%, drain: 0, env: {A: true, B: 1.5}, health: {live: {exec: ./check}}}}",
    "routers: {www: {hosts: a.b, rules: [{match: [{path: {regex: '(?i)/a'}}], redirect: {path: /, code: '308'}}, {redirect: {path: /x, code: 301}}]}}",
    "externalServices: {db: {addresses: ['[::1]:1'], tls: {serverName: a.b}}}",
  ]) {
    const own = mistakesOf(text).filter((line) => !line.includes("weights-sum"));
    assert.deepEqual([own, against(text)], [[], []], text);
  }
});

test("what is wrong is wrong in the editor", () => {
  assert.deepEqual(against("sevices: {}"), [' must NOT have additional properties {"additionalProperty":"sevices"}']);
  const wrong = [
    "services: {web: {}}",
    "services: {web: {command: x, scale: 101}}",
    "services: {web: {command: x, public: 'yes'}}",
    "services: {web: {command: x, drain: ten}}",
    "services: {web: {command: x, weight: 101}}",
    "namespace: Team A",
    "secrets: {db: {password: hunter2}}",
    "routers: {www: {rules: [{redirect: {code: 305}}]}}",
    "externalServices: {db: {address: localhost}}",
    "configs: {site: [a]}",
  ];
  for (const text of wrong) {
    assert.ok(against(text).length > 0, text);
    assert.ok(mistakesOf(text).length > 0, text);
  }
});
