import assert from "node:assert/strict";
import test from "node:test";
import { at, find, objectsOf, problemsOf } from "../../../test/support/objects.ts";
import { anything, destination, external, noChanges, planOf, port, router, rule, service } from "../../../test/support/stacks.ts";
import type { AppName, Namespace, VersionName } from "../../model/names.ts";
import type { RouteMatch, RouteRule, Stack } from "../../model/types.ts";
import { emitGatewayApi } from "./emit.ts";

const teamA = "team-a" as Namespace;
const split = (namespace: Namespace, ...weights: readonly number[]): Stack["weights"] =>
  weights.map((weight, index) => ({ app: "web" as AppName, namespace, version: `v${index + 1}` as VersionName, weight }));
const on = (match: Partial<RouteMatch>): readonly RouteMatch[] => [{ ...anything, ...match }];
const prefix = (value: string): NonNullable<RouteMatch["path"]> => ({ kind: "prefix", value });
const redirect = (said: Partial<RouteRule>, code: 301 | 308, path?: string): RouteRule => ({
  ...rule("web", said),
  action: { kind: "redirect", redirect: { code, ...(path === undefined ? {} : { path }) } },
});
const withRules = (rules: readonly RouteRule[], said: Partial<Stack> = {}) =>
  emitGatewayApi(planOf({ services: [service("web"), service("web@v2")], routers: [router("www", rules)], ...said }));

test("an app's weights lead to the versions' own Services, whichever of its numbers is called", () => {
  const objects = objectsOf(emitGatewayApi(planOf({ services: [service("web"), service("web@v2")], weights: split("default" as Namespace, 9_000, 1_000) })));
  const route = find(objects, "HTTPRoute", "web");
  assert.deepEqual(at(route, "spec.parentRefs"), [{ group: "", kind: "Service", name: "web" }]);
  assert.deepEqual(at(route, "spec.rules"), [
    {
      backendRefs: [
        { name: "web-v1", port: 80, weight: 90 },
        { name: "web-v2", port: 80, weight: 10 },
      ],
    },
  ]);
  assert.deepEqual(at(find(objects, "Service", "web-v2"), "spec.selector"), { "app.kubernetes.io/name": "web", "app.kubernetes.io/version": "v2" });
  assert.deepEqual(at(find(objects, "Service", "web"), "spec.selector"), { "app.kubernetes.io/name": "web" });
});

test("public hosts hang on the Gateway under their full names, others do not", () => {
  const objects = objectsOf(emitGatewayApi(planOf({ services: [service("web"), service("api", { public: false })] })));
  assert.deepEqual(at(find(objects, "HTTPRoute", "web.gateway"), "spec.hostnames"), ["web.localhost"]);
  assert.deepEqual(at(find(objects, "HTTPRoute", "web-v1.gateway"), "spec.hostnames"), ["web-v1.localhost"]);
  assert.ok(!objects.some(({ metadata }) => metadata.name === "api.gateway"));
  assert.equal(at(find(objects, "Gateway", "weir"), "spec.listeners.0.port"), 80);
  const inside = objectsOf(emitGatewayApi(planOf({ services: [service("api", { public: false })] })));
  assert.ok(!inside.some(({ kind }) => kind === "Gateway"));
});

test("a rule's matches, header changes, rewrite and timeout", () => {
  const match = on({ path: prefix("/api"), methods: ["GET", "HEAD"], query: [{ name: "v", value: { kind: "exact", value: "2" } }] });
  const changes = { add: [{ name: "x-a", value: "1" }], set: [{ name: "x-s", value: "2" }], remove: ["x-r"] };
  const said = { match, requestHeaders: changes, responseHeaders: { ...noChanges, remove: ["server"] } };
  const route = find(objectsOf(withRules([rule("web@v2", said, { rewrite: { path: "/", host: "api.internal" }, timeoutMs: 90_000 })])), "HTTPRoute", "www");
  const rules = at(route, "spec.rules") as readonly unknown[];
  assert.deepEqual(rules.length, 2, "a new path takes one rule for each prefix match");
  assert.deepEqual(rules[1], {
    matches: [{ path: { type: "PathPrefix", value: "/api" }, queryParams: [{ name: "v", type: "Exact", value: "2" }], method: "HEAD" }],
    filters: [
      {
        type: "RequestHeaderModifier",
        requestHeaderModifier: { set: [{ name: "x-s", value: "2" }], add: [{ name: "x-a", value: "1" }], remove: ["x-r"] },
      },
      { type: "ResponseHeaderModifier", responseHeaderModifier: { remove: ["server"] } },
      { type: "URLRewrite", urlRewrite: { hostname: "api.internal", path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } } },
    ],
    backendRefs: [{ name: "web-v2", port: 80 }],
    timeouts: { request: "90s" },
  });
});

test("a redirect's path replaces the prefix that matched, else the whole path", () => {
  const rules = [
    redirect({ match: on({ path: { kind: "exact", value: "/old" } }) }, 301, "/new"),
    redirect({ match: on({ path: prefix("/a") }) }, 308, "/b"),
    redirect({ match: on({ path: prefix("/home") }) }, 308, "/"),
    rule("web"),
  ];
  const route = find(objectsOf(withRules(rules)), "HTTPRoute", "www");
  const paths = [0, 1, 2].map((index) => at(route, `spec.rules.${index}.filters.0.requestRedirect`));
  assert.deepEqual(paths, [
    { path: { type: "ReplaceFullPath", replaceFullPath: "/new" }, statusCode: 301 },
    { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/b" }, statusCode: 308 },
    { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" }, statusCode: 308 },
  ]);
  assert.equal(at(route, "spec.rules.0.backendRefs"), undefined);
});

test("a gRPC port takes a GRPCRoute, TCP a TCPRoute of the standard channel", () => {
  const services = [service("rpc", { ports: [port("9000/grpc")], public: false }), service("db", { ports: [port("5432/tcp")], public: true })];
  const objects = objectsOf(emitGatewayApi(planOf({ services })));
  assert.deepEqual(at(find(objects, "GRPCRoute", "rpc"), "spec.rules.0.backendRefs"), [{ name: "rpc-v1", port: 9000 }]);
  assert.equal(find(objects, "TCPRoute", "db").apiVersion, "gateway.networking.k8s.io/v1");
  assert.deepEqual(at(find(objects, "TCPRoute", "weir.tcp-5432"), "spec.parentRefs"), [{ name: "weir", sectionName: "tcp-5432" }]);
  assert.deepEqual(at(find(objects, "Gateway", "weir"), "spec.listeners"), [{ name: "tcp-5432", port: 5432, protocol: "TCP" }]);
  assert.equal(at(find(objects, "Service", "rpc"), "spec.ports.0.appProtocol"), "kubernetes.io/h2c");
});

test("an app with several ports has a route for each number that callers use", () => {
  const objects = objectsOf(emitGatewayApi(planOf({ services: [service("web", { ports: [port("80:8080/http"), port("9000/grpc"), port("5432/tcp")] })] })));
  const parents = objects
    .filter(({ metadata }) => metadata.name.startsWith("web.port-"))
    .map((object) => [object.kind, object.metadata.name, at(object, "spec.parentRefs.0.port"), at(object, "spec.parentRefs.1")]);
  assert.deepEqual(parents, [
    ["HTTPRoute", "web.port-80", 80, undefined],
    ["HTTPRoute", "web.port-8080", 8080, undefined],
    ["TCPRoute", "web.port-5432", 5432, undefined],
    ["GRPCRoute", "web.port-9000", 9000, undefined],
  ]);
});

test("another namespace: a permission for exactly that Service, a Gateway open to both", () => {
  const services = [service("web"), service("api", { namespace: teamA })];
  const rules = [{ ...rule("web"), action: { kind: "forward" as const, destinations: [{ to: destination("api", teamA), weight: 10_000 }] } }];
  const objects = objectsOf(emitGatewayApi(planOf({ services, routers: [router("www", rules)] })));
  const grant = find(objects, "ReferenceGrant", "weir.from-default");
  assert.equal(grant.metadata.namespace, "team-a");
  assert.deepEqual(at(grant, "spec"), {
    from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "default" }],
    to: [{ group: "", kind: "Service", name: "api-v1" }],
  });
  assert.deepEqual(at(find(objects, "Gateway", "weir"), "spec.listeners.0.allowedRoutes"), { namespaces: { from: "All" } });
  assert.equal(at(find(objects, "HTTPRoute", "api.gateway"), "spec.parentRefs.0.namespace"), "default");
});

test("what lives in one other namespace has its Gateway there", () => {
  const objects = objectsOf(emitGatewayApi(planOf({ services: [service("api", { namespace: teamA })] })));
  assert.equal(find(objects, "Gateway", "weir").metadata.namespace, "team-a");
  assert.equal(at(find(objects, "HTTPRoute", "api.gateway"), "spec.parentRefs.0.namespace"), undefined);
});

test("an external service behind a bare address keeps the caller's Host header, and it says so", () => {
  const result = withRules([rule("external:old")], { externals: [external("old", ["10.0.0.9:8000", "[fd00::1]:80"], { ports: [port("80/http")] })] });
  assert.equal(at(find(objectsOf(result), "HTTPRoute", "www"), "spec.rules.0.filters"), undefined);
  assert.ok(!objectsOf(result).some(({ kind, metadata }) => kind === "HTTPRoute" && metadata.name === "old"), "its Service is enough");
  assert.ok(result.ok && result.value.notices.some((notice) => /`old` gets the Host header that the caller sent/.test(notice)));
});

test("a port that only a version at 0 % has does not exist under the app's name", () => {
  const services = [service("web"), service("web@v2", { ports: [port("80:8080/http"), port("9000/tcp")], public: false })];
  const objects = objectsOf(emitGatewayApi(planOf({ services, weights: split("default" as Namespace, 10_000, 0) })));
  assert.deepEqual(
    (at(find(objects, "Service", "web"), "spec.ports") as readonly { port: number }[]).map((one) => one.port),
    [80, 8080],
  );
  assert.equal((at(find(objects, "Service", "web-v2"), "spec.ports") as readonly unknown[]).length, 3);
});

test("external services: a DNS alias, or a Service with addresses that routes may lead to", () => {
  const externals = [external("api", ["api.example.com:443"]), external("db", ["10.0.0.5:8000"], { ports: [port("80/http")] })];
  const objects = objectsOf(withRules([rule("external:db")], { externals }));
  assert.deepEqual(at(find(objects, "Service", "api"), "spec"), { type: "ExternalName", externalName: "api.example.com" });
  assert.deepEqual(at(find(objects, "HTTPRoute", "www"), "spec.rules.0.backendRefs"), [{ name: "db", port: 80 }]);
  assert.equal(at(find(objects, "EndpointSlice", "db-1"), "ports.0.port"), 8000);
});

const refusals: readonly (readonly [string, RegExp, ReturnType<typeof withRules>])[] = [
  ["retries", /no retries in its standard channel/, withRules([rule("web", {}, { retries: { attempts: 2, on: ["5xx"] } })])],
  ["rewrite by pattern", /not by pattern/, withRules([rule("web", {}, { rewrite: { regex: { pattern: "^/a", substitution: "/b" } } })])],
  ["rewrite to a host with a port", /without a port/, withRules([rule("web", {}, { rewrite: { host: "a:80" } })])],
  ["an unknown method", /no method `PURGE`/, withRules([rule("web", { match: on({ methods: ["PURGE"] }) })])],
  ["two cookies", /two cookies/, withRules([rule("web", { match: on({ cookies: ["a", "b"].map((name) => ({ name, value: { kind: "present" } })) }) })])],
  ["an odd path", /takes no path like/, withRules([rule("web", { match: on({ path: { kind: "exact", value: "/a//b" } }) })])],
  [
    "a general rule first",
    /most specific rule/,
    withRules([rule("web@v2", { match: on({ path: prefix("/a") }) }), rule("web", { match: on({ path: prefix("/a/b") }) })]),
  ],
  ["too many rules", /at most 16 rules/, withRules(Array.from({ length: 17 }, (_, index) => rule("web", { match: on({ path: prefix(`/r${index}`) }) })))],
  [
    "one header added twice",
    /one header once/,
    withRules([rule("web", { requestHeaders: { ...noChanges, add: ["X-A", "x-a"].map((name) => ({ name, value: "1" })) } })]),
  ],
  ["TLS to the outside", /adds no TLS/, withRules([rule("web")], { externals: [external("pay", ["10.0.0.5:443"], { tls: { serverName: "pay" } })] })],
  [
    "an alias with another port",
    /alias keeps the port/,
    withRules([rule("web")], { externals: [external("pay", ["pay.example.com:443"], { ports: [port("80/tcp")] })] }),
  ],
  ["an alias for two names", /alias leads to one name/, withRules([rule("web")], { externals: [external("db", ["a.example.com:1", "b.example.com:1"])] })],
  [
    "HTTP to an alias",
    /into the Host header/,
    withRules([rule("web")], { externals: [external("api", ["api.example.com:80"], { ports: [port("80/http")] })] }),
  ],
];

for (const [what, message, result] of refusals) {
  test(`refused with its place, once: ${what}`, () => {
    const problems = problemsOf(result);
    assert.deepEqual(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0]?.message ?? "", message);
    assert.match(problems[0]?.message ?? "", /^Gateway API /);
    assert.equal(problems[0]?.where?.file, "weir.yaml");
    assert.ok((problems[0]?.hint ?? "").length > 0);
  });
}

test("all refusals are told at once", () => {
  const problems = problemsOf(withRules([rule("web", {}, { retries: { attempts: 1, on: ["5xx"] } }), redirect({ match: on({ methods: ["PURGE"] }) }, 301)]));
  assert.deepEqual(
    problems.map(({ where }) => where?.line),
    [10, 20],
  );
});

test("a rule cannot lead to an alias", () => {
  const problems = problemsOf(withRules([rule("external:api")], { externals: [external("api", ["api.example.com:80"], { ports: [port("80/http")] })] }));
  assert.deepEqual(
    problems.map(({ where, message }) => [where?.line, /cannot be a destination/.test(message)]),
    [
      [90, false],
      [10, true],
    ],
  );
});

test("a name that no Service may have is refused", () => {
  const [problem] = problemsOf(emitGatewayApi(planOf({ services: [service("2048")] })));
  assert.equal(problem?.code, "kubernetes-name");
});
