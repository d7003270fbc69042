import assert from "node:assert/strict";
import { test } from "node:test";
import { mistakesOf, stackOf } from "../../../test/support/parse.ts";
import { type KnownNames, nothingKnown } from "../known-names.ts";
import { type AppName, defaultNamespace, type Namespace, type VersionName } from "../names.ts";

/** A text → everything that is wrong with it. */
const mistakes: readonly (readonly [string, readonly string[]])[] = [
  [
    "services: {web: {command: x}, web@v1: {command: x}}",
    ["1:31 duplicate-version: web@v1 is here twice (the first is on line 1: give this one another version)"],
  ],
  [
    "services: {web@v2: {command: x}, web-v2: {command: x}}",
    ["1:34 name-clash: the app web-v2 would answer to the name web-v2, and so does version web@v2 (see line 1: rename one of them)"],
  ],
  [
    "services: {web: {command: x}}\nrouters: {web: {rules: [{redirect: {path: /x}}]}}\nexternalServices: {web: {address: 'a:1'}}",
    [
      "2:11 name-clash: the router web would answer to the name web, and so does the app web (see line 1: rename one of them)",
      "3:20 name-clash: the external service web would answer to the name web, and so does the app web (see line 1: rename one of them)",
    ],
  ],
  [
    "services: {web: {command: x, weight: 50}, web@v2: {command: x, weight: 40}}",
    ["1:72 weights-sum: the weights of app web sum to 90% (make them sum to 100)"],
  ],
  [
    "services: {web: {command: x, weight: 70}, web@v2: {command: x, weight: 40}, web@v3: {command: x}}",
    ["1:72 weights-sum: the weights of app web sum to 110% (make them sum to at most 100)"],
  ],
  ["services: {web: {command: x, weight: 0}}", ["1:38 weights-sum: the weights of app web sum to 0% (make them sum to 100)"]],
];

test("names that collide and weights that do not add up", () => {
  for (const [text, expected] of mistakes) assert.deepEqual(mistakesOf(text, { env: { HOME: "/x" } }), expected, text);
});

const ports = [{ port: 80, containerPort: 80, protocol: "http" }] as const;
const namespace = defaultNamespace;
const known: KnownNames = {
  services: [{ namespace, app: "api" as AppName, version: "v1" as VersionName, ports }],
  jobs: [{ namespace, name: "migrate" }],
  routers: [{ namespace, name: "front" }],
  externals: [{ namespace, name: "db", ports: [{ port: 5432, containerPort: 5432, protocol: "tcp" }] }],
  configs: [{ namespace, name: "site", keys: ["index"] }],
  secrets: [{ namespace, name: "tls", keys: ["cert"] }],
};

test("names of others can't be taken", () => {
  const text = `services: {front: {command: x}, db: {command: x}, api-v1: {command: x}}
routers: {api: {rules: [{redirect: {path: /x}}]}}
externalServices: {front: {address: "a:1"}}`;
  const hint = "(it exists already, outside this file: rename one of them)";
  assert.deepEqual(mistakesOf(text, {}, { known }), [
    `1:12 name-clash: the app front would answer to the name front, and so does the router front ${hint}`,
    `1:33 name-clash: the app db would answer to the name db, and so does the external service db ${hint}`,
    `1:51 name-clash: the app api-v1 would answer to the name api-v1, and so does version api@v1 ${hint}`,
    `2:11 name-clash: the router api would answer to the name api, and so does the app api ${hint}`,
    `3:20 name-clash: the external service front would answer to the name front, and so does the router front ${hint}`,
  ]);
});

test("names of others can be used; in another namespace they are free", () => {
  const text = `services:
  web: {command: x, env: {A: {config: site, key: index}}, mounts: [{secret: tls, path: /tls}]}
  api@v2: {command: x, weight: 10}
  b:api: {command: x}
routers: {www: {rules: [{to: [{app: api, version: v1, weight: 90}, {app: api, version: v2, weight: 10}]}]}}`;
  assert.deepEqual(mistakesOf(text, {}, { known }), []);
  assert.deepEqual(mistakesOf(text, {}, { known: { ...known, configs: [], secrets: [] } }).length, 2);
  assert.deepEqual(mistakesOf("services: {web: {command: x, env: {A: {config: site, key: indx}}}}", {}, { known }), [
    '1:59 key-unknown: config site has no key "indx" (did you mean "index"?)',
  ]);
  assert.equal(mistakesOf("services: {api: {command: x}}", {}, { known: nothingKnown }).length, 0);
});

test("weights: a version outside the file may have the rest, in the file they are complete", () => {
  assert.deepEqual(stackOf("services: {api@v2: {command: x, weight: 12.5%}}", {}, { known }).weights, [
    { namespace: "default", app: "api", version: "v2", weight: 1250 },
  ]);
  assert.equal(mistakesOf("services: {api@v2: {command: x, weight: 12.5%}}").length, 1);
  assert.deepEqual(stackOf("services: {web: {command: x}}", {}, { namespace: "a" as Namespace }).services[0]?.namespace, "a");
  const apart = "services: {web: {command: x, weight: 100}, 'a:web': {command: x, weight: 100}}";
  assert.deepEqual(mistakesOf(apart), []);
});
