import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf, stackOf } from "../../../test/support/parse.ts";

/** A text → everything that is wrong with it. */
const mistakes: readonly (readonly [string, readonly string[]])[] = [
  ["", []],
  [
    "~",
    [
      "1:1 value-missing: expected the file here, found nothing (write a map with weir, stack, namespace, namespaces, services, jobs, routers, externalServices, …)",
    ],
  ],
  [
    "hello",
    [
      '1:1 wrong-type: expected the file here, found "hello" (write a map with weir, stack, namespace, namespaces, services, jobs, routers, externalServices, …)',
    ],
  ],
  [
    "[a]",
    [
      "1:1 wrong-type: expected the file here, found a list (write a map with weir, stack, namespace, namespaces, services, jobs, routers, externalServices, …)",
    ],
  ],
  [
    "a: [",
    [
      "1:5 yaml-syntax: Flow sequence in block collection must be sufficiently indented and end with a ] (indent with the same number of spaces as the lines around it)",
    ],
  ],
  [
    "a: 1\n---\nb: 2",
    ['1:1 unknown-key: the file has no "a" (one of weir, stack, namespace, namespaces, services, jobs, routers, externalServices, configs, secrets)'],
  ],
  ["\tservices: x", ["1:1 yaml-syntax: Tabs are not allowed as indentation (indent with spaces)"]],
  ["weir: v2", ['1:7 value-unknown: "v2" is not a version of this format (did you mean "v1"?)']],
  ["stack: My Shop", ['1:8 name-invalid: "My Shop" is not a stack\'s name (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends: "my-shop")']],
  ["namespace: A_b", ['1:12 name-invalid: "A_b" is not a namespace\'s name (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends: "a-b")']],
  ["sevices: {}", ['1:1 unknown-key: the file has no "sevices" (did you mean "services"?)']],
  ["apps: {}", ['1:1 unknown-key: the file has no "apps" (did you mean "services"?)']],
  [
    "constructor: {}",
    ['1:1 unknown-key: the file has no "constructor" (one of weir, stack, namespace, namespaces, services, jobs, routers, externalServices, configs, secrets)'],
  ],
  [
    "__proto__: {}",
    ['1:1 unknown-key: the file has no "__proto__" (one of weir, stack, namespace, namespaces, services, jobs, routers, externalServices, configs, secrets)'],
  ],
  ["services: web", ['1:11 wrong-type: expected the services here, found "web" (write name: value)']],
  [
    "services:\n  web:",
    ["2:3 value-missing: expected a service here, found nothing (write a map with app, version, namespace, command, image, args, dir, env, …)"],
  ],
  [
    "services:\n  web: node x.js",
    ['2:8 wrong-type: expected a service here, found "node x.js" (write a map with app, version, namespace, command, image, args, dir, env, …)'],
  ],
  ["services: {web: {command: x}}\nservices: {}", ['2:1 duplicate-key: the key "services" is here twice (the first is on line 1)']],
  [
    "x: *a",
    [
      '1:1 unknown-key: the file has no "x" (one of weir, stack, namespace, namespaces, services, jobs, routers, externalServices, configs, secrets)',
      "1:4 yaml-syntax: the alias *a stands for nothing before it",
    ],
  ],
  ["? [a]\n: b", ["1:3 yaml-syntax: a key must be text"]],
  ["namespaces: team", ['1:13 wrong-type: expected the namespaces here, found "team" (write [a, b])']],
  ["namespaces: [a, B]", ['1:17 name-invalid: "B" is not a namespace\'s name (use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends: "b")']],
  ["namespaces: {a: b}", ["1:13 wrong-type: expected the namespaces here, found a map (write [a, b])"]],
  [
    "stack: &s [a, *s]",
    ["1:11 wrong-type: expected the name of a stack here, found a list (write a name)", "1:15 yaml-syntax: the alias *s stands for nothing before it"],
  ],
];

test("what is no YAML, or none of ours", () => {
  for (const [text, expected] of mistakes) assert.deepEqual(mistakesOf(text, { env: { HOME: "/x" } }), expected, text);
});

test("anchors and merge keys; a map's own keys win", () => {
  const text = "services:\n  a: &base {command: x, ports: 80, scale: 3}\n  b: {<<: *base, scale: 1}\n  c: {<<: [{ports: 90}, *base]}";
  const services = stackOf(text).services.map(({ app, scale, ports }) => [app, scale, ports[0]?.port]);
  assert.deepEqual(services, [
    ["a", 3, 80],
    ["b", 1, 80],
    ["c", 3, 90],
  ]);
});

test("what would cost too much is refused", () => {
  const lines = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 9; level += 1)
    lines.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(", ")}]`,
    );
  const texts = [lines.join("\n"), "x".repeat(1024 * 1024 + 1), `a: ${"[".repeat(70)}${"]".repeat(70)}`];
  for (const text of texts)
    assert.ok(
      mistakesOf(text).some((line) => line.includes("yaml-too-big")),
      text.slice(0, 40),
    );
});

test("twenty thousand brackets are refused, not followed", () => {
  const tooDeep = ["1:1 yaml-too-big: the file is nested too deeply"];
  assert.deepEqual(mistakesOf("[".repeat(20_000)), tooDeep);
  assert.deepEqual(mistakesOf("[".repeat(20_000) + "]".repeat(20_000)), tooDeep);
});

test("too many keys are one problem, not one each", () => {
  const keys = Array.from({ length: 30_000 }, (_, index) => `k${index}: 1`).join("\n");
  assert.deepEqual(mistakesOf(keys), ["1:1 yaml-too-big: the file has more than 50000 values (use fewer aliases, or several files)"]);
});

test("a hundred problems are enough", () => {
  const problems = mistakesOf(Array.from({ length: 120 }, (_, index) => `k${index}: 1`).join("\n"));
  assert.equal(problems.length, 101);
  assert.equal(problems.at(-1), "undefined:undefined problems-more: and 20 more");
});

test("Windows line ends are no part of a line", () => {
  assert.deepEqual(mistakesOf("stack: shop\r\nsevices: {}\r\n"), ['2:1 unknown-key: the file has no "sevices" (did you mean "services"?)']);
});
