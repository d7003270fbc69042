/** Properties of everything that is emitted: the same for the same plan, only what is there is named, and only what changed is made anew. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertConsistent, references, resourceKey } from "../../../test/support/emitted.ts";
import { capturePoint, runningWorld } from "../../../test/support/running-world.ts";
import { runs } from "../../../test/support/runs.ts";
import { external, port, router, rule, service, stack } from "../../../test/support/stacks.ts";
import { type Compiled, compileWorld } from "../../compile/compile.ts";
import { type AppName, appKey, defaultNamespace, type VersionName, versionKey } from "../../model/names.ts";
import type { Stack } from "../../model/types.ts";
import type { World } from "../../model/world.ts";
import { type EnvoyConfig, emitEnvoy } from "./emit.ts";
import { egressSocket } from "./paths.ts";
import type { EnvoyResource } from "./resource.ts";

const shop: Stack = stack({
  services: [
    service("web@v1"),
    service("web@v2"),
    service("api", { ports: [port("80:8080/http2"), port("9000/grpc")] }),
    service("db", { ports: [port("5432/tcp")] }),
  ],
  routers: [router("www", [rule("web"), rule("external:pay"), rule("api@v1")])],
  externals: [
    external("pay", ["pay.example:443"], { ports: [port("80/http")], tls: { serverName: "pay.example" } }),
    external("old", ["10.0.0.1:1", "10.0.0.2:1"]),
  ],
});
const captures = [capturePoint("web-v1"), capturePoint("open-v1", { address: "100.64.0.3", egress: true })];
const world = runningWorld(shop, captures);

function all({ node, gateway }: EnvoyConfig): readonly EnvoyResource[] {
  return [...node, ...gateway];
}

test("equal plans give equal bytes in the same order", () => {
  const [one, other] = [world, runningWorld(structuredClone(shop), captures)].map((each) => all(emitEnvoy(compileWorld(each).plan)));
  assert.deepEqual(other, one);
  assert.notEqual(other?.[0], one?.[0], "the second was made anew");
});

test("every reference resolves, and nothing is there that nobody names", () => {
  const { node, gateway } = emitEnvoy(compileWorld(world).plan);
  assertConsistent(node);
  assertConsistent(gateway);
  for (const one of ["Cluster web@v2.default:80", "ClusterLoadAssignment db@v1.default:5432", "RouteConfiguration services"])
    assert.ok(node.flatMap(references).includes(one), one);
  assert.ok(gateway.flatMap(references).includes("Cluster external/pay.default:80"));
});

test("every reference resolves in any mesh", () => {
  const names = fc.constantFrom("a", "b", "c", "www");
  const protocols = fc.constantFrom("80:8080/http", "5432/tcp", "9000/grpc");
  const services = fc.uniqueArray(fc.tuple(names, fc.constantFrom("v1", "v2"), fc.uniqueArray(protocols)), {
    selector: ([app, version]) => `${app}@${version}`,
  });
  const destinations = fc.array(fc.constantFrom("a", "b", "a@v2", "external:c", "nobody"));
  fc.assert(
    fc.property(services, destinations, fc.boolean(), (list, to, egress) => {
      const said = stack({
        services: list.map(([app, version, ports]) => service(`${app}@${version}`, { ports: ports.map(port) })),
        routers: [
          router(
            "www",
            to.map((one) => rule(one)),
          ),
        ],
        externals: [external("c", ["c.example:1"]), external("d", ["localhost:2"], { ports: [port("80/http")] })],
      });
      const { node, gateway } = emitEnvoy(compileWorld(runningWorld(said, [capturePoint("a-v1", { egress })])).plan);
      assertConsistent(node);
      assertConsistent(gateway);
    }),
    { numRuns: runs(60) },
  );
});

/** What differs between two emissions, by identity. */
function changed(before: EnvoyConfig, after: EnvoyConfig): readonly string[] {
  const known = new Set(all(before));
  return all(after)
    .filter((resource) => !known.has(resource))
    .map(resourceKey)
    .sort();
}

function step(next: World, before: Compiled): readonly [Compiled, readonly string[]] {
  const config = emitEnvoy(before.plan);
  const after = compileWorld(next, before);
  return [after, changed(config, emitEnvoy(after.plan))];
}

test("only what changed is made anew", () => {
  const first = compileWorld(world);
  const [same, nothing] = step({ ...world, revision: 2 }, first);
  assert.deepEqual(nothing, []);

  const v1 = versionKey(defaultNamespace, "web" as AppName, "v1" as VersionName);
  const [grown, endpoints] = step({ ...world, endpoints: new Map([...world.endpoints, [v1, [{ id: "x", address: "100.64.7.7", ready: true }]]]) }, same);
  assert.deepEqual(endpoints, ["ClusterLoadAssignment web@v1.default:80"], "the fast path");

  const web = world.apps.get(appKey(defaultNamespace, "web" as AppName));
  assert.ok(web);
  const weights = new Map([...web.weights.keys()].map((version, index) => [version, index === 0 ? 9_000 : 1_000]));
  const [, routes] = step({ ...world, apps: new Map([...world.apps, [appKey(defaultNamespace, web.name), { ...web, weights }]]) }, grown);
  assert.deepEqual(
    routes,
    ["ClusterLoadAssignment web@v1.default:80", "RouteConfiguration gateway", "RouteConfiguration services"],
    "and the endpoint is gone again",
  );
});

test("a weight changes routes only: every other resource keeps its bytes", () => {
  const bytes = (config: EnvoyConfig) =>
    new Map(
      (["node", "gateway"] as const).flatMap((proxy) =>
        config[proxy].map((one) => [`${proxy}: ${resourceKey(one)}`, Buffer.from(one.body).toString("base64")]),
      ),
    );
  const first = compileWorld(world);
  const before = bytes(emitEnvoy(first.plan));
  const web = world.apps.get(appKey(defaultNamespace, "web" as AppName));
  assert.ok(web);
  const weights = new Map([...web.weights.keys()].map((version, index) => [version, index === 0 ? 9_000 : 1_000]));
  const after = bytes(
    emitEnvoy(compileWorld({ ...world, apps: new Map([...world.apps, [appKey(defaultNamespace, web.name), { ...web, weights }]]) }, first).plan),
  );
  assert.deepEqual(
    [...after].filter(([name, body]) => before.get(name) !== body).map(([name]) => name),
    ["node: RouteConfiguration services", "node: RouteConfiguration gateway"],
  );
});

test("fifty services and fifty workloads stay small", () => {
  const names = Array.from({ length: 50 }, (_, index) => `s${index}`);
  const many = runningWorld(
    stack({ services: names.map((name) => service(name)) }),
    names.map((name, index) => capturePoint(`${name}-v1`, { address: `100.64.9.${index}` })),
  );
  const bytes = all(emitEnvoy(compileWorld(many).plan)).reduce((sum, one) => sum + one.body.length, 0);
  assert.ok(bytes < 300_000, `${bytes} bytes`);
});

test("sockets have short names of their own", () => {
  const names = ["a", "b", "c"].flatMap((name) => [80, 443].map((number) => egressSocket("/run", `external/${name}.default:${number}` as never)));
  assert.equal(new Set(names).size, 6);
  assert.ok(names.every((name) => /^\/run\/egress\/[0-9a-f]{8}\.sock$/.test(name)));
});
