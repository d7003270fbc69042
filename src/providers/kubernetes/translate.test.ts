import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, namespaceObject, nodeObject, podEndpoint, podObject, type Raw, serviceObject, sliceObject } from "../../../test/support/kube-objects.ts";
import { compileWorld } from "../../compile/compile.ts";
import { localGateway } from "../../compile/world-of-stack.ts";
import type { AppKey, VersionKey } from "../../model/names.ts";
import type { Endpoint, World } from "../../model/world.ts";
import type { ClusterView } from "./objects.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";

const translate = (raw: Raw): ClusterTranslation => translateCluster(clusterView(raw));
const http = [{ name: "http", port: 80, targetPort: 8080 }];

function endpointsOf(translation: ClusterTranslation, key = "shop/web@all"): readonly Endpoint[] {
  return translation.endpoints.get(key as VersionKey) ?? [];
}
/** `id` of those that get traffic. */
const serving = (translation: ClusterTranslation): string =>
  endpointsOf(translation)
    .filter(({ ready }) => ready)
    .map(({ id }) => id)
    .join(" ");

const web = (slices: readonly FakeObject[], ports: readonly Readonly<Record<string, unknown>>[] = http, spec = {}): ClusterTranslation =>
  translate({ services: [serviceObject("shop/web", ports, spec)], slices });

test("a Service is an app with one version, `all`, that has all the weight", () => {
  const { apps, addresses, headless, problems } = web([sliceObject("shop/web-1", [podEndpoint(1)], [{ name: "http", port: 8080 }])]);
  const app = apps.get("shop/web" as AppKey);
  assert.deepEqual([app?.namespace, app?.name, [...(app?.versions.keys() ?? [])], [...(app?.weights ?? [])]], ["shop", "web", ["all"], [["all", 10_000]]]);
  assert.deepEqual([...(app?.versions.values() ?? [])][0]?.ports, [{ port: 80, containerPort: 8080, protocol: "http" }]);
  assert.deepEqual([...addresses], [["shop/web", "10.96.0.7"]]);
  assert.deepEqual([headless.size, problems], [0, []]);
});

test("what comes out makes a World that compiles", () => {
  const { apps, endpoints, addresses } = web([sliceObject("shop/web-1", [podEndpoint(1)], [{ name: "http", port: 8080 }])]);
  const world: World = {
    revision: 1,
    apps,
    endpoints,
    addresses,
    routers: new Map(),
    serviceRoutes: new Map(),
    externals: new Map(),
    captures: [],
    gateway: localGateway,
  };
  const { plan, problems } = compileWorld(world);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    plan.hosts.map(({ name, address }) => [name, address]),
    [
      ["web", "10.96.0.7"],
      ["web-all", undefined],
    ],
  );
  assert.deepEqual(
    [...plan.endpoints].map(([id, all]) => [id, all.map(({ address }) => address)]),
    [["web@all.shop:80", ["10.1.0.1"]]],
  );
});

test("a port speaks what appProtocol says, else what its name begins with, else TCP: nothing is guessed", () => {
  const rows: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ appProtocol: "http" }, "http"],
    [{ appProtocol: "https" }, "tcp"],
    [{ appProtocol: "kubernetes.io/h2c" }, "http2"],
    [{ appProtocol: "kubernetes.io/ws" }, "http"],
    [{ appProtocol: "kubernetes.io/wss" }, "tcp"],
    [{ appProtocol: "grpc" }, "grpc"],
    [{ appProtocol: "GRPC" }, "grpc"],
    [{ appProtocol: "tcp", name: "http" }, "tcp"],
    [{ appProtocol: "redis", name: "http" }, "tcp"],
    [{ name: "http" }, "http"],
    [{ name: "http-metrics" }, "http"],
    [{ name: "http2-api" }, "http2"],
    [{ name: "grpc" }, "grpc"],
    [{ name: "grpc-web" }, "http"],
    [{ name: "https" }, "tcp"],
    [{ name: "tls-x" }, "tcp"],
    [{ name: "tcp-x" }, "tcp"],
    [{ name: "httpserver" }, "tcp"],
    [{ name: "web" }, "tcp"],
    [{}, "tcp"],
  ];
  for (const [port, expected] of rows) {
    const { apps } = web([], [{ port: 80, ...port }]);
    assert.equal([...(apps.get("shop/web" as AppKey)?.versions.values() ?? [])][0]?.ports[0]?.protocol, expected, JSON.stringify(port));
  }
});

test("UDP and SCTP ports are left out; SCTP is told", () => {
  const { apps, problems } = web(
    [],
    [
      { name: "dns", port: 53, protocol: "UDP" },
      { name: "dns-tcp", port: 53, protocol: "TCP" },
      { name: "sip", port: 5060, protocol: "SCTP" },
    ],
  );
  assert.deepEqual([...(apps.get("shop/web" as AppKey)?.versions.values() ?? [])][0]?.ports, [{ port: 53, containerPort: 53, protocol: "tcp" }]);
  assert.deepEqual(
    problems.map(({ code, message }) => [code, message]),
    [["kube-sctp", "Service shop/web: port 5060 is SCTP, which the mesh does not carry"]],
  );
  assert.equal(web([], [{ port: 53, protocol: "UDP" }]).apps.size, 0, "nothing is left of it");
});

test("what a Service asks for and does not get is told", () => {
  const { problems } = web([], http, { internalTrafficPolicy: "Local", sessionAffinity: "ClientIP" });
  assert.deepEqual(
    problems.map(({ code }) => code),
    ["kube-local-traffic", "kube-session-affinity"],
  );
});

test("headless Services have no virtual address; ExternalNames and Services that lead nowhere are no apps", () => {
  const headless = web([], http, { clusterIP: "None", clusterIPs: ["None"] });
  assert.deepEqual([[...headless.headless], headless.addresses.size, headless.apps.size], [["shop/web"], 0, 1]);
  assert.equal(
    web([], http, { type: "ExternalName", externalName: "example.com", selector: undefined, clusterIP: undefined, clusterIPs: undefined }).apps.size,
    0,
  );
  assert.equal(web([], http, { selector: undefined }).apps.size, 0);
});

test("a Service without a selector has the endpoints that somebody wrote for it", () => {
  const manual = sliceObject("shop/web-mine", [{ addresses: ["192.168.7.7"] }], [{ name: "http", port: 9000 }]);
  const [endpoint] = endpointsOf(web([manual], http, { selector: undefined }));
  assert.deepEqual(endpoint, { id: "192.168.7.7", address: "192.168.7.7", ready: true, ports: new Map([[80, 9000]]) });
});

test("an endpoint without conditions is ready; one that is not ready gets no traffic", () => {
  const slice = sliceObject("shop/web-1", [podEndpoint(1, {}), podEndpoint(2, { ready: false }), podEndpoint(3)], [{ name: "http", port: 8080 }]);
  assert.equal(serving(web([slice])), "pod-1 pod-3");
  assert.deepEqual(endpointsOf(web([slice]))[0], { id: "pod-1", address: "10.1.0.1", ready: true, node: "n1" });
});

test("an endpoint that ends gets no new traffic, unless none is ready and it still serves", () => {
  const ending = (number: number) => podEndpoint(number, { ready: false, serving: true, terminating: true });
  const silent = podEndpoint(3, { ready: false, serving: false, terminating: true });
  const starting = podEndpoint(4, { ready: false, serving: false, terminating: false });
  assert.equal(serving(web([sliceObject("shop/web-1", [podEndpoint(1), ending(2), silent])])), "pod-1");
  assert.equal(serving(web([sliceObject("shop/web-1", [ending(1)]), sliceObject("shop/web-2", [ending(2), silent, starting])])), "pod-1 pod-2");
  assert.equal(serving(web([sliceObject("shop/web-1", [silent, starting])])), "");
});

test("a pod whose node is not heard of gets no traffic, unless none is ready", () => {
  const pod = (name: string, ready: string, containersReady: string, spec = {}): FakeObject => {
    const conditions = [
      { type: "Ready", status: ready },
      { type: "ContainersReady", status: containersReady },
    ];
    return podObject(`shop/${name}`, { meta: { uid: name }, spec, status: { conditions } });
  };
  const unready = (number: number) => podEndpoint(number, { ready: false, serving: false, terminating: false });
  const of = (endpoints: readonly Readonly<Record<string, unknown>>[], pods: readonly FakeObject[]) =>
    serving(translate({ services: [serviceObject("shop/web", http)], slices: [sliceObject("shop/web-1", endpoints, [{ name: "http", port: 8080 }])], pods }));
  const unheard = pod("pod-1", "False", "True");
  assert.equal(of([unready(1), podEndpoint(2)], [unheard]), "pod-2");
  assert.equal(of([unready(1), unready(2)], [unheard, pod("pod-2", "False", "False")]), "pod-1", "its own check fails: it stays out");
  assert.equal(of([unready(1)], [pod("pod-1", "False", "True", { readinessGates: [{ conditionType: "x" }] })]), "", "a gate holds it back");
});

test("publishNotReadyAddresses comes as `ready` of its slices, also while a pod ends", () => {
  assert.equal(serving(web([sliceObject("shop/web-1", [podEndpoint(1, { ready: true, serving: false, terminating: true })])])), "pod-1");
});

test("several slices make one list; a pod in two of them is there once, and ready if one says so", () => {
  const one = sliceObject("shop/web-1", [podEndpoint(2, { ready: false }), podEndpoint(1)], [{ name: "http", port: 8080 }]);
  const two = sliceObject("shop/web-2", [podEndpoint(2), podEndpoint(3)], [{ name: "http", port: 8080 }]);
  assert.equal(serving(web([one, two])), "pod-1 pod-2 pod-3");
  assert.deepEqual(endpointsOf(web([one, two])), endpointsOf(web([two, one])));
});

test("slices of other families and of no Service are not used; a Service with such only is told", () => {
  const six = sliceObject("shop/web-6", [{ addresses: ["fd00::1"] }], [{ name: "http", port: 8080 }], { addressType: "IPv6" });
  const four = sliceObject("shop/web-4", [podEndpoint(1)], [{ name: "http", port: 8080 }]);
  assert.deepEqual([serving(web([four, six])), web([four, six]).problems], ["pod-1", []]);
  const only = web([six], http, { clusterIP: "fd00::7", clusterIPs: ["fd00::7"] });
  assert.deepEqual([serving(only), only.addresses.size, only.problems.map(({ code }) => code)], ["", 0, ["kube-no-ipv4"]]);
  assert.equal(serving(web([{ ...four, metadata: { name: "x", namespace: "shop" } }])), "");
});

test("a port meant by name has another number in another pod, and none in a pod that does not have it", () => {
  const ports = [
    { name: "http", port: 80, targetPort: "web" },
    { name: "grpc", port: 7070, targetPort: 7070 },
  ];
  const old = sliceObject(
    "shop/web-old",
    [podEndpoint(1)],
    [
      { name: "http", port: 8080 },
      { name: "grpc", port: 7070 },
    ],
  );
  const young = sliceObject(
    "shop/web-new",
    [podEndpoint(2)],
    [
      { name: "http", port: 9090 },
      { name: "grpc", port: 7070 },
    ],
  );
  const partial = sliceObject("shop/web-part", [podEndpoint(3)], [{ name: "grpc", port: 7070 }]);
  const same = sliceObject(
    "shop/web-same",
    [podEndpoint(4)],
    [
      { name: "http", port: 80 },
      { name: "grpc", port: 7070 },
    ],
  );
  assert.deepEqual(
    endpointsOf(web([old, young, partial, same], ports)).map(({ id, ports: own }) => [id, own === undefined ? undefined : Object.fromEntries(own)]),
    [
      ["pod-1", { 80: 8080, 7070: 7070 }],
      ["pod-2", { 80: 9090, 7070: 7070 }],
      ["pod-3", { 7070: 7070 }],
      ["pod-4", undefined],
    ],
  );
});

test("one address that listens twice for the same port is two endpoints; with different ports it is one", () => {
  const here = (port: number, name = "http") => sliceObject(`shop/web-${port}`, [{ addresses: ["192.168.7.7"] }], [{ name, port }]);
  const two = endpointsOf(web([here(7000), here(7001)], http, { selector: undefined }));
  assert.deepEqual(
    two.map(({ id, address, ports }) => [id, address, ports?.get(80)]),
    [
      ["192.168.7.7", "192.168.7.7", 7000],
      ["192.168.7.7:7001", "192.168.7.7", 7001],
    ],
  );
  const both = [...http, { name: "grpc", port: 7070 }];
  const one = endpointsOf(web([here(7000), here(7001, "grpc")], both, { selector: undefined }));
  assert.deepEqual(
    one.map(({ ports }) => Object.fromEntries(ports ?? [])),
    [{ 80: 7000, 7070: 7001 }],
  );
});

/** A cluster that a test changes a little. */
function smallCluster(): ClusterView {
  return clusterView({
    namespaces: [namespaceObject("shop", { labels: { "weir.dev/mesh": "on", "weir.dev/mtls": "perhaps" } })],
    nodes: [nodeObject("n1")],
    pods: [podObject("shop/a"), podObject("shop/b"), podObject("other/c")],
    services: [
      serviceObject("shop/web", http),
      serviceObject("shop/db", [
        { port: 5432, protocol: "SCTP" },
        { name: "x", port: 1 },
      ]),
    ],
    slices: [sliceObject("shop/web-1", [podEndpoint(1)]), sliceObject("shop/db-1", [podEndpoint(2)])],
  });
}

test("the same again is the identical translation; a change shares all that did not change", () => {
  const view = smallCluster();
  const before = translateCluster(view);
  assert.equal(translateCluster({ ...view, connected: false, reason: "gone" }, before), before);
  assert.equal(
    translateCluster({ ...view, pods: new Map(view.pods), services: new Map(view.services), endpointSlices: new Map(view.endpointSlices) }, before),
    before,
  );
  const changed = clusterView({ slices: [sliceObject("shop/db-1", [podEndpoint(2), podEndpoint(3)])] }).endpointSlices;
  const moved = { ...view, endpointSlices: new Map([...view.endpointSlices, ...changed]) };
  const after = translateCluster(moved, before);
  for (const part of ["apps", "addresses", "headless", "meshPods", "problems"] as const) assert.equal(after[part], before[part], part);
  assert.equal(endpointsOf(after), endpointsOf(before));
  assert.equal(endpointsOf(after, "shop/db@all").length, 2);
  const pods = translateCluster({ ...moved, pods: new Map([...view.pods, ...clusterView({ pods: [podObject("shop/d")] }).pods]) }, after);
  for (const part of ["apps", "endpoints", "addresses", "problems"] as const) assert.equal(pods[part], after[part], part);
  assert.equal(pods.meshPods.get("uid-shop/a"), before.meshPods.get("uid-shop/a"));
  assert.equal(pods.meshPods.size, before.meshPods.size + 1);
});

test("the order in which objects came does not matter, not even to the order of what comes out", () => {
  const listed = {
    pods: ["a", "b", "c", "d"].map((name) => podObject(`shop/${name}`, { meta: { labels: { "weir.dev/mesh": name === "d" ? "maybe" : "on" } } })),
  };
  const services = ["web", "db", "api"].map((name) => serviceObject(`shop/${name}`, [{ port: 80 }, { name: "s", port: 81, protocol: "SCTP" }]));
  const slices = ["web-1", "web-2", "db-1", "api-1"].map((name, index) => sliceObject(`shop/${name}`, [podEndpoint(index), podEndpoint(index + 1)]));
  const sorted = JSON.stringify(plain(translate({ ...listed, services, slices })));
  const shuffled = fc.tuple(...[listed.pods, services, slices].map((all) => fc.shuffledSubarray([...all], { minLength: all.length })));
  fc.assert(
    fc.property(shuffled, ([pods = [], services = [], slices = []]) => {
      assert.equal(JSON.stringify(plain(translate({ pods, services, slices }))), sorted);
    }),
  );
});

/** Maps as lists, so that their order counts. */
function plain(value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)])) : value;
}
