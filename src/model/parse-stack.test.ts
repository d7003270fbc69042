import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { mistakesOf, sound, sourceOf, stackOf } from "../../test/support/parse.ts";
import { runs } from "../../test/support/runs.ts";
import { findInputs } from "./find-inputs.ts";
import type { Namespace } from "./names.ts";
import { parseStack, stackNameOf } from "./parse-stack.ts";

const root = path.resolve(import.meta.dirname, "../..");

/** Every key that there is. */
const everything = `
weir: v1
stack: shop
namespace: team
namespaces: [spare]
services:
  web:
    app: site
    version: v3
    namespace: other
    command: node 'my server.js'
    args: [--verbose, 1]
    dir: ./web
    env:
      BANNER: hello
      ON: true
      DB: {secret: db, key: password}
      LEVEL: {config: app, key: level}
    ports: ["80:8080/http", 90/grpc, {port: 70, protocol: tcp}, {port: 71, containerPort: 72}]
    public: false
    health:
      ready: {http: /healthz, port: 8081, interval: 2500ms, timeout: 3s, failures: 4, successes: 5, delay: 1m, headers: {X-A: b}}
      live: {tcp: 8080}
      start: {grpc: 9000, service: name}
    scale: 2
    weight: 100%
    drain: 1h30m
    grace: 0s
    stopSignal: SIGINT
    egress: true
    mounts: [{config: app, path: /etc/app/}, {secret: db, key: password, path: /run/p}]
  api@v2: {command: [a b, c], env: [A=1, B=x=y], health: /up, ports: 8080, dir: /opt/api}
configs:
  other:app: {level: "3"}
secrets:
  other:db: {password: {env: P}}
externalServices:
  pay: {addresses: ["Pay.example:443", "[::1]:444"], ports: 80/http, tls: true}
  sso: {address: "10.0.0.1:443", tls: {serverName: sso.example}}
routers:
  www:
    namespace: team
    hosts: [Shop.example, "*.shop.example"]
    public: false
    rules:
      - match:
          - path: /a/*
            method: [get, HEAD]
            headers: {X-User: {regex: "a.*"}, x-any: {present: true}}
            query: {q: v}
            cookies: {c: {prefix: p}}
          - path: {regex: "/v[0-9]+"}
        to: [{app: api, version: v2, weight: 12.5}, {external: pay, port: 80, weight: 87.5%}]
        headers: {request: {add: {X-A: b}, set: {x-c: d}, remove: [X-E]}, response: {remove: server}}
        timeout: 0
        retries: {attempts: 2, perTry: 1s, on: [5xx, 5xx]}
        rewrite: {host: X.example, regex: {pattern: "^/a", substitution: /b}}
      - match: {path: /old}
        redirect: {scheme: https, host: h.example, port: 8443, path: /new, code: 308}
      - to: other:site@v3
`;

test("every key is read", () => {
  const stack = stackOf(everything, { env: { P: "hunter2" } });
  const { routers, services, externals, ...rest } = stack;
  assert.deepEqual(rest, {
    name: "shop",
    namespaces: ["other", "spare", "team"],
    weights: [{ namespace: "other", app: "site", version: "v3", weight: 10_000 }],
    jobs: [],
    configs: [{ namespace: "other", name: "app", data: { level: "3" } }],
    secrets: [{ namespace: "other", name: "db", data: { password: "hunter2" } }],
  });
  const probe = { initialDelayMs: 0, intervalMs: 2000, timeoutMs: 1000, failureThreshold: 3, successThreshold: 1 };
  assert.deepEqual(services[0], {
    namespace: "other",
    app: "site",
    version: "v3",
    command: ["node", "my server.js", "--verbose", "1"],
    dir: "/srv/shop/web",
    env: {
      BANNER: { kind: "literal", value: "hello" },
      ON: { kind: "literal", value: "true" },
      DB: { kind: "secret", name: "db", key: "password" },
      LEVEL: { kind: "config", name: "app", key: "level" },
    },
    ports: [
      { port: 80, containerPort: 8080, protocol: "http" },
      { port: 90, containerPort: 90, protocol: "grpc" },
      { port: 70, containerPort: 70, protocol: "tcp" },
      { port: 71, containerPort: 72, protocol: "http" },
    ],
    public: false,
    health: {
      ready: {
        check: { kind: "http", path: "/healthz", port: 8081, headers: { "x-a": "b" } },
        initialDelayMs: 60_000,
        intervalMs: 2500,
        timeoutMs: 3000,
        failureThreshold: 4,
        successThreshold: 5,
      },
      live: { check: { kind: "tcp", port: 8080 }, ...probe },
      start: { check: { kind: "grpc", port: 9000, service: "name" }, ...probe },
    },
    scale: 2,
    mounts: [
      { kind: "config", name: "app", path: "/etc/app" },
      { kind: "secret", name: "db", key: "password", path: "/run/p" },
    ],
    drainMs: 5_400_000,
    graceMs: 0,
    stopSignal: "SIGINT",
    egress: true,
  });
  const api = services[1];
  assert.deepEqual(api?.command, ["a b", "c"]);
  assert.equal(api?.dir, "/opt/api");
  assert.deepEqual(api?.env, { A: { kind: "literal", value: "1" }, B: { kind: "literal", value: "x=y" } });
  assert.deepEqual(api?.health.ready?.check, { kind: "http", path: "/up", port: 8080, headers: {} });
  assert.deepEqual(
    externals.map((external) => ({ ...external, where: undefined })),
    [
      {
        namespace: "team",
        name: "pay",
        endpoints: [
          { host: "pay.example", port: 443 },
          { host: "::1", port: 444 },
        ],
        ports: [{ port: 80, containerPort: 80, protocol: "http" }],
        tls: { serverName: "pay.example" },
        where: undefined,
      },
      {
        namespace: "team",
        name: "sso",
        endpoints: [{ host: "10.0.0.1", port: 443 }],
        ports: [{ port: 443, containerPort: 443, protocol: "tcp" }],
        tls: { serverName: "sso.example" },
        where: undefined,
      },
    ],
  );
  const [router] = routers;
  assert.deepEqual(router && { ...router, where: undefined, rules: router.rules.map((rule) => ({ ...rule, where: undefined })) }, {
    namespace: "team",
    name: "www",
    hosts: ["shop.example", "*.shop.example"],
    public: false,
    where: undefined,
    rules: [
      {
        match: [
          {
            path: { kind: "prefix", value: "/a" },
            methods: ["GET", "HEAD"],
            headers: [
              { name: "x-user", value: { kind: "regex", value: "a.*" } },
              { name: "x-any", value: { kind: "present" } },
            ],
            query: [{ name: "q", value: { kind: "exact", value: "v" } }],
            cookies: [{ name: "c", value: { kind: "prefix", value: "p" } }],
          },
          { path: { kind: "regex", value: "/v[0-9]+" }, methods: [], headers: [], query: [], cookies: [] },
        ],
        action: {
          kind: "forward",
          destinations: [
            { to: { kind: "version", namespace: "team", name: "api", version: "v2" }, weight: 1250 },
            { to: { kind: "external", namespace: "team", name: "pay", port: 80 }, weight: 8750 },
          ],
          rewrite: { host: "x.example", regex: { pattern: "^/a", substitution: "/b" } },
          timeoutMs: 0,
          retries: { attempts: 2, perTryTimeoutMs: 1000, on: ["5xx"] },
        },
        requestHeaders: { add: [{ name: "x-a", value: "b" }], set: [{ name: "x-c", value: "d" }], remove: ["x-e"] },
        responseHeaders: { add: [], set: [], remove: ["server"] },
        where: undefined,
      },
      {
        match: [{ path: { kind: "exact", value: "/old" }, methods: [], headers: [], query: [], cookies: [] }],
        action: { kind: "redirect", redirect: { scheme: "https", host: "h.example", port: 8443, path: "/new", code: 308 } },
        requestHeaders: { add: [], set: [], remove: [] },
        responseHeaders: { add: [], set: [], remove: [] },
        where: undefined,
      },
      {
        match: [],
        action: { kind: "forward", destinations: [{ to: { kind: "version", namespace: "other", name: "site", version: "v3" }, weight: 10_000 }] },
        requestHeaders: { add: [], set: [], remove: [] },
        responseHeaders: { add: [], set: [], remove: [] },
        where: undefined,
      },
    ],
  });
});

test("what is not said has a default", () => {
  const stack = stackOf("services: {web: {command: x}}");
  assert.deepEqual(stack, {
    name: "shop",
    namespaces: ["default"],
    weights: [],
    jobs: [],
    routers: [],
    externals: [],
    configs: [],
    secrets: [],
    services: [
      {
        namespace: "default",
        app: "web",
        version: "v1",
        command: ["x"],
        dir: "/srv/shop",
        env: {},
        ports: [],
        public: false,
        health: {},
        scale: 1,
        mounts: [],
        drainMs: 30_000,
        graceMs: 10_000,
        stopSignal: "SIGTERM",
        egress: false,
      },
    ],
  });
  const isPublic = (ports: string) => stackOf(`services: {web: {command: x, ports: ${ports}}}`).services[0]?.public;
  assert.deepEqual(["80", "80/http2", "80/grpc", "80/tcp", "[70/tcp, 80]"].map(isPublic), [true, true, false, false, true]);
  const [router] = stackOf("routers: {www: {rules: [{redirect: {path: /x}}]}}").routers;
  assert.deepEqual([router?.hosts, router?.public], [[], true]);
  assert.deepEqual(router?.rules[0]?.action, { kind: "redirect", redirect: { path: "/x", code: 302 } });
});

test("destinations without weights share evenly, to the last basis point", () => {
  const text = "services: {a: {command: x, ports: 80}, b: {command: x, ports: 80}, c: {command: x, ports: 80}}\nrouters: {www: {rules: [{to: [a, b, c]}]}}";
  const action = stackOf(text).routers[0]?.rules[0]?.action;
  assert.deepEqual(action?.kind === "forward" && action.destinations.map(({ weight }) => weight), [3334, 3333, 3333]);
});

test("the stack's name: the caller's, the file's, the folder's", () => {
  const names = [stackNameOf(sourceOf("stack: a"), { stack: "b" }), stackNameOf(sourceOf("stack: a")), stackNameOf(sourceOf(""))];
  assert.deepEqual(names, ["b", "a", "shop"]);
  assert.equal(stackNameOf(sourceOf("", { dir: "/srv/My Shop (2)/" })), "my-shop-2");
  assert.equal(stackNameOf(sourceOf("[")), undefined);
  assert.deepEqual(mistakesOf("", { dir: "/" }), ["1:1 name-invalid: the folder's name gives no name for the stack (add stack: NAME (letters, digits and -))"]);
  assert.deepEqual(mistakesOf("", {}, { stack: "A" }), ['1:1 name-invalid: "A" cannot be a stack\'s name (add stack: NAME (letters, digits and -))']);
});

test("the caller's namespace is stronger than the file's", () => {
  const stack = stackOf("namespace: a\nservices: {web: {command: x}, 'b:web': {command: x}}", {}, { namespace: "c" as Namespace });
  assert.deepEqual(stack.namespaces, ["b", "c"]);
});

test("the example and the text of the documentation parse", () => {
  const text = readFileSync(path.join(root, "examples/shop/weir.yaml"), "utf8");
  const files = Object.fromEntries(findInputs(text).files.map((file) => [file, "token"]));
  const stack = stackOf(text, { files });
  assert.deepEqual(
    stack.services.map(({ app }) => app),
    ["web", "catalog", "cart", "stock"],
  );
  const blocks = [...readFileSync(path.join(root, "docs/weir-yaml.md"), "utf8").matchAll(/```yaml\n([^]*?)```/g)].map(([, block = ""]) => block);
  assert.ok(blocks.length >= 4);
  const apps = "  web: {command: x, ports: 80}\n  web@v2: {command: x, ports: 80}\n  api@v2: {command: x, ports: 80}\n";
  for (const block of blocks) {
    const beside = { files: { "logo.svg": "", "cert.pem": "" }, env: { MODE: "", DB_PASSWORD: "" } };
    stackOf(block.includes("services:\n") ? block : `services:\n${apps}${block}`, beside);
  }
});

test("nothing makes the parser throw, and what it refuses it explains", () => {
  const explained = (text: string) => {
    const result = parseStack(sourceOf(text));
    if (result.ok) return;
    assert.ok(result.problems.length > 0);
    for (const { code, message, where } of result.problems.filter(({ code }) => code !== "problems-more")) {
      assert.match(code, /^[a-z][a-z0-9-]+$/);
      assert.ok(message !== "" && !message.includes("undefined"), message);
      assert.ok(where !== undefined && where.line >= 1 && where.column >= 1 && where.line <= text.split("\n").length, JSON.stringify({ text, where }));
    }
    const lines = result.problems.map(({ where }) => where?.line ?? Number.POSITIVE_INFINITY);
    assert.deepEqual(
      lines,
      lines.toSorted((a, b) => a - b),
    );
  };
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), explained), { numRuns: runs(200) });
  const pieces = fc.constantFrom(
    "",
    "x",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "\n  ",
    "'",
    '"',
    "&a ",
    "*a",
    "<<: *a",
    "~",
    "!!map ",
    "\0",
    "-1",
    "1e9",
    "__proto__: x",
    "#",
    "|",
  );
  const cut = fc.record({ at: fc.nat(everything.length), length: fc.nat(12), piece: pieces });
  const mutated = fc
    .array(cut, { minLength: 1, maxLength: 3 })
    .map((cuts) => cuts.reduce((text, { at, length, piece }) => text.slice(0, at) + piece + text.slice(at + length), everything));
  fc.assert(fc.property(mutated, explained), { numRuns: runs(250) });
});

test("what is read does not depend on how often it is read", () => {
  const source = sourceOf(everything, { env: { P: "x" } });
  assert.deepEqual(sound(parseStack(source)), sound(parseStack(source)));
});
