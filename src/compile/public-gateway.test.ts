/** The cluster's own gateway: what is public is there by its names and ports, and nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertConsistent, resourceKey } from "../../test/support/emitted.ts";
import { identityOf, meshOf } from "../../test/support/node-mesh.ts";
import { external, planOf, port, router, rule, service } from "../../test/support/stacks.ts";
import { emitClusterGateway } from "../emit/envoy/cluster-gateway.ts";
import type { Namespace } from "../model/names.ts";
import type { GatewayPlan } from "./gateway-plan.ts";
import type { MeshPlan } from "./mesh-plan.ts";
import { compilePublicGateway } from "./public-gateway.ts";

const identity = identityOf("weir-gateway");
const nobody = meshOf([]);
const plan = planOf({
  services: [
    service("web"),
    service("shop", { namespace: "team" as Namespace, ports: [port("80:8080/http"), port("6379/tcp")] }),
    service("db", { public: false, ports: [port("5432/tcp"), port("81:8081/http")] }),
  ],
  externals: [external("pay", ["pay.test:443"], { ports: [port("443/http")] })],
  routers: [router("www", [rule("external:pay")], { hosts: ["www.example"], public: true }), router("inner", [rule("db")], { public: false })],
});

function compiled(from: MeshPlan = plan, reserved: readonly number[] = [], before?: GatewayPlan): GatewayPlan | undefined {
  return compilePublicGateway(identity, from, nobody, new Set(reserved), before);
}

test("public apps, versions and routers by their names, public TCP by its port", () => {
  const [http, ...tcp] = compiled()?.ports ?? [];
  assert.ok(http?.kind === "http" && http.port === 80);
  assert.deepEqual(http.hosts.map(({ domain }) => domain).toSorted(), [
    "shop-v1.team.localhost",
    "shop.team.localhost",
    "web-v1.localhost",
    "web.localhost",
    "www.example",
    "www.localhost",
  ]);
  assert.deepEqual(
    tcp.map(({ port: number, kind }) => [number, kind]),
    [[6379, "tcp"]],
  );
  assert.deepEqual(
    compiled(plan, [6379])?.ports.map(({ port: number }) => number),
    [80],
  );
});

test("safe requests are tried elsewhere when an answer does not come, as inside the mesh", () => {
  const [http] = compiled()?.ports ?? [];
  assert.ok(http?.kind === "http");
  const [safe, any] = http.hosts.find(({ domain }) => domain === "web.localhost")?.routes ?? [];
  assert.deepEqual(safe?.match[0]?.methods, ["GET", "HEAD", "OPTIONS", "TRACE"]);
  assert.ok(safe?.action.kind === "forward" && safe.action.retries?.on.includes("reset"));
  assert.ok(any?.action.kind === "forward" && any.action.retries?.on.includes("reset") === false);
});

test("its Envoys have what that leads to, also outside, and nothing else of the mesh", () => {
  const resources = emitClusterGateway(compiled() ?? assert.fail());
  assertConsistent(resources);
  const clusters = resources.map(resourceKey).filter((key) => key.startsWith("Cluster "));
  assert.deepEqual(clusters.toSorted(), [
    "Cluster external/pay.default:443",
    "Cluster refused",
    "Cluster shop@v1.team:6379",
    "Cluster shop@v1.team:80",
    "Cluster web@v1.default:80",
  ]);
});

test("where nothing is public, there is none", () => {
  assert.equal(compiled(planOf({ services: [service("db", { public: false })] })), undefined);
});

test("what is as before is the same object", () => {
  const first = compiled();
  const second = compiled(plan, [], first);
  assert.equal(second?.ports, first?.ports);
  assert.equal(second?.backends, first?.backends);
});
