/** The configuration of a node's Envoy: names only what is in it, is the same for the same plan in any order, and has one certificate per caller. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { assertConsistent, references, resourceKey } from "../../../test/support/emitted.ts";
import { identityOf, meshOf, pinnedPod, planWith, replicas } from "../../../test/support/node-mesh.ts";
import { runningWorld } from "../../../test/support/running-world.ts";
import { runs } from "../../../test/support/runs.ts";
import { external, port, router, rule, service, stack } from "../../../test/support/stacks.ts";
import { outboundPort as capturedTo, nodeMark } from "../../agent/cluster/contract.ts";
import { compileWorld } from "../../compile/compile.ts";
import { compileNode } from "../../compile/node-plan.ts";
import type { PinnedPod } from "../../model/mesh-pod.ts";
import type { Service } from "../../model/types.ts";
import { messageToJson } from "../../xds/descriptors.ts";
import { emitNodeProxy, proxyMark } from "./node-proxy.ts";
import { outboundPort } from "./pod-listeners.ts";
import type { EnvoyResource } from "./resource.ts";

const services = [service("web"), service("cart", { ports: [port("80:8080/http"), port("81:8081/http2")] }), service("db", { ports: [port("5432/tcp")] })];
const pods = ["a", "b", "c"].flatMap((node, at) => [1, 2, 3].map((n) => pinnedPod(`${["web", "cart", "db"][n - 1]}-${node}`, node, `10.${at}.0.${n}`)));
const addressesOf = (app: string) => pods.filter(({ name }) => name.startsWith(app)).map(({ address }) => ({ address }));
const places = ["web", "cart", "db"].map((app) => replicas(app, addressesOf(app)));
const plan = planWith(services, places);
const mesh = meshOf(pods);
const resources = emitNodeProxy(compileNode(plan, mesh, "a"));

function json(list: readonly EnvoyResource[], key: string): JsonObject {
  const found = list.find((one) => resourceKey(one) === key) ?? assert.fail(`there is no ${key}`);
  return messageToJson(found.typeUrl, found.body) as JsonObject;
}

const digest = (list: readonly EnvoyResource[]): readonly string[] => list.map((one) => `${resourceKey(one)} ${Buffer.from(one.body).toString("base64")}`);

/** All values under `name`, however deep. */
function deep(value: unknown, name: string): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [...(key === name ? [one] : []), ...deep(one, name)]);
}

/** Names of sockets and chains that a matcher chooses, of those that are there. */
function assertChoices(list: readonly EnvoyResource[]): void {
  for (const one of list) {
    const body = messageToJson(one.typeUrl, one.body) as JsonObject;
    const there = (name: string) => new Set((body[name] as readonly JsonObject[] | undefined)?.map((each) => each["name"]));
    const chosen = deep([body["transportSocketMatcher"], body["filterChainMatcher"]], "action").flatMap((action) => {
      const { typedConfig } = action as { readonly typedConfig: { readonly name?: string; readonly value?: string } };
      return typedConfig.name ?? typedConfig.value ?? assert.fail(JSON.stringify(action));
    });
    const known = new Set([...there("transportSocketMatches"), ...there("filterChains")]);
    for (const name of chosen) assert.ok(known.has(name), `${one.name} chooses ${name}, which is not there`);
  }
}

test("every cluster, socket and chain that is named is there", () => {
  assertConsistent(resources);
  assertChoices(resources);
  const named = new Set(resources.flatMap(references));
  for (const one of ["Cluster direct", `Cluster peer/${identityOf("cart")}`, "Cluster db@v1.default:5432", "RouteConfiguration services"])
    assert.ok(named.has(one), one);
});

test("a node reaches external services itself: by name or address, with their own TLS, marked as its own", () => {
  const externals = [
    external("db", ["db.example.com:5432"]),
    external("api", ["192.0.2.7:443"], { ports: [port("80:443/http")], tls: { serverName: "api.example" } }),
  ];
  const { plan: whole } = compileWorld(runningWorld(stack({ services, externals, routers: [router("www", [rule("external:api")])] }), []));
  const list = emitNodeProxy(compileNode(whole, mesh, "a"));
  assertConsistent(list);
  assertChoices(list);
  const [db, api] = [json(list, "Cluster external/db.default:5432"), json(list, "Cluster external/api.default:80")];
  assert.deepEqual([(db["clusterType"] as JsonObject)["name"], api["type"] ?? "STATIC"], ["envoy.clusters.dns", "STATIC"]);
  assert.deepEqual(deep(api, "sni"), ["api.example"]);
  assert.equal(deep(db, "socketOptions").length, 1);
  assert.ok(list.flatMap(references).includes("Cluster external/api.default:80"), "the router's rule leads there");
});

test("the agent's rules and the proxy mean the same mark and port", () => {
  assert.deepEqual([proxyMark, outboundPort], [nodeMark, capturedTo]);
});

test("what a pod sends is in its own name, and every call to other nodes takes its certificate from there and checks the exact server", () => {
  const key = "envoy.tls.certificate_mappers.on_demand_secret";
  const { filterChains } = json(resources, "Listener out/web-a") as unknown as {
    readonly filterChains: readonly { readonly filters: readonly JsonObject[] }[];
  };
  for (const { filters } of filterChains) {
    const [noted] = deep(filters[0], "onNewConnection") as readonly (readonly JsonObject[])[];
    const shared = noted?.find(({ objectKey }) => objectKey === key) ?? assert.fail("no certificate is chosen");
    assert.deepEqual(deep(shared, "inlineString"), [identityOf("web")]);
    assert.deepEqual([shared["factoryKey"], shared["sharedWithUpstream"]], ["envoy.hashable_string", "ONCE"], "no connection of another caller");
  }
  for (const [name, peer] of [
    ["Cluster cart@v1.default:80", identityOf("cart")],
    [`Cluster peer/${identityOf("db")}`, identityOf("db")],
  ] as const) {
    const cluster = json(resources, name);
    const contexts = deep(cluster, "commonTlsContext");
    assert.ok(contexts.length > 0);
    for (const context of contexts) {
      assert.deepEqual(deep(context, "exact"), [peer], name);
      assert.deepEqual(deep(context, "defaultValue"), ["nobody"]);
      assert.deepEqual(deep(context, "tlsCertificateSdsSecretConfigs"), []);
    }
    assert.ok(deep(cluster, "maxSessionKeys").every((keys) => keys === 0) && deep(cluster, "maxSessionKeys").length === contexts.length);
  }
});

test("a pod that comes or goes on a node changes no cluster of it", () => {
  const clusters = (list: readonly EnvoyResource[]) => digest(list.filter((one) => resourceKey(one).startsWith("Cluster ")));
  const more = emitNodeProxy(compileNode(plan, meshOf([...pods, pinnedPod("another-1", "a", "10.0.0.77")]), "a"));
  assert.deepEqual(clusters(more), clusters(resources));
});

test("a cluster none of whose endpoints is elsewhere in the mesh has no TLS at all", () => {
  const local = emitNodeProxy(compileNode(plan, meshOf(pods.filter(({ node }) => node === "a")), "a"));
  for (const one of local.filter((each) => resourceKey(each).startsWith("Cluster ")))
    assert.deepEqual(
      Object.keys(json(local, resourceKey(one))).filter((name) => name.startsWith("transportSocket")),
      [],
      one.name,
    );
});

test("modes differ in chains alone; who joins as a strict pod keeps the chain of its plaintext, and chooses it no more", () => {
  const emitted = (more: Partial<PinnedPod>): readonly EnvoyResource[] =>
    emitNodeProxy(compileNode(plan, meshOf([pinnedPod("web-1", "a", "10.0.0.1", more), ...pods.slice(3)]), "a"));
  const lists = { strict: emitted({ mode: "strict" }), permissive: emitted({ mode: "permissive" }), joining: emitted({ mode: "permissive", meanwhile: true }) };
  const parts = Object.entries(lists).map(([mode, list]) => {
    const { filterChains, filterChainMatcher, ...rest } = json(list, "Listener in/web-1") as unknown as {
      filterChains: readonly { name: string }[];
      filterChainMatcher: object;
    };
    return { mode, rest, chains: JSON.stringify(filterChains), names: filterChains.map(({ name }) => name), takesPlain: "onNoMatch" in filterChainMatcher };
  });
  const [strict, permissive, joining] = parts;
  for (const { rest } of parts) assert.deepEqual(rest, strict?.rest);
  assert.deepEqual(
    parts.map(({ mode, names, takesPlain }) => [mode, names[1], takesPlain]),
    [
      ["strict", "plain-meanwhile", false],
      ["permissive", "plain", true],
      ["joining", "plain-meanwhile", true],
    ],
  );
  assert.equal(joining?.chains, strict?.chains, "what goes on over it, goes on");
  assert.notEqual(permissive?.chains, strict?.chains);
  const others = (list: readonly EnvoyResource[]) => digest(list.filter(({ name }) => name !== "in/web-1"));
  for (const list of Object.values(lists)) assert.deepEqual(others(list), others(lists.strict));
});

test("unchanged input gives the identical objects; a pod more elsewhere leaves the inbound side as it is", () => {
  const before = compileNode(plan, mesh, "a");
  const first = emitNodeProxy(before);
  const again = emitNodeProxy(compileNode(plan, { ...mesh, joined: new Map(mesh.joined) }, "a", before));
  assert.equal(again.length, first.length);
  for (const [at, one] of again.entries()) assert.equal(one, first[at], one.name);

  const more = emitNodeProxy(compileNode(plan, meshOf([...pods, pinnedPod("new-1", "c", "10.9.0.1")]), "a", before));
  const known = new Set(digest(first));
  const changed = more.filter((_, at) => !known.has(digest(more)[at] ?? "")).map(resourceKey);
  assert.deepEqual(changed, [`Cluster peer/${identityOf("new")}`, "Listener out/cart-a", "Listener out/db-a", "Listener out/web-a"]);
});

/** The same in a random order. */
function shuffled<Value>(list: readonly Value[]): fc.Arbitrary<readonly Value[]> {
  return fc.shuffledSubarray([...list], { minLength: list.length });
}

test("for any order of pods and endpoints: equal bytes in the same order", () => {
  const expected = digest(resources);
  fc.assert(
    fc.property(shuffled(pods), shuffled(addressesOf("cart")), shuffled(places), (somePods, cart, all) => {
      const given = all.map((one) => (one === places[1] ? replicas("cart", cart) : one));
      assert.deepEqual(digest(emitNodeProxy(compileNode(planWith(services, given), meshOf(somePods), "a"))), expected);
    }),
    { numRuns: runs(40) },
  );
});

test("every reference resolves in any mesh", () => {
  const app = fc.constantFrom("web", "cart", "db", "other");
  const ports = fc.uniqueArray(fc.constantFrom("80:8080/http", "5432/tcp", "9000/grpc"));
  const someServices = fc
    .uniqueArray(fc.tuple(app, ports), { selector: ([name]) => name })
    .map((list): readonly Service[] => list.map(([name, texts]) => service(name, { ports: texts.map(port) })));
  const place = fc.tuple(app, fc.constantFrom("a", "b", "c"), fc.constantFrom<PinnedPod["mode"]>("strict", "permissive"));
  fc.assert(
    fc.property(someServices, fc.array(place), fc.nat(8), (list, where, joinedOnly) => {
      // A node without pods has routes that nobody uses yet: they do not go and come with its last pod.
      const callers = [pinnedPod("web-a", "a", "10.0.1.1"), pinnedPod("web-b", "b", "10.0.1.2")];
      const some = where.map(([name, node, mode], at) => pinnedPod(`${name}-${at}`, node, `10.0.0.${at}`, { mode }));
      const all = meshOf([...callers, ...some]);
      const partly = { ...all, joined: new Map([...all.joined].slice(0, joinedOnly)) };
      const endpoints = list.map((one) =>
        replicas(
          one.app,
          some.filter(({ name }) => name.startsWith(one.app)).map(({ address }) => ({ address })),
        ),
      );
      for (const node of ["a", "b"]) {
        const emitted = emitNodeProxy(compileNode(planWith(list, endpoints), partly, node));
        assertConsistent(emitted);
        assertChoices(emitted);
      }
    }),
    { numRuns: runs(60) },
  );
});
