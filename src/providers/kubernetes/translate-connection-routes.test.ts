/** TCPRoutes and TLSRoutes on Services: which ports, which route has them, which share, whose callers, and what the status says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, serviceObject } from "../../../test/support/kube-objects.ts";
import type { GatewayTarget } from "../../model/gateway.ts";
import type { AppKey } from "../../model/names.ts";
import type { ServiceRoute } from "../../model/service-route.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";

type Fields = Readonly<Record<string, unknown>>;

const tcp = [{ name: "db", port: 5432 }];
const services = [
  serviceObject("shop/db", [
    { name: "http", port: 80 },
    { name: "pg", port: 5432 },
    { name: "tls", port: 443, appProtocol: "https" },
    { name: "udp", port: 53, protocol: "UDP" },
  ]),
  serviceObject("shop/web", [{ name: "http", port: 80 }]),
  serviceObject("shop/v1", tcp),
  serviceObject("shop/v2", tcp),
  serviceObject("far/v3", tcp),
  serviceObject("shop/headless", tcp, { clusterIP: "None", clusterIPs: ["None"] }),
];

interface Said {
  readonly parents?: readonly Fields[];
  readonly hostnames?: readonly string[];
  readonly created?: string;
}

const db = { group: "", kind: "Service", name: "db" };
const to = (name: string, more: Fields = {}): Fields => ({ name, port: 5432, ...more });

function route(place: string, backendRefs: readonly Fields[], { parents = [{ ...db, port: 5432 }], hostnames, created = "2026-01-01" }: Said = {}): FakeObject {
  const [namespace = "", name = ""] = place.split("/");
  const spec = { parentRefs: parents, rules: [{ backendRefs }], ...(hostnames === undefined ? {} : { hostnames }) };
  return { metadata: { namespace, name, generation: 3, creationTimestamp: `${created}T00:00:00Z` }, spec };
}

const translate = (view: Parameters<typeof clusterView>[0]): ClusterTranslation => translateCluster(clusterView({ services, ...view }));

function target({ destinations, refused }: GatewayTarget): string {
  const shares = destinations.map(({ to: { namespace, name, port }, weight }) => `${name}.${namespace}:${port} ${weight}`);
  return [...shares, ...(refused === 0 ? [] : [`refused ${refused}`])].join(", ");
}

/** `5432: v1.shop:5432 9000, refused 1000`, and `443 far: a.example > v1…` of TLS for the callers of `far`. */
function told(translation: ClusterTranslation, service = "shop/db"): readonly string[] {
  const rules = (one: ServiceRoute): string => {
    if (one.kind === "http") return "requests";
    return one.kind === "tcp" ? target(one.target) : one.servers.map((server) => `${server.domain} > ${target(server.target)}`).join("; ");
  };
  const all = translation.serviceRoutes.get(service as AppKey) ?? [];
  return all.map((one) => `${one.port}${one.callers === undefined ? "" : ` ${one.callers}`}: ${rules(one)}`);
}

/** `NAME Accepted, ResolvedRefs` or the reasons why not, for each parent. */
function said(translation: ClusterTranslation): readonly string[] {
  return translation.routeStatuses.flatMap(({ name, parents }) =>
    parents.map(({ controller, conditions }) => {
      assert.equal(controller, "weir.dev/mesh");
      return `${name} ${conditions.map(({ reason }) => reason).join(", ")}`;
    }),
  );
}

test("connections go by weight; what leads to nothing, or may not be named, is refused by its share", () => {
  const backends = [to("v1", { weight: 7 }), to("gone", { weight: 1 }), to("v3", { namespace: "far", weight: 1 }), to("v2", { port: 1, weight: 1 })];
  const translation = translate({ tcpRoutes: [route("shop/r", backends)] });
  assert.deepEqual(told(translation), ["5432: v1.shop:5432 7000, refused 3000"]);
  assert.deepEqual(said(translation), ["r Accepted, BackendNotFound"]);
  assert.equal(translation.routeStatuses[0]?.kind, "TCPRoute");
  const grant = {
    metadata: { namespace: "far", name: "g" },
    spec: { from: [{ group: "gateway.networking.k8s.io", kind: "TCPRoute", namespace: "shop" }], to: [{ group: "", kind: "Service" }] },
  };
  const far = [route("shop/r", [to("v3", { namespace: "far" })])];
  assert.deepEqual(told(translate({ tcpRoutes: far })), ["5432: refused 10000"]);
  assert.deepEqual(said(translate({ tcpRoutes: far })), ["r Accepted, RefNotPermitted"]);
  const granted = translate({ tcpRoutes: far, grants: [grant] });
  assert.deepEqual([told(granted), said(granted)], [["5432: v3.far:5432 10000"], ["r Accepted, ResolvedRefs"]]);
  const none = translate({ tcpRoutes: [route("shop/r", [to("v1", { weight: 0 })])] });
  assert.deepEqual(told(none), ["5432: refused 10000"]);
});

test("ports: the one that is named, whatever it says that it speaks; without a name all that do not speak HTTP", () => {
  const at = (parent: Fields): ClusterTranslation => translate({ tcpRoutes: [route("shop/r", [to("v1")], { parents: [parent] })] });
  const all = "v1.shop:5432 10000";
  assert.deepEqual(told(at(db)), [`5432: ${all}`, `443: ${all}`]);
  assert.deepEqual(told(at({ ...db, sectionName: "tls" })), [`443: ${all}`]);
  assert.deepEqual(told(at({ ...db, port: 80 })), [`80: ${all}`]);
  assert.deepEqual(told(at({ ...db, port: 80, sectionName: "tls" })), []);
  for (const parent of [
    { ...db, port: 53 },
    { ...db, port: 1 },
    { ...db, name: "web" },
    { ...db, name: "headless" },
    { ...db, name: "none" },
  ])
    assert.deepEqual(said(at(parent)), ["r NoMatchingParent, ResolvedRefs"]);
  assert.match(at({ ...db, name: "web" }).routeStatuses[0]?.parents[0]?.conditions[0]?.message ?? "", /name the one that is meant/);
});

test("the oldest TCPRoute has a port, the others are in conflict, unless another port of theirs is free", () => {
  const tcpRoutes = [
    route("shop/late", [to("v2")], { created: "2026-01-02" }),
    route("shop/first", [to("v1")]),
    route("shop/wide", [to("v2")], { created: "2026-01-03", parents: [db] }),
  ];
  const translation = translate({ tcpRoutes });
  assert.deepEqual(told(translation), ["5432: v1.shop:5432 10000", "443: v2.shop:5432 10000"]);
  assert.deepEqual(said(translation), ["first Accepted, ResolvedRefs", "late Conflicted, ResolvedRefs", "wide Accepted, ResolvedRefs"]);
  const conflict = translation.routeStatuses[1]?.parents[0]?.conditions[0]?.message;
  assert.equal(conflict, "the older TCPRoute shop/first has the port");
});

test("TLS goes by its server name; the oldest route that names it has it", () => {
  const tlsRoutes = [
    route("shop/one", [to("v1", { weight: 3 }), to("v2", { weight: 1 })], { hostnames: ["a.example", "*.Example"] }),
    route("shop/two", [to("v2")], { hostnames: ["b.example", "a.example"], created: "2026-01-02" }),
    route("shop/three", [to("v2")], { hostnames: ["b.example"], created: "2026-01-03" }),
  ];
  const translation = translate({ tlsRoutes });
  const both = "v1.shop:5432 7500, v2.shop:5432 2500";
  assert.deepEqual(told(translation), [`5432: *.example > ${both}; a.example > ${both}; b.example > v2.shop:5432 10000`]);
  assert.deepEqual(said(translation), ["one Accepted, ResolvedRefs", "three Conflicted, ResolvedRefs", "two Accepted, ResolvedRefs"]);
  assert.deepEqual(told(translate({ tlsRoutes: [route("shop/any", [to("v1")])] })), ["5432: * > v1.shop:5432 10000"]);
});

test("the more special kind has a port: gRPC, HTTP, TLS, TCP", () => {
  const parents = [{ ...db, port: 5432 }];
  const tcpRoutes = [route("shop/tcp", [to("v1")], { parents: [...parents, { ...db, sectionName: "tls" }] })];
  const tlsRoutes = [route("shop/tls", [to("v1")], { parents, hostnames: ["a.example"], created: "2026-01-02" })];
  const httpRoutes = [route("shop/web", [to("v1")], { parents, created: "2026-01-03" })];
  const withTls = translate({ tcpRoutes, tlsRoutes });
  assert.deepEqual(told(withTls), ["5432: a.example > v1.shop:5432 10000", "443: v1.shop:5432 10000"]);
  assert.deepEqual(said(withTls), ["tcp Conflicted, ResolvedRefs", "tcp Accepted, ResolvedRefs", "tls Accepted, ResolvedRefs"]);
  const withHttp = translate({ tcpRoutes, tlsRoutes, httpRoutes });
  assert.deepEqual(told(withHttp), ["5432: requests", "443: v1.shop:5432 10000"]);
  assert.deepEqual(said(withHttp), [
    "tcp Conflicted, ResolvedRefs",
    "tcp Accepted, ResolvedRefs",
    "tls Conflicted, ResolvedRefs",
    "web Accepted, ResolvedRefs",
  ]);
});

test("a route of another namespace than the Service's is for its own callers alone, and in conflict with nobody else's", () => {
  const parents = [{ ...db, namespace: "shop", port: 5432 }];
  const tcpRoutes = [route("shop/own", [to("v1")]), route("far/theirs", [to("v3"), to("v2", { namespace: "shop" })], { parents })];
  const translation = translate({ tcpRoutes });
  assert.deepEqual(told(translation), ["5432 far: v3.far:5432 5000, v2.shop:5432 5000", "5432: v1.shop:5432 10000"]);
  assert.deepEqual(said(translation), ["theirs Accepted, ResolvedRefs", "own Accepted, ResolvedRefs"]);
});

test("one route in front of a Service and of a Gateway that is not ours says only what is ours", () => {
  const parents = [{ ...db, port: 5432 }, { name: "gw" }];
  assert.deepEqual(said(translate({ tcpRoutes: [route("shop/r", [to("v1")], { parents })] })), ["r Accepted, ResolvedRefs"]);
});
