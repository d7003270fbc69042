/** Routes of an app's own port, by walking the emitted configuration; callers of a namespace with routes of its own have a configuration of their own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpConnectionManagerSchema } from "../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { decodeProxy, unpack } from "../../../test/simulate/proxy.ts";
import { routesFor } from "../../../test/simulate/route.ts";
import { simulate } from "../../../test/simulate/simulate.ts";
import { capturePoint, runningWorld } from "../../../test/support/running-world.ts";
import { anything, destination, noChanges, port, rule, service, stack } from "../../../test/support/stacks.ts";
import { compileWorld } from "../../compile/compile.ts";
import type { MeshPlan } from "../../compile/mesh-plan.ts";
import { compileNode } from "../../compile/node-plan.ts";
import type { PinnedPod } from "../../model/mesh-pod.ts";
import type { AppName } from "../../model/names.ts";
import { type AppKey, defaultNamespace, type Namespace } from "../../model/names.ts";
import type { ServiceRoute } from "../../model/service-route.ts";
import { defaultTrustDomain, parseTrustDomain, workloadId } from "../../model/spiffe.ts";
import type { RouteRule } from "../../model/types.ts";
import { emitNodeProxy } from "./node-proxy.ts";
import { meshRoutes } from "./route-configuration.ts";

const services = [service("web", { ports: [port("80/http"), port("81/tcp")] }), service("one"), service("two")];
const to = (name: string) => ({ ...destination(name), port: 80 });

function ruleTo(name: string, said: Partial<RouteRule> = {}, forward: object = {}): RouteRule {
  return { ...rule(name, said), action: { kind: "forward", destinations: [{ to: to(name), weight: 10_000 }], ...forward } };
}

function planWith(...routes: readonly ServiceRoute[]): MeshPlan {
  const world = runningWorld(stack({ services }), [capturePoint("caller")]);
  return compileWorld({ ...world, serviceRoutes: new Map([["default/web" as AppKey, routes]]) }).plan;
}

function web(...rules: readonly RouteRule[]) {
  return simulate(planWith({ kind: "http", port: 80, rules })).expectCall;
}

const from = "caller";
const onPath = (value: string) => [{ ...anything, path: { kind: "prefix" as const, value } }];

test("they stand in place of the app's weights; what no rule matches is answered with 404; other ports stay", () => {
  const expectCall = web(ruleTo("one", { match: onPath("/one") }), ruleTo("two", { match: onPath("/two") }));
  expectCall({ from, to: "http://web/one/x" }).reaches("one@v1");
  expectCall({ from, to: "http://web/two" }).reaches("two@v1");
  expectCall({ from, to: "http://web/" }).answers(404, /no rule of app web matches/);
  expectCall({ from, to: "http://one/one" }).reaches("one@v1");
  expectCall({ from, to: "tcp://web:81" }).reaches("web@v1");
});

test("a version's own name is a destination, and may have routes itself", () => {
  const versions = [service("web"), service("web@v2"), service("one")];
  const world = runningWorld(stack({ services: versions }), [capturePoint("caller")]);
  const route = (name: string, ...rules: readonly RouteRule[]) => [`default/${name}` as AppKey, [{ kind: "http", port: 80, rules }]] as const;
  const { plan } = compileWorld({ ...world, serviceRoutes: new Map([route("web", ruleTo("web-v2")), route("web-v1", ruleTo("one"))]) });
  const { expectCall } = simulate(plan);
  expectCall({ from, to: "http://web/" }).reaches("web@v2");
  expectCall({ from, to: "http://web-v2/" }).reaches("web@v2");
  expectCall({ from, to: "http://web-v1/" }).reaches("one@v1");
});

test("a TCP port with routes speaks HTTP", () => {
  const { expectCall } = simulate(planWith({ kind: "http", port: 81, rules: [ruleTo("one")] }));
  expectCall({ from, to: "http://web:81/" }).reaches("one@v1");
  expectCall({ from, to: "http://web/" }).reaches("web@v1");
});

test("weights, headers of one destination, whole paths, times", () => {
  const headers = { ...noChanges, set: [{ name: "x-one", value: "1" }] };
  const destinations = [
    { to: to("one"), weight: 7_000, requestHeaders: headers },
    { to: to("two"), weight: 3_000 },
  ];
  const forward = { destinations, rewrite: { fullPath: "/whole" }, timeoutMs: 2_000, tryTimeoutMs: 500, mirrors: [{ to: to("two"), share: 500 }] };
  const expectCall = web(ruleTo("one", { match: onPath("/a") }, forward));
  const outcome = expectCall({ from, to: "http://web/a/b?q=1" }).reaches({ "one@v1": 70, "two@v1": 30 });
  assert.deepEqual([outcome.timeoutMs, outcome.shares[0]?.request.path], [2_000, "/whole?q=1"]);
  const redirect = { kind: "redirect" as const, redirect: { fullPath: "/there", code: 303 as const } };
  web({ ...ruleTo("one", { match: onPath("/a") }), action: redirect })({ from, to: "http://web/a/b?q=1" }).redirects(303, "http://web/there?q=1");
});

/** Routes of web's port 80, as Envoy gets them for some callers. */
function envoyRoutes(plan: MeshPlan, callers: string = meshRoutes) {
  const { routes } = decodeProxy(emitNodeProxy(compileNode(plan, meshOf(), "node-1")));
  const [virtualHost] = routes.get(callers)?.virtualHosts ?? [];
  const address = plan.hosts.find(({ name }) => name === "web")?.address;
  assert.ok(virtualHost !== undefined && address !== undefined);
  return routesFor(virtualHost, new Map([["weir.destination", `${address}:80`]]));
}

test("the refused have their share of 500 before the rest is shared; copies have theirs", () => {
  const [refused, rest] = envoyRoutes(
    planWith({ kind: "http", port: 80, rules: [ruleTo("one", {}, { refused: 2_500, mirrors: [{ to: to("two"), share: 500 }] })] }),
  );
  assert.deepEqual([refused?.match?.runtimeFraction?.defaultValue?.numerator, refused?.action.case], [2_500, "directResponse"]);
  const copy = rest?.action.case === "route" ? rest.action.value.requestMirrorPolicies[0] : undefined;
  assert.deepEqual([copy?.cluster, copy?.runtimeFraction?.defaultValue?.numerator], ["two@v1.default:80", 500]);
  const [all] = envoyRoutes(
    planWith({ kind: "http", port: 80, rules: [{ ...ruleTo("one"), action: { kind: "forward", destinations: [], refused: 10_000 } }] }),
  );
  assert.deepEqual([all?.match?.runtimeFraction, all?.action.value], [undefined, all?.action.value]);
  assert.equal(all?.action.case === "directResponse" ? all.action.value.status : 0, 500);
});

const trust = parseTrustDomain(defaultTrustDomain);
const trustDomain = trust.ok ? trust.value : undefined;

function podOf(namespace: string): PinnedPod {
  assert.ok(trustDomain !== undefined);
  const identity = workloadId(trustDomain, namespace as Namespace, "x" as AppName);
  const place = { node: "node-1", address: namespace === "far" ? "10.0.0.2" : "10.0.0.1", networkNamespace: `/ns/${namespace}` };
  return { uid: `uid-${namespace}`, namespace: namespace as Namespace, name: "x", identity, mode: "strict", ...place };
}

function meshOf() {
  assert.ok(trustDomain !== undefined);
  return { trustDomain, joined: new Map(), pinned: new Map([["node-1", [podOf(defaultNamespace), podOf("far")]]]) };
}

test("callers of a namespace that has routes of its own see those, and everybody else does not", () => {
  const far = "far" as Namespace;
  const plan = planWith({ kind: "http", port: 80, callers: far, rules: [ruleTo("two")] }, { kind: "http", port: 80, rules: [ruleTo("one")] });
  const proxy = decodeProxy(emitNodeProxy(compileNode(plan, meshOf(), "node-1")));
  const used = (listener: string): string | undefined => {
    const last = proxy.listeners
      .get(listener)
      ?.filterChains.find(({ name }) => name === "http")
      ?.filters.at(-1)?.configType;
    const manager = last?.case === "typedConfig" ? unpack(HttpConnectionManagerSchema, last.value) : undefined;
    return manager?.routeSpecifier.case === "rds" ? manager.routeSpecifier.value.routeConfigName : undefined;
  };
  assert.deepEqual([used("out/uid-default"), used("out/uid-far")], [meshRoutes, `${meshRoutes}/far`]);
  const leads = (callers: string): unknown => {
    const action = envoyRoutes(plan, callers)[0]?.action;
    return action?.case === "route" ? action.value.clusterSpecifier.value : undefined;
  };
  assert.deepEqual([leads(meshRoutes), leads(`${meshRoutes}/far`)], ["one@v1.default:80", "two@v1.default:80"]);
});

test("what did not change is the same object in the next plan", () => {
  const world = runningWorld(stack({ services }), []);
  const far = "far" as Namespace;
  const routes: readonly ServiceRoute[] = [
    { kind: "http", port: 80, rules: [ruleTo("one")] },
    { kind: "http", port: 80, callers: far, rules: [ruleTo("two")] },
    { kind: "http", port: 80, callers: "near" as Namespace, rules: [ruleTo("two")] },
  ];
  const serviceRoutes = new Map([["default/web" as AppKey, routes]]);
  const before = compileWorld({ ...world, serviceRoutes });
  const after = compileWorld({ ...world, serviceRoutes, endpoints: new Map() }, before);
  assert.equal(after.plan.hosts, before.plan.hosts);
  for (const [callers, hosts] of before.plan.hostsFor) assert.equal(after.plan.hostsFor.get(callers), hosts);
  assert.deepEqual([...before.plan.hostsFor.keys()], ["far", "near"]);
});
