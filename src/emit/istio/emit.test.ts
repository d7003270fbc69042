import assert from "node:assert/strict";
import test from "node:test";
import { RE2JS } from "re2js";
import { at, find, objectsOf, problemsOf } from "../../../test/support/objects.ts";
import { anything, destination, external, noChanges, planOf, port, router, rule, service } from "../../../test/support/stacks.ts";
import type { AppName, Namespace, VersionName } from "../../model/names.ts";
import type { Rewrite, RouteMatch, RouteRule, Stack } from "../../model/types.ts";
import { emitIstio } from "./emit.ts";

const on = (match: Partial<RouteMatch>): readonly RouteMatch[] => [{ ...anything, ...match }];
const withRules = (rules: readonly RouteRule[], said: Partial<Stack> = {}) =>
  emitIstio(planOf({ services: [service("web"), service("web@v2")], routers: [router("www", rules, { hosts: ["shop.example"] })], ...said }));
const http = (rules: readonly RouteRule[], said: Partial<Stack> = {}): readonly Record<string, unknown>[] =>
  at(find(objectsOf(withRules(rules, said)), "VirtualService", "www"), "spec.http") as readonly Record<string, unknown>[];

test("an app's weights lead to the versions' own Services", () => {
  const weights = [9_990, 10].map((weight, index) => ({
    app: "web" as AppName,
    namespace: "default" as Namespace,
    version: `v${index + 1}` as VersionName,
    weight,
  }));
  const objects = objectsOf(emitIstio(planOf({ services: [service("web"), service("web@v2")], weights })));
  const route = find(objects, "VirtualService", "web");
  assert.deepEqual(at(route, "spec.hosts"), ["web.default.svc.cluster.local"]);
  assert.deepEqual(at(route, "spec.http"), [
    {
      route: [
        { destination: { host: "web-v1.default.svc.cluster.local", port: { number: 80 } }, weight: 999 },
        { destination: { host: "web-v2.default.svc.cluster.local", port: { number: 80 } }, weight: 1 },
      ],
    },
  ]);
  assert.ok(!objects.some(({ kind, metadata }) => kind === "VirtualService" && metadata.name === "web-v1"), "a version's Service is enough");
});

test("what is public hangs on Istio's ingress gateway; a router's hosts count inside the mesh, too", () => {
  const objects = objectsOf(withRules([rule("web")]));
  assert.deepEqual(at(find(objects, "Gateway", "weir"), "spec.servers.0.hosts"), [
    "shop.example",
    "web-v1.localhost",
    "web-v2.localhost",
    "web.localhost",
    "www.localhost",
  ]);
  assert.deepEqual(at(find(objects, "VirtualService", "www.gateway"), "spec.hosts"), ["www.localhost", "shop.example"]);
  assert.deepEqual(at(find(objects, "VirtualService", "www.gateway"), "spec.gateways"), ["default/weir"]);
  assert.deepEqual(at(find(objects, "VirtualService", "www"), "spec.hosts"), ["www.default.svc.cluster.local", "shop.example"]);
});

test("a prefix takes whole segments", () => {
  assert.deepEqual(http([rule("web", { match: on({ path: { kind: "prefix", value: "/a" } }) })])[0]?.["match"], [
    { uri: { exact: "/a" } },
    { uri: { prefix: "/a/" } },
  ]);
  assert.equal(http([rule("web", { match: on({ path: { kind: "prefix", value: "/" } }) })])[0]?.["match"], undefined);
});

test("methods, headers, query and cookies", () => {
  const match = on({
    path: { kind: "regex", value: "/u/[0-9]+" },
    methods: ["GET", "HEAD"],
    headers: [
      { name: "X-User", value: { kind: "prefix", value: "a" } },
      { name: "x-any", value: { kind: "present" } },
      { name: "x-empty", value: { kind: "exact", value: "" } },
    ],
    query: [{ name: "q", value: { kind: "exact", value: "1" } }],
    cookies: [{ name: "group", value: { kind: "exact", value: "b" } }],
  });
  const [entry] = http([rule("web", { match })]);
  assert.deepEqual(entry?.["match"], [
    {
      uri: { regex: "/u/[0-9]+" },
      method: { regex: "GET|HEAD" },
      headers: { "x-user": { prefix: "a" }, "x-any": { regex: ".*" }, "x-empty": { regex: "" }, cookie: { regex: "(?:.*;\\s*)?group=b(?:;.*)?" } },
      queryParams: { q: { exact: "1" } },
    },
  ]);
});

test("path rewrites by pattern do what Weir's rewrites do", () => {
  const rewrite = (path: RouteMatch["path"], to: string) => {
    const match = path === undefined ? [] : on({ path });
    const [entry] = http([rule("web", { match }, { rewrite: { path: to } })]);
    assert.ok(entry);
    const { match: pattern, rewrite: substitution } = (entry["rewrite"] as { uriRegexRewrite: { match: string; rewrite: string } }).uriRegexRewrite;
    // RE2's own form of a group reference is \1, re2js has Java's: no substitution here has either.
    return (given: string): string => RE2JS.compile(pattern).matcher(given).replaceAll(substitution);
  };
  const toRoot = rewrite({ kind: "prefix", value: "/api" }, "/");
  assert.deepEqual(["/api", "/api/", "/api/x"].map(toRoot), ["/", "/", "/x"]);
  const toOther = rewrite({ kind: "prefix", value: "/api" }, "/v2/");
  assert.deepEqual(["/api", "/api/x"].map(toOther), ["/v2", "/v2/x"]);
  assert.deepEqual(["/", "/x"].map(rewrite(undefined, "/v2")), ["/v2/", "/v2/x"]);
  assert.equal(rewrite({ kind: "exact", value: "/a" }, "/b")("/a"), "/b");
  assert.equal(rewrite({ kind: "regex", value: "/a.*" }, "/b")("/a/b/c"), "/b");
});

test("rewrites by the file's own pattern and of the host stay as they are", () => {
  const [entry] = http([rule("web", {}, { rewrite: { host: "h", regex: { pattern: "^/a/(.*)$", substitution: "/\\1" } } })]);
  assert.deepEqual(entry?.["rewrite"], { authority: "h", uriRegexRewrite: { match: "^/a/(.*)$", rewrite: "/\\1" } });
});

test("timeout, retries, header changes; percent signs are not Envoy's commands", () => {
  const said = { requestHeaders: { add: [{ name: "x-a", value: "50%" }], set: [{ name: "x-s", value: "1" }], remove: ["x-r"] } };
  const [entry] = http([rule("web@v2", said, { timeoutMs: 1_500, retries: { attempts: 2, perTryTimeoutMs: 500, on: ["5xx", "reset"] } })]);
  assert.equal(entry?.["timeout"], "1.5s");
  assert.deepEqual(entry?.["retries"], { attempts: 2, perTryTimeout: "0.5s", retryOn: "5xx,reset" });
  assert.deepEqual(entry?.["headers"], { request: { set: { "x-s": "1" }, add: { "x-a": "50%%" }, remove: ["x-r"] } });
  assert.deepEqual(http([rule("web", {}, { retries: { attempts: 0, on: [] } })])[0]?.["retries"], { attempts: 0 });
  assert.equal(http([rule("web")])[0]?.["retries"], undefined, "Weir's own default is left to Istio's");
});

test("a redirect", () => {
  const action = { kind: "redirect" as const, redirect: { scheme: "https" as const, host: "h", port: 8443, path: "/p", code: 308 as const } };
  const [entry] = http([{ ...rule("web"), action }]);
  assert.deepEqual(entry, { redirect: { scheme: "https", authority: "h", port: 8443, uri: "/p", redirectCode: 308 } });
});

test("several ports of one app: each rule says for which it is, TCP goes by port", () => {
  const services = [service("web", { ports: [port("80:8080/http"), port("9000/grpc"), port("5432/tcp")], public: true })];
  const objects = objectsOf(emitIstio(planOf({ services })));
  const route = find(objects, "VirtualService", "web");
  assert.deepEqual(at(route, "spec.http.0.match"), [{ port: 80 }, { port: 8080 }]);
  assert.deepEqual(at(route, "spec.http.1.match"), [{ port: 9000 }]);
  assert.deepEqual(at(route, "spec.tcp.0.match"), [{ port: 5432 }]);
  assert.deepEqual(at(find(objects, "VirtualService", "weir.tcp-5432"), "spec.gateways"), ["default/weir"]);
  assert.equal(at(find(objects, "Gateway", "weir"), "spec.servers.1.port.protocol"), "TCP");
});

test("an external service by name: ServiceEntry, TLS with the name checked, and a way from the Service to it", () => {
  const externals = [external("pay", ["pay.example.com:443"], { ports: [port("80/http")], tls: { serverName: "pay.example.com" } })];
  const objects = objectsOf(emitIstio(planOf({ externals })));
  assert.deepEqual(at(find(objects, "ServiceEntry", "pay"), "spec"), {
    hosts: ["pay.default.external"],
    location: "MESH_EXTERNAL",
    resolution: "DNS",
    ports: [{ number: 80, name: "http-80", protocol: "HTTP" }],
    endpoints: [{ address: "pay.example.com", ports: { "http-80": 443 } }],
  });
  assert.deepEqual(at(find(objects, "DestinationRule", "pay"), "spec"), {
    host: "pay.default.external",
    trafficPolicy: { tls: { mode: "SIMPLE", sni: "pay.example.com", subjectAltNames: ["pay.example.com"] } },
  });
  assert.deepEqual(at(find(objects, "VirtualService", "pay"), "spec.http.0.route"), [{ destination: { host: "pay.default.external", port: { number: 80 } } }]);
  assert.equal(at(find(objects, "Service", "pay"), "spec.selector"), undefined);
});

test("an external service hears its own name; beside an app each destination sets its own", () => {
  const externals = [external("pay", ["pay.example.com:8443"], { ports: [port("80/http")], tls: { serverName: "pay.example.com" } })];
  const objects = objectsOf(emitIstio(planOf({ externals })));
  assert.deepEqual(at(find(objects, "VirtualService", "pay"), "spec.http.0.rewrite"), { authority: "pay.example.com:8443" });
  const destinations = ["web", "external:pay"].map((ref) => ({ to: destination(ref), weight: 5_000 }));
  const mixed = (rewrite?: Rewrite): Record<string, unknown> | undefined =>
    http([{ ...rule("web"), action: { kind: "forward", destinations, ...(rewrite === undefined ? {} : { rewrite }) } }], {
      services: [service("web")],
      externals,
    })[0];
  assert.equal(mixed()?.["rewrite"], undefined);
  const route = mixed()?.["route"] as readonly { readonly headers?: unknown }[] | undefined;
  const headers = route?.map((one) => one.headers);
  assert.deepEqual(headers, [undefined, { request: { set: { host: "pay.example.com:8443" } } }]);
  assert.deepEqual(mixed({ host: "said.example" })?.["rewrite"], { authority: "said.example" }, "what the file says goes before");
});

test("an external service by address needs no ServiceEntry", () => {
  const objects = objectsOf(emitIstio(planOf({ externals: [external("db", ["10.0.0.5:5432", "10.0.0.6:5432"])] })));
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ["Service", "EndpointSlice"],
  );
});

test("two ports of one address behind one name are two endpoints", () => {
  const objects = objectsOf(emitIstio(planOf({ externals: [external("db", ["a.example.com:1", "a.example.com:2"], { ports: [port("5/tcp")] })] })));
  assert.deepEqual(at(find(objects, "ServiceEntry", "db"), "spec.endpoints"), [
    { address: "a.example.com", ports: { "tcp-5": 1 } },
    { address: "a.example.com", ports: { "tcp-5": 2 } },
  ]);
});

const cookies = (...names: readonly string[]): RouteMatch["cookies"] => names.map((name) => ({ name, value: { kind: "present" } }));
const prefixRedirect: RouteRule = {
  ...rule("web", { match: on({ path: { kind: "prefix", value: "/a" } }) }),
  action: { kind: "redirect", redirect: { path: "/b", code: 301 } },
};
const refusals: readonly (readonly [string, RegExp, ReturnType<typeof withRules>])[] = [
  ["two cookies", /two cookies/, withRules([rule("web", { match: on({ cookies: cookies("a", "b") }) })])],
  [
    "a cookie and the Cookie header",
    /already uses/,
    withRules([rule("web", { match: on({ cookies: cookies("a"), headers: [{ name: "Cookie", value: { kind: "present" } }] }) })]),
  ],
  ["a redirect of a prefix", /one whole path/, withRules([prefixRedirect])],
  [
    "one header twice",
    /`x-a` stands here twice/,
    withRules([rule("web", { requestHeaders: { ...noChanges, set: ["X-A", "x-a"].map((name) => ({ name, value: "1" })) } })]),
  ],
  ["the machine's own loopback", /`localhost`/, withRules([rule("web")], { externals: [external("db", ["localhost:5432"])] })],
];

for (const [what, message, result] of refusals) {
  test(`refused with its place, once: ${what}`, () => {
    const problems = problemsOf(result);
    assert.deepEqual(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0]?.message ?? "", message);
    assert.match(problems[0]?.message ?? "", /^Istio /);
    assert.ok((problems[0]?.where?.line ?? 0) > 0);
  });
}
