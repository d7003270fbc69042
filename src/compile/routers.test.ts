/** Rules of routers, resolved: which port, which share, whose name, and what is told when it is not there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { destination, external, place, planOf, port, router, rule, service, stack } from "../../test/support/stacks.ts";
import type { Problem } from "../lib/problem.ts";
import type { Namespace } from "../model/names.ts";
import type { DestinationRef, RouteRule, Stack } from "../model/types.ts";
import { compileWorld } from "./compile.ts";
import type { MeshPlan, Route } from "./mesh-plan.ts";
import { worldOfStack } from "./world-of-stack.ts";

function routesOf(plan: MeshPlan, name = "www"): readonly Route[] {
  const answer = plan.hosts.find((host) => host.kind === "router" && host.name === name)?.ports[0];
  return answer?.kind === "http" ? answer.routes : [];
}

function told(route: Route | undefined): readonly string[] {
  return route?.action.kind === "forward" ? route.action.destinations.map(({ backend, weight }) => `${backend} ${weight}`) : [];
}

function ruleTo(...refs: readonly (readonly [DestinationRef, number])[]): RouteRule {
  return { ...rule("x"), action: { kind: "forward", destinations: refs.map(([to, weight]) => ({ to, weight })) } };
}

function problemsOf(said: Partial<Stack>): readonly Problem[] {
  return compileWorld(worldOfStack(stack(said))).problems;
}

test("the port: the first that speaks HTTP, or the one asked for by either of its numbers", () => {
  const services = [service("web", { ports: [port("5432/tcp"), port("80:8080/http"), port("9000:9090/grpc"), port("8080:81/http")] })];
  const rows = [
    [undefined, 80],
    [80, 80],
    [9000, 9000],
    [9090, 9000],
    [8080, 8080],
    [81, 8080],
  ] as const;
  for (const [asked, found] of rows) {
    const to = { ...destination("web"), ...(asked === undefined ? {} : { port: asked }) };
    assert.deepEqual(told(routesOf(planOf({ services, routers: [router("www", [ruleTo([to, 1])])] }))[0]), [`web@v1.default:${found} 10000`], String(asked));
  }
  const refused = problemsOf({
    services,
    routers: [router("www", [ruleTo([{ ...destination("web"), port: 5432 }, 1], [{ ...destination("web"), port: 7 }, 1])])],
  });
  assert.deepEqual(
    refused.map(({ message }) => message),
    ["web has no HTTP port 5432", "web has no HTTP port 7"],
  );
});

test("a version by name gets its share whatever the app's weights say", () => {
  const services = [service("web@v1"), service("web@v2")];
  const plan = planOf({
    services,
    routers: [router("www", [rule("web"), rule("web@v2"), ruleTo([destination("web"), 9_000], [destination("web@v2"), 1_000])])],
  });
  assert.deepEqual(routesOf(plan).map(told), [["web@v1.default:80 10000"], ["web@v2.default:80 10000"], ["web@v1.default:80 9000", "web@v2.default:80 1000"]]);
});

test("a share of something that does not exist goes to the others, and is a problem", () => {
  const said = { services: [service("web")], routers: [router("www", [ruleTo([destination("web"), 5_000], [destination("gone"), 5_000])])] };
  const { plan, problems } = compileWorld(worldOfStack(stack(said)));
  assert.deepEqual(told(routesOf(plan)[0]), ["web@v1.default:80 10000"]);
  assert.deepEqual(
    problems.map(({ code, message }) => `${code}: ${message}`),
    ["destination-unknown: there is no app gone in namespace default"],
  );
});

test("a namespace's apps are its own", () => {
  const teamA = "team-a" as Namespace;
  const services = [service("web", { namespace: teamA })];
  const plan = planOf({ services, routers: [router("www", [ruleTo([destination("web", teamA), 1])], { namespace: teamA, hosts: ["shop.example"] })] });
  assert.deepEqual(told(routesOf(plan)[0]), ["web@v1.team-a:80 10000"]);
  assert.deepEqual(plan.hosts.find(({ kind }) => kind === "router")?.domains, ["www.team-a.localhost", "shop.example"]);
  assert.match(problemsOf({ services, routers: [router("www", [rule("web")])] })[0]?.message ?? "", /no app web in namespace default/);
});

test("what is nearly right is suggested; what is not is told what it means", () => {
  const services = [service("checkout"), service("checkout@v2")];
  const hints = problemsOf({
    services,
    externals: [external("payments", ["pay.example:443"], { ports: [port("443/http")] })],
    routers: [router("www", [rule("chekout"), rule("checkout@v3"), rule("external:payment"), rule("zzz")])],
  }).map(({ hint, where }) => [where?.line, hint] as const);
  assert.match(hints[0]?.[1] ?? "", /checkout/);
  assert.match(hints[1]?.[1] ?? "", /v[12]/);
  assert.match(hints[2]?.[1] ?? "", /payments/);
  assert.match(hints[3]?.[1] ?? "", /only checkout is known/);
  const nothing = problemsOf({ services: [service("db", { ports: [port("5432/tcp")] })], routers: [router("www", [rule("db")])] });
  assert.match(nothing[0]?.hint ?? "", /answered with 503/);
  assert.deepEqual(
    hints.map(([line]) => line),
    [10, 20, 30, 40],
  );
});

test("a rule without a place is told by its router's", () => {
  const said = { ...router("www", []), rules: [rule("gone")], where: place(77) };
  assert.equal(problemsOf({ routers: [said] })[0]?.where?.line, 77);
});

test("a port of the gateway has one owner: HTTP first, then who comes first; the other still works inside", () => {
  const services = [
    service("a", { ports: [port("5432/tcp")] }),
    service("b", { ports: [port("5432/tcp"), port("6379/tcp")] }),
    service("c", { ports: [port("8080/tcp")] }),
    service("d", { ports: [port("8080/tcp")], public: false }),
  ];
  const { plan, problems } = compileWorld(worldOfStack(stack({ services })));
  assert.deepEqual(
    plan.gatewayTcp.map((tcp) => `${tcp.port} ${tcp.destinations.map(({ backend }) => backend).join()}`),
    ["5432 a@v1.default:5432", "6379 b@v1.default:6379"],
  );
  assert.deepEqual(
    problems.map(({ message }) => message),
    ["port 5432 of the gateway belongs to a; b cannot be reached through it", "port 8080 of the gateway belongs to HTTP; c cannot be reached through it"],
  );
  assert.ok(plan.hosts.some((host) => host.name === "b" && host.ports.some((one) => one.kind === "tcp" && one.ports.includes(5432))));
});

test("two versions of one app share its port of the gateway", () => {
  const versions = [service("db@v1", { ports: [port("5432/tcp")] }), service("db@v2", { ports: [port("5432/tcp")] })];
  assert.deepEqual(problemsOf({ services: versions }), []);
});
