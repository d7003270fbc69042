import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf, sourceOf, stackOf } from "../../../test/support/parse.ts";
import { parseStack } from "../parse-stack.ts";

/** A text → everything that is wrong with it. */
const mistakes: readonly (readonly [string, readonly string[]])[] = [
  ["configs: {a: {b: {file: x}}}", ['1:25 file-missing: "x" can\'t be read (paths start at /srv/shop)']],
  ["configs: {a: {b: {env: HOEM}}}", ['1:24 env-missing: the environment variable "HOEM" is not set (only HOME is known here)']],
  ["configs: {a: {b: {}}}", ["1:18 source-invalid: this says neither file nor env (write {file: PATH} or {env: NAME})"]],
  ["configs: {a: {b: {file: x, env: y}}}", ["1:18 source-invalid: this says both file and env (write {file: PATH} or {env: NAME})"]],
  ["configs: {a: {'b/c': d}}", ['1:15 key-invalid: "b/c" can\'t be a key (use letters, digits, ., - and _)']],
  ["configs: {a: {b: [c]}}", ["1:18 wrong-type: expected a value here, found a list (write text, {file: PATH} or {env: NAME})"]],
  ["configs: {a: b}", ['1:14 wrong-type: expected a config here, found "b" (write name: value)']],
  ["configs: {a: }", ["1:11 value-missing: expected a config here, found nothing (write name: value)"]],
  [
    "secrets: {a: {b: hunter2}}",
    ["1:18 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"],
  ],
  [
    "secrets: {a: {b: [hunter2]}}",
    ["1:18 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"],
  ],
  [
    "secrets: {a: {b: {hunter2: x}}}",
    ["1:18 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"],
  ],
  [
    "secrets: {a: {b: {file: [hunter2]}}}",
    ["1:18 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"],
  ],
  [
    "secrets: {a: hunter2}",
    ["1:14 secret-in-file: a secret is a map of keys, and no value stands in the file (write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}})"],
  ],
  [
    "secrets: hunter2",
    ["1:10 secret-in-file: a secret is a map of keys, and no value stands in the file (write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}})"],
  ],
  [
    "secrets: {a: [hunter2]}",
    ["1:14 secret-in-file: a secret is a map of keys, and no value stands in the file (write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}})"],
  ],
  [
    "secrets: {a: {b: 12345}}",
    ["1:18 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"],
  ],
  ["secrets: {a: {b: }}", ["1:15 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"]],
  [
    "secrets:\n  a:\n    b: |\n      hunter2\n    b: hunter2",
    [
      "3:8 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})",
      '5:5 duplicate-key: the key "b" is here twice (the first is on line 3)',
    ],
  ],
  ["secrets: {a: {b: {file: hunter2, env: x}}}", ["1:18 source-invalid: this says both file and env (write {file: PATH} or {env: NAME})"]],
  [
    "secrets: {a: {b: &x hunter2}}\nstack: *x",
    ["1:21 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})"],
  ],
  [
    "secrets: {a: {b: {file: x}, c: hunter2}}",
    [
      '1:25 file-missing: "x" can\'t be read (paths start at /srv/shop)',
      "1:32 secret-in-file: a secret's value can't stand in the file (put it in a file and write {file: PATH}, or write {env: NAME})",
    ],
  ],
  [
    'secrets: {a: {b: "hunter2\nc: d',
    [
      "2:5 yaml-syntax: this is no YAML; it is not shown, for it may be a secret (write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}})",
      "2:5 yaml-syntax: this is no YAML; it is not shown, for it may be a secret (write NAME: {KEY: {file: PATH}} or {KEY: {env: NAME}})",
    ],
  ],
];

test("every mistake in configs and secrets is found at its place", () => {
  for (const [text, expected] of mistakes) assert.deepEqual(mistakesOf(text, { env: { HOME: "/x" } }), expected, text);
});

test("values come from the file, from beside it, and from the environment", () => {
  const text = "configs: {site: {a: '<h1>', b: {file: x/y.txt}, c: {env: MODE}, n: 0x10, t: true}, 'team-a:site': {}}\nsecrets: {db: {password: {env: MODE}}}";
  const stack = stackOf(text, { files: { "x/y.txt": "why" }, env: { MODE: "fast" } });
  assert.deepEqual(stack.configs, [
    { namespace: "default", name: "site", data: { a: "<h1>", b: "why", c: "fast", n: "0x10", t: "true" } },
    { namespace: "team-a", name: "site", data: {} },
  ]);
  assert.deepEqual(stack.secrets, [{ namespace: "default", name: "db", data: { password: "fast" } }]);
});

test("one config declared under two spellings of its name", () => {
  assert.deepEqual(mistakesOf("configs:\n  site: {a: b}\n  default:site: {a: c}"), [
    "3:3 name-clash: the config default/site is here twice (the first is on line 2: write all its keys there)",
  ]);
  assert.deepEqual(mistakesOf("configs: {site: {a: b}}\nsecrets: {site: {a: {env: A}}}", { env: { A: "" } }), []);
});

test("whatever is wrong around a secret, nobody is shown it", () => {
  const secret = "hunter2";
  const texts = [
    `secrets: ${secret}`,
    `secrets: [${secret}]`,
    `secrets: {db: ${secret}}`,
    `secrets: {db: {password: ${secret}}}`,
    `secrets: {db: {password: [${secret}]}}`,
    `secrets: {db: {password: {${secret}: x}}}`,
    `secrets: {db: {password: {file: [${secret}]}}}`,
    `secrets: {db: {a: {file: x}, password: ${secret}}}`,
    `secrets: {db: {a: {env: x}, password: ${secret}}}`,
    `secrets: {db: {password: *${secret}}}`,
    `secrets: {db: {password: !${secret} x}}`,
    `secrets: {db: {password: "${secret}`,
    `secrets:\n  db:\n    password: a: ${secret}`,
    `secrets:\n  db:\n   password: {env: X}\n  ${secret}`,
    `secrets:\n  db: {password: ${secret}, password: ${secret}}`,
    `secret: {db: {password: ${secret}}}`,
    `secerts: {db: {password: ${secret}}}`,
    `secrets {db: {password: ${secret}}}: x`,
    `{secrets: {db: {password: ${secret}}}, services: 1}`,
    `{\n  "secrets": {"db": {"password": "${secret}"}},\n  "x": 1\n}`,
  ];
  for (const text of texts) {
    const result = parseStack(sourceOf(text));
    assert.ok(!result.ok, text);
    assert.ok(!JSON.stringify(result.problems).includes(secret), `${text}\n${JSON.stringify(result.problems, null, 2)}`);
  }
});

test("lines after the secrets are shown again", () => {
  const result = parseStack(sourceOf("secrets: {db: x}\nservices: {web: 1}"));
  assert.ok(!result.ok);
  assert.deepEqual(
    result.problems.map(({ where }) => where?.text),
    [undefined, "services: {web: 1}"],
  );
});
