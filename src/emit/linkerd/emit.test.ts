import assert from "node:assert/strict";
import test from "node:test";
import { at, find, objectsOf, problemsOf } from "../../../test/support/objects.ts";
import { anything, planOf, port, router, rule, service } from "../../../test/support/stacks.ts";
import type { Namespace } from "../../model/names.ts";
import type { RouteMatch, RouteRule } from "../../model/types.ts";
import { emitLinkerd } from "./emit.ts";

const on = (path: string): readonly RouteMatch[] => [{ ...anything, path: { kind: "prefix", value: path } }];
const inside = (rules: readonly RouteRule[]) =>
  emitLinkerd(planOf({ services: [service("web", { public: false })], routers: [router("www", rules, { public: false })] }));

test("retries are annotations of a route, times have one unit", () => {
  const retries = { attempts: 2, perTryTimeoutMs: 1_500, on: ["5xx", "gateway-error"] };
  const route = find(objectsOf(inside([rule("web", {}, { retries, timeoutMs: 90_000 })])), "HTTPRoute", "www");
  assert.deepEqual(route.metadata.annotations, {
    "retry.linkerd.io/http": "5xx,gateway-error",
    "retry.linkerd.io/limit": "2",
    "retry.linkerd.io/timeout": "1500ms",
  });
  assert.deepEqual(at(route, "spec.rules.0.timeouts"), { request: "90s" });
});

test("rules with different retries become routes of their own, the others stay together", () => {
  const retried = rule("web", { match: on("/a") }, { retries: { attempts: 1, on: ["5xx"] } });
  const objects = objectsOf(inside([retried, rule("web", { match: on("/b") }), rule("web", { match: on("/c") })]));
  assert.equal((at(find(objects, "HTTPRoute", "www.part-1"), "spec.rules") as readonly unknown[]).length, 1);
  assert.equal((at(find(objects, "HTTPRoute", "www.part-2"), "spec.rules") as readonly unknown[]).length, 2);
  assert.equal(find(objects, "HTTPRoute", "www.part-2").metadata.annotations, undefined);
});

test("rules that only their order tells apart cannot be routes of their own", () => {
  const header = (name: string): readonly RouteMatch[] => [{ ...anything, headers: [{ name, value: { kind: "present" } }] }];
  const retried = rule("web", { match: header("a") }, { retries: { attempts: 1, on: ["5xx"] } });
  const [problem] = problemsOf(inside([retried, rule("web", { match: header("b") })]));
  assert.equal(problem?.code, "mesh-rule-order");
  assert.equal(problem?.where?.line, 20);
  assert.ok(inside([rule("web", { match: header("a") }), rule("web", { match: header("b") })]).ok);
});

test("gRPC: a GRPCRoute, whose retries and timeout are annotations", () => {
  const services = [service("rpc", { ports: [port("9000/grpc")], public: false })];
  const plan = planOf({ services });
  const retries = { attempts: 1, on: ["unavailable"] };
  const hosts = plan.hosts.map((host) => ({
    ...host,
    ports: host.ports.map((one) =>
      one.kind === "tcp" ? one : { ...one, routes: one.routes.map((route) => ({ ...route, action: { ...route.action, retries, timeoutMs: 2_000 } })) },
    ),
  }));
  const route = find(objectsOf(emitLinkerd({ ...plan, hosts })), "GRPCRoute", "rpc");
  assert.deepEqual(route.metadata.annotations, {
    "retry.linkerd.io/grpc": "unavailable",
    "retry.linkerd.io/limit": "1",
    "timeout.linkerd.io/request": "2s",
  });
});

test("TCP ports are opaque, routes for them have the version that Linkerd reads", () => {
  const objects = objectsOf(emitLinkerd(planOf({ services: [service("db", { ports: [port("5432/tcp")], public: false })] })));
  assert.equal(at(find(objects, "Service", "db"), "spec.ports.0.appProtocol"), "linkerd.io/opaque");
  assert.equal(find(objects, "TCPRoute", "db").apiVersion, "gateway.networking.k8s.io/v1alpha2");
});

test("namespaces join the mesh; what is public says that Linkerd has no gateway", () => {
  const result = emitLinkerd(planOf({ services: [service("web", { namespace: "team-a" as Namespace })] }));
  assert.ok(result.ok);
  assert.deepEqual(result.value.membership.annotations, { "linkerd.io/inject": "enabled" });
  assert.ok(result.value.notices.some((notice) => /no gateway/.test(notice)));
});

const redirect = (code: 301 | 308, path?: string): RouteRule => ({
  ...rule("web"),
  action: { kind: "redirect", redirect: { code, host: "h", ...(path === undefined ? {} : { path }) } },
});
const retry = (...conditions: readonly string[]): RouteRule => rule("web", {}, { retries: { attempts: 1, on: conditions } });
const refusals: readonly (readonly [string, RegExp, ReturnType<typeof inside>])[] = [
  ["a rewrite", /rewrites neither paths nor hosts/, inside([rule("web", { match: on("/a") }, { rewrite: { path: "/" } })])],
  ["a retry on connections", /on `connect-failure`/, inside([retry("5xx", "connect-failure")])],
  ["a redirect to a path", /redirect to another path/, inside([redirect(301, "/x")])],
  ["a redirect with 308", /with code 308/, inside([redirect(308)])],
  ["a time it cannot read", /99999 ms/, inside([rule("web", {}, { timeoutMs: 100_001 })])],
  [
    "retries at the gateway",
    /no gateway of its own/,
    emitLinkerd(planOf({ services: [service("web", { public: false })], routers: [router("www", [retry("5xx")])] })),
  ],
];

for (const [what, message, result] of refusals) {
  test(`refused with its place, once: ${what}`, () => {
    const problems = problemsOf(result);
    assert.deepEqual(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0]?.message ?? "", message);
    assert.match(problems[0]?.message ?? "", /^Linkerd /);
    assert.equal(problems[0]?.where?.line, 10);
  });
}

test("a redirect of the host alone is fine", () => {
  const route = find(objectsOf(inside([redirect(301)])), "HTTPRoute", "www");
  assert.deepEqual(at(route, "spec.rules.0.filters.0.requestRedirect"), { hostname: "h", statusCode: 301 });
});
