/** The configuration of a cluster's gateway: names only what is in it, calls pods of the mesh as itself, and keeps what did not change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { assertConsistent, resourceKey } from "../../../test/support/emitted.ts";
import { identityOf, meshOf, pinnedPod, replicas } from "../../../test/support/node-mesh.ts";
import { runningWorld } from "../../../test/support/running-world.ts";
import { port, service, stack } from "../../../test/support/stacks.ts";
import { compileWorld } from "../../compile/compile.ts";
import { compileGateway } from "../../compile/gateway-plan.ts";
import type { BackendTls, Gateway, GatewayHost, GatewayPort, GatewayTarget, SecuredPort, ServerCertificate } from "../../model/gateway.ts";
import type { MeshPods } from "../../model/mesh-pod.ts";
import { defaultNamespace } from "../../model/names.ts";
import { messageToJson } from "../../xds/descriptors.ts";
import { emitClusterGateway } from "./cluster-gateway.ts";
import type { EnvoyResource } from "./resource.ts";

const services = [service("web"), service("cart", { ports: [port("80:8080/http")] }), service("db", { ports: [port("5432/tcp")] }), service("idle")];
const places = ["web", "cart", "db", "idle"].map((app, at) => replicas(app, [{ address: `10.0.0.${at + 1}` }]));
const world = { ...runningWorld(stack({ services }), []), endpoints: new Map(places) };
const { plan } = compileWorld(world);
const nobody = meshOf([]);
const certificate: ServerCertificate = { name: "shop/cert", chain: "CHAIN", key: "KEY" };
const noChanges = { add: [], set: [], remove: [] };

function host(domain: string, app: string, refused?: number): GatewayHost {
  const to = { kind: "app" as const, namespace: defaultNamespace, name: app, port: 80 };
  const action = { kind: "forward" as const, destinations: [{ to, weight: 10_000 - (refused ?? 0) }], ...(refused === undefined ? {} : { refused }) };
  return { domain, rules: [{ match: [], action, requestHeaders: noChanges, responseHeaders: noChanges }] };
}

function target(app: string, refused = 0): GatewayTarget {
  return { destinations: [{ to: { kind: "app", namespace: defaultNamespace, name: app, port: 5432 }, weight: 10_000 - refused }], refused };
}

const ports: readonly GatewayPort[] = [
  { kind: "http", port: 80, hosts: [host("*", "web"), host("cart.example", "cart", 2_500)] },
  {
    kind: "tls",
    port: 443,
    servers: [
      { kind: "https", name: "all", domain: "*", certificates: [certificate], hosts: [host("*", "web")], misdirected: ["web.example"] },
      { kind: "https", name: "web", domain: "web.example", certificates: [certificate], hosts: [host("web.example", "web")], misdirected: ["*"] },
      { kind: "terminate", name: "end/db.example", domain: "db.example", certificates: [certificate], target: target("db") },
      { kind: "passthrough", name: "pass/*.raw", domain: "*.raw", target: target("db", 5_000) },
    ],
  },
  { kind: "tcp", port: 5432, target: { destinations: [], refused: 10_000 } },
];

function emitted(mesh: MeshPods = nobody, some: readonly GatewayPort[] = ports, more: Partial<Gateway> = {}): readonly EnvoyResource[] {
  const gateway: Gateway = { namespace: defaultNamespace, name: "gw", identity: identityOf("gw-weir"), ports: some, secured: [], ...more };
  return emitClusterGateway(compileGateway(gateway, world, plan, mesh));
}

function json(list: readonly EnvoyResource[], key: string): JsonObject {
  const found = list.find((one) => resourceKey(one) === key) ?? assert.fail(`there is no ${key} in ${list.map(resourceKey).join()}`);
  return messageToJson(found.typeUrl, found.body) as JsonObject;
}

/** All values under `name`, however deep. */
function deep(value: unknown, name: string): readonly unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [...(key === name ? [one] : []), ...deep(one, name)]);
}

test("everything that is named is there, and of the mesh's backends only those that routes lead to", () => {
  const resources = emitted();
  assertConsistent(resources);
  const clusters = resources.map(resourceKey).filter((key) => key.startsWith("Cluster "));
  assert.deepEqual(clusters.toSorted(), ["Cluster cart@v1.default:80", "Cluster db@v1.default:5432", "Cluster refused", "Cluster web@v1.default:80"]);
});

test("pods of the mesh are called by mutual TLS as the gateway itself, and must be who they are; others in plaintext", () => {
  const resources = emitted(meshOf([pinnedPod("web-1", "a", "10.0.0.1")]));
  const contexts = deep(json(resources, "Cluster web@v1.default:80"), "commonTlsContext") as readonly JsonObject[];
  assert.ok(contexts.length > 0);
  for (const context of contexts) {
    assert.deepEqual(deep(context, "exact"), [identityOf("web")]);
    assert.deepEqual(
      deep(context, "tlsCertificateSdsSecretConfigs").flatMap((list) => (list as readonly JsonObject[]).map(({ name }) => name)),
      [identityOf("gw-weir")],
    );
  }
  assert.deepEqual(deep(json(resources, "ClusterLoadAssignment web@v1.default:80"), "tunnel"), ["mtls"]);
  assert.deepEqual(deep(json(resources, "Cluster cart@v1.default:80"), "commonTlsContext"), []);
});

test("server names choose the chain; certificates are secrets of their own, whose keys stand nowhere else", () => {
  const resources = emitted();
  const chains = json(resources, "Listener port/443")["filterChains"] as readonly JsonObject[];
  assert.deepEqual(
    chains.map(({ filterChainMatch }) => (filterChainMatch as JsonObject)["serverNames"] ?? "any"),
    ["any", ["web.example"], ["db.example"], ["*.raw"]],
  );
  assert.deepEqual(
    chains.map((chain) => deep(chain, "alpnProtocols")),
    [[["h2", "http/1.1"]], [["h2", "http/1.1"]], [], []],
  );
  assert.deepEqual(deep(json(resources, "Secret shop/cert"), "inlineString"), ["CHAIN", "KEY"]);
  for (const one of resources.filter(({ typeUrl }) => !typeUrl.endsWith("Secret"))) assert.ok(!Buffer.from(one.body).includes("KEY"), one.name);
});

test("a request for a name of another server is misdirected; one that nobody has is not found", () => {
  const domains = (name: string) =>
    (json(emitted(), `RouteConfiguration ${name}`)["virtualHosts"] as readonly JsonObject[]).map(({ domains: own, routes }) => [
      (own as readonly string[]).join(),
      ...deep(routes, "status"),
    ]);
  assert.deepEqual(domains("https/web"), [["web.example"], ["*", 421]]);
  assert.deepEqual(domains("https/all"), [["*"], ["web.example", 421]]);
  // Once for safe methods, once for all.
  assert.deepEqual(domains("http/80"), [["*"], ["cart.example", 500, 500]]);
});

test("connections that may not go where they lead are closed, by their share", () => {
  const resources = emitted();
  const weighted = deep(json(resources, "Listener port/443"), "weightedClusters") as readonly JsonObject[];
  assert.deepEqual(
    weighted.map(({ clusters }) => (clusters as readonly JsonObject[]).map(({ name, weight }) => [name, weight])),
    [
      [
        ["db@v1.default:5432", 5_000],
        ["refused", 5_000],
      ],
    ],
  );
  assert.deepEqual(deep(json(resources, "Listener port/5432"), "cluster"), ["refused"]);
});

test("a port on which nothing can be told apart has no listener", () => {
  const resources = emitted(nobody, [{ kind: "tls", port: 443, servers: [] }]);
  assertConsistent(resources);
  assert.deepEqual(resources.map(resourceKey), ["Cluster refused"]);
});

test("who may call from pages of other origins stands at the route", () => {
  const cors = {
    origins: ["https://a.example", "https://*.b.example"],
    methods: ["*"],
    headers: ["x-a", "x-b"],
    exposed: [],
    credentials: true,
    maxAgeSeconds: 9,
  };
  const [first = assert.fail()] = host("*", "web").rules;
  const resources = emitted(nobody, [{ kind: "http", port: 80, hosts: [{ domain: "*", rules: [{ ...first, cors }] }] }]);
  const [policy] = deep(json(resources, "RouteConfiguration http/80"), "envoy.filters.http.cors") as readonly JsonObject[];
  assert.deepEqual(
    [policy?.["allowMethods"], policy?.["allowHeaders"], policy?.["maxAge"], policy?.["allowCredentials"], policy?.["forwardNotMatchingPreflights"]],
    ["*", "x-a, x-b", "9", true, false],
  );
  assert.deepEqual([deep(policy, "exact"), deep(policy, "regex")], [["https://a.example"], ["https://[^/]+\\.b\\.example"]]);
});

const tls: BackendTls = { serverName: "db.example", roots: { name: "shop/ca", pem: "ROOTS" }, names: [{ kind: "uri", name: "spiffe://x/db" }] };
const securedAt = (name: string, at: number, how: SecuredPort["tls"] = tls): SecuredPort => ({ namespace: defaultNamespace, name, port: at, tls: how });

test("what is called by TLS has a cluster of its own: HTTP and terminated TLS go there, other connections as they came", () => {
  const secured = [securedAt("web", 80), securedAt("db", 5432)];
  const shown = { name: "shop/own", chain: "OWN", key: "OWN KEY" };
  const resources = emitted(nobody, ports, { secured, clientCertificate: shown });
  assertConsistent(resources);
  assert.deepEqual(
    resources
      .map(resourceKey)
      .filter((key) => /^(Cluster|ClusterLoadAssignment|Secret) /.test(key))
      .toSorted(),
    [
      "Cluster cart@v1.default:80",
      "Cluster db@v1.default:5432",
      "Cluster db@v1.default:5432/tls",
      "Cluster refused",
      "Cluster web@v1.default:80/https",
      "ClusterLoadAssignment cart@v1.default:80",
      "ClusterLoadAssignment db@v1.default:5432",
      "ClusterLoadAssignment web@v1.default:80",
      "Secret roots/shop/ca",
      "Secret shop/cert",
      "Secret shop/own",
    ],
  );
  const web = json(resources, "Cluster web@v1.default:80/https");
  assert.deepEqual(
    [deep(web, "sni"), deep(web, "alpnProtocols"), deep(web, "exact"), deep(web, "sanType")],
    [["db.example"], [["http/1.1"]], ["spiffe://x/db"], ["URI"]],
  );
  assert.deepEqual(
    deep(web, "tlsCertificateSdsSecretConfigs").flatMap((list) => (list as readonly JsonObject[]).map(({ name }) => name)),
    ["shop/own"],
  );
  assert.deepEqual(deep(json(resources, "Cluster db@v1.default:5432/tls"), "alpnProtocols"), []);
  const chains = json(resources, "Listener port/443")["filterChains"] as readonly JsonObject[];
  assert.deepEqual(
    chains.slice(2).map((chain) => deep(chain, "cluster").concat(deep(chain, "weightedClusters").flatMap((one) => deep(one, "name")))),
    [["db@v1.default:5432/tls"], ["db@v1.default:5432", "refused"]],
  );
});

test("pods of the mesh get their TLS inside of the mesh's own", () => {
  const resources = emitted(meshOf([pinnedPod("web-1", "a", "10.0.0.1")]), ports, { secured: [securedAt("web", 80)] });
  assertConsistent(resources);
  const [address] = deep(json(resources, "Cluster web@v1.default:80/https"), "serverListenerName");
  assert.equal(address, "web@v1.default:80/https");
  assert.deepEqual(deep(json(resources, `Listener ${address}`), "cluster"), ["web@v1.default:80"]);
  assert.deepEqual(deep(json(resources, "Cluster web@v1.default:80"), "exact"), [identityOf("web"), identityOf("web")]);
});

test("what nobody can say whom to trust for is not called; other destinations keep their shares", () => {
  const some = [{ to: { kind: "app" as const, namespace: defaultNamespace, name: "cart", port: 80 }, weight: 2_500 }];
  const [first = assert.fail()] = host("*", "web", 2_500).rules;
  assert.ok(first.action.kind === "forward");
  const rule = {
    ...first,
    action: { ...first.action, destinations: [...first.action.destinations.map((one) => ({ ...one, weight: 5_000 })), ...some], refused: 2_500 },
  };
  const resources = emitted(nobody, [{ kind: "http", port: 80, hosts: [{ domain: "*", rules: [rule] }] }], { secured: [securedAt("web", 80, "refused")] });
  assertConsistent(resources);
  assert.deepEqual(deep(json(resources, "RouteConfiguration http/80"), "cluster"), ["cart@v1.default:80", "cart@v1.default:80"]);
  assert.deepEqual(deep(json(resources, "RouteConfiguration http/80"), "numerator"), [7_500, 7_500]);
});

test("a version's own name counts before its app's", () => {
  const [own, other] = [
    { ...tls, serverName: "v1.example" },
    { ...tls, serverName: "app.example" },
  ];
  const resources = emitted(nobody, ports, { secured: [securedAt("web-v1", 80, own), securedAt("web", 80, other)] });
  assert.deepEqual(deep(json(resources, "Cluster web@v1.default:80/https"), "sni"), ["v1.example"]);
});

test("callers are asked for certificates of the roots that are said; where they need show none, whoever comes is taken", () => {
  const clients = (isRequired: boolean): readonly GatewayPort[] => {
    const server = { kind: "https", name: "all", domain: "*", certificates: [certificate], hosts: [], misdirected: [] } as const;
    return [{ kind: "tls", port: 443, servers: [{ ...server, clients: { roots: { name: "shop/ca", pem: "ROOTS" }, isRequired } }] }];
  };
  const said = (isRequired: boolean): readonly unknown[] => {
    const resources = emitted(nobody, clients(isRequired));
    assertConsistent(resources);
    assert.deepEqual(deep(json(resources, "Secret roots/shop/ca"), "inlineString"), ["ROOTS"]);
    const context = json(resources, "Listener port/443");
    return [...deep(context, "requireClientCertificate"), ...deep(context, "trustChainVerification")];
  };
  assert.deepEqual([said(true), said(false)], [[true], [false, "ACCEPT_UNTRUSTED"]]);
});

test("new roots change their secret alone", () => {
  const secured = (pem: string) => [securedAt("web", 80, { ...tls, roots: { name: "shop/ca", pem } })];
  const before = new Map(emitted(nobody, ports, { secured: secured("A") }).map((one) => [resourceKey(one), Buffer.from(one.body).toString("base64")]));
  const after = emitted(nobody, ports, { secured: secured("B") });
  assert.deepEqual(after.filter((one) => before.get(resourceKey(one)) !== Buffer.from(one.body).toString("base64")).map(resourceKey), ["Secret roots/shop/ca"]);
});

test("answers are tried again by their status where a rule says so, once for all methods", () => {
  const [first = assert.fail()] = host("*", "web").rules;
  assert.ok(first.action.kind === "forward");
  const retries = { attempts: 2, on: ["reset", "retriable-status-codes"], codes: [500, 503] };
  const resources = emitted(nobody, [{ kind: "http", port: 80, hosts: [{ domain: "*", rules: [{ ...first, action: { ...first.action, retries } }] }] }]);
  const policies = deep(json(resources, "RouteConfiguration http/80"), "retryPolicy") as readonly JsonObject[];
  assert.deepEqual(
    policies.map(({ retryOn, numRetries, retriableStatusCodes }) => [retryOn, numRetries, retriableStatusCodes]),
    [["reset,retriable-status-codes", 2, [500, 503]]],
  );
});

test("a renewed certificate changes its secret alone", () => {
  const renewed = ports.map((one) =>
    one.kind === "tls"
      ? {
          ...one,
          servers: one.servers.map((server) => (server.kind === "passthrough" ? server : { ...server, certificates: [{ ...certificate, chain: "NEW" }] })),
        }
      : one,
  );
  const before = new Map(emitted().map((one) => [resourceKey(one), Buffer.from(one.body).toString("base64")]));
  const changed = emitted(nobody, renewed).filter((one) => before.get(resourceKey(one)) !== Buffer.from(one.body).toString("base64"));
  assert.deepEqual(changed.map(resourceKey), ["Secret shop/cert"]);
});

test("what a plan says as before is the same object", () => {
  const gateway: Gateway = { namespace: defaultNamespace, name: "gw", identity: identityOf("gw-weir"), ports, secured: [] };
  const first = compileGateway(gateway, world, plan, nobody);
  const second = compileGateway(gateway, world, plan, nobody, first);
  assert.equal(second.ports, first.ports);
  assert.equal(second.backends, first.backends);
  const [a, b] = [emitClusterGateway(first), emitClusterGateway(second)];
  assert.ok(a.filter(({ typeUrl }) => !typeUrl.endsWith("Secret")).every((one, at) => one === b.filter(({ typeUrl }) => !typeUrl.endsWith("Secret"))[at]));
});
