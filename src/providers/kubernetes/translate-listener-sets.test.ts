/** ListenerSets: which a Gateway takes, what answers at their listeners, who has what two want, and what statuses say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, namespaceObject, type Raw, serviceObject } from "../../../test/support/kube-objects.ts";
import { selfSigned } from "../../../test/support/openssl.ts";
import { readService } from "./read-objects.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";
import { gatewayStatus, type ObjectStatus, type ProxyState } from "./translate-gateway-status.ts";
import { refusedSetStatus, setStatus } from "./translate-listener-sets.ts";

type Fields = Readonly<Record<string, unknown>>;

const group = "gateway.networking.k8s.io";
const gatewayClasses: FakeObject[] = [{ metadata: { name: "weir", generation: 1 }, spec: { controllerName: "weir.dev/gateway" } }];
const services = [serviceObject("shop/web", [{ name: "http", port: 80, targetPort: 8080 }])];
const namespaces = [namespaceObject("shop"), namespaceObject("far", { labels: { team: "far" } })];
const http = (name: string, more: Fields = {}): Fields => ({ name, port: 80, protocol: "HTTP", hostname: `${name}.example`, ...more });

function gateway(allowedListeners?: Fields, listeners: readonly Fields[] = [http("own")]): FakeObject {
  const spec = { gatewayClassName: "weir", listeners, ...(allowedListeners === undefined ? {} : { allowedListeners: { namespaces: allowedListeners } }) };
  return { metadata: { namespace: "shop", name: "gw", uid: "u1", generation: 4 }, spec };
}

function set(place: string, listeners: readonly Fields[], meta: Fields = {}): FakeObject {
  const [namespace = "", name = ""] = place.split("/");
  return {
    metadata: { namespace, name, uid: place, generation: 2, creationTimestamp: "2026-01-01T00:00:00Z", ...meta },
    spec: { parentRef: { name: "gw", namespace: "shop" }, listeners },
  };
}

function route(name: string, parent: Fields, namespace = "shop"): FakeObject {
  const rules = [{ backendRefs: [{ name: "web", namespace: "shop", port: 80 }] }];
  return { metadata: { namespace, name, generation: 2 }, spec: { parentRefs: [{ group, kind: "ListenerSet", name: "more", ...parent }], rules } };
}

function translate(gateways: readonly FakeObject[], listenerSets: readonly FakeObject[], raw: Raw = {}): ClusterTranslation {
  return translateCluster(clusterView({ services, namespaces, gatewayClasses, gateways, listenerSets, ...raw }));
}

/** All statuses of the only Gateway and its sets. */
function statuses({ gateways: [found] }: ClusterTranslation, proxies: ProxyState = { kind: "working" }): readonly ObjectStatus[] {
  assert.ok(found !== undefined);
  const service = readService(serviceObject("shop/gw-weir", [{ port: 80 }]));
  const { taken, refused } = found.sets;
  return [
    gatewayStatus(found, service, proxies),
    ...taken.map((one) => setStatus(one, found, service, proxies)),
    ...refused.map((one) => refusedSetStatus(one, found.gateway)),
  ];
}

/** `ListenerSet more: True Accepted, True Programmed | a Accepted Programmed 1` */
function told(all: readonly ObjectStatus[]): readonly string[] {
  return all.map(({ kind, name, status }) => {
    const conditions = status.conditions.slice(0, 2).map(({ status: is, reason }) => `${is} ${reason}`);
    const listeners = (status.listeners ?? []).map((one) => {
      const reason = (type: string) => one.conditions.find((condition) => condition.type === type)?.reason;
      return `${one.name} ${reason("Accepted")} ${reason("Programmed")} ${reason("ResolvedRefs")} ${one.attachedRoutes}`;
    });
    return [
      `${kind} ${name}: ${conditions.join(", ")}`,
      ...listeners,
      ...(status.attachedListenerSets === undefined ? [] : [`${status.attachedListenerSets} sets`]),
    ].join(" | ");
  });
}

/** `own.example: 0 rules` */
function hosts({ gateways: [found] }: ClusterTranslation): readonly string[] {
  return (found?.ports ?? []).flatMap((port) => (port.kind === "http" ? port.hosts.map(({ domain, rules }) => `${port.port} ${domain}: ${rules.length}`) : []));
}

test("a Gateway takes the sets that it allows, by default none", () => {
  const two = [set("shop/more", [http("a")]), set("far/other", [http("b")])];
  const taken = (from?: Fields): readonly string[] => told(statuses(translate([gateway(from)], two))).map((line) => line.split(" | ")[0] ?? "");
  const yes = (name: string): string => `ListenerSet ${name}: True Accepted, True Programmed`;
  const no = (name: string): string => `ListenerSet ${name}: False NotAllowed, False NotAllowed`;
  const own = "Gateway gw: True Accepted, True Programmed";
  assert.deepEqual(taken(), [own, no("other"), no("more")]);
  assert.deepEqual(taken({ from: "None" }), [own, no("other"), no("more")]);
  assert.deepEqual(taken({ from: "Same" }), [own, yes("more"), no("other")]);
  assert.deepEqual(taken({ from: "Selector", selector: { matchLabels: { team: "far" } } }), [own, yes("other"), no("more")]);
  assert.deepEqual(taken({ from: "All" }), [own, yes("other"), yes("more")]);
});

test("a route is at the listeners of the parent that it names, and of no other", () => {
  const translation = translate([gateway({ from: "All" })], [set("shop/more", [http("own", { hostname: "a.example" }), http("b", { port: 81 })])], {
    httpRoutes: [
      route("both", {}),
      route("one", { sectionName: "own" }),
      route("gone", { sectionName: "gone" }),
      route("gateway", { kind: "Gateway", name: "gw" }),
      route("far", { namespace: "shop" }, "far"),
    ],
  });
  assert.deepEqual(hosts(translation), ["80 own.example: 1", "80 a.example: 2", "81 b.example: 1"]);
  assert.deepEqual(told(statuses(translation)), [
    "Gateway gw: True Accepted, True Programmed | own Accepted Programmed ResolvedRefs 1 | 1 sets",
    "ListenerSet more: True Accepted, True Programmed | own Accepted Programmed ResolvedRefs 2 | b Accepted Programmed ResolvedRefs 1",
  ]);
  const reasons = Object.fromEntries(
    translation.routeStatuses.map(({ name, parents }) => [name, parents.map(({ conditions: [first] }) => first?.reason).join()]),
  );
  assert.deepEqual(reasons, { both: "Accepted", one: "Accepted", gone: "NoMatchingParent", gateway: "Accepted", far: "NotAllowedByListeners" });
  assert.deepEqual(translation.routeStatuses.find(({ name }) => name === "both")?.parents[0]?.parentRef, { group, kind: "ListenerSet", name: "more" });
});

test("a route whose set is not allowed has no parent", () => {
  const [status] = translate([gateway()], [set("shop/more", [http("a")])], { httpRoutes: [route("r", {})] }).routeStatuses;
  assert.equal(status?.parents[0]?.conditions[0]?.reason, "NoMatchingParent");
});

test("of two that cannot be told apart the Gateway's own has it, then the older set's", () => {
  const young = { creationTimestamp: "2026-01-02T00:00:00Z" };
  const translation = translate(
    [gateway({ from: "All" })],
    [
      set("shop/a-young", [http("late", { hostname: "shared.example" })], young),
      set("shop/old", [http("mine"), http("first", { hostname: "shared.example" }), http("stolen", { hostname: "own.example" })]),
      set("shop/other", [{ name: "tls", port: 80, protocol: "HTTPS", tls: {} }]),
    ],
  );
  assert.deepEqual(told(statuses(translation)), [
    "Gateway gw: True Accepted, True Programmed | own Accepted Programmed ResolvedRefs 0 | 1 sets",
    "ListenerSet old: True ListenersNotValid, True Programmed | mine Accepted Programmed ResolvedRefs 0 | first Accepted Programmed ResolvedRefs 0 | stolen HostnameConflict HostnameConflict ResolvedRefs 0",
    "ListenerSet other: False ListenersNotValid, False ListenersNotValid | tls ProtocolConflict ProtocolConflict InvalidCertificateRef 0",
    "ListenerSet a-young: False ListenersNotValid, False ListenersNotValid | late HostnameConflict HostnameConflict ResolvedRefs 0",
  ]);
  assert.deepEqual(hosts(translation), ["80 own.example: 0", "80 mine.example: 0", "80 shared.example: 0"]);
});

test("certificates of other namespaces need a grant for ListenerSets: the Gateway's is not theirs", () => {
  const pair = selfSigned("web.example");
  const data = { "tls.crt": Buffer.from(pair.certificate).toString("base64"), "tls.key": Buffer.from(pair.key).toString("base64") };
  const tlsSecrets = [{ metadata: { namespace: "far", name: "cert" }, data }];
  const more = set("shop/more", [{ name: "tls", port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "cert", namespace: "far" }] } }]);
  const grantTo = (kind: string): FakeObject => ({
    metadata: { namespace: "far", name: "g" },
    spec: { from: [{ group, kind, namespace: "shop" }], to: [{ group: "", kind: "Secret" }] },
  });
  const at = (kind: string): string | undefined => told(statuses(translate([gateway({ from: "Same" })], [more], { tlsSecrets, grants: [grantTo(kind)] })))[1];
  assert.equal(at("Gateway"), "ListenerSet more: False ListenersNotValid, False ListenersNotValid | tls Accepted Invalid RefNotPermitted 0");
  assert.equal(at("ListenerSet"), "ListenerSet more: True Accepted, True Programmed | tls Accepted Programmed ResolvedRefs 0");
});

test("what Envoy does not have yet is not programmed; a Gateway that is not accepted has no sets", () => {
  const more = [set("shop/more", [http("a")])];
  assert.match(told(statuses(translate([gateway({ from: "Same" })], more), { kind: "waiting" }))[1] ?? "", /: True Accepted, False Pending/);
  const bad = translate([gateway({ from: "Same" }, [{ name: "odd", port: 53, protocol: "UDP" }])], more);
  assert.deepEqual(
    told(statuses(bad)).map((line) => line.split(" | ")[0]),
    ["Gateway gw: False ListenersNotValid, False Invalid", "ListenerSet more: False ParentNotAccepted, False ParentNotAccepted"],
  );
  assert.deepEqual(hosts(bad), []);
});
