/** Gateways: which listeners are served, which routes are at them, what answers on which port, and what statuses say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, namespaceObject, type Raw, serviceObject } from "../../../test/support/kube-objects.ts";
import { selfSigned } from "../../../test/support/openssl.ts";
import type { GatewayHost, GatewayPort } from "../../model/gateway.ts";
import { readService } from "./read-objects.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";
import { gatewayStatus, type ObjectStatus, type ProxyState } from "./translate-gateway-status.ts";
import type { TranslatedGateway } from "./translate-gateways.ts";

type Fields = Readonly<Record<string, unknown>>;

const group = "gateway.networking.k8s.io";
const classes: FakeObject[] = [
  { metadata: { name: "weir", generation: 1 }, spec: { controllerName: "weir.dev/gateway" } },
  { metadata: { name: "other", generation: 1 }, spec: { controllerName: "example.com/other" } },
];
const ports = [{ name: "http", port: 80, targetPort: 8080 }];
const services = [serviceObject("shop/v1", ports), serviceObject("shop/v2", ports), serviceObject("far/api", ports)];
const namespaces = [namespaceObject("shop"), namespaceObject("far", { labels: { team: "far" } })];

function gateway(listeners: readonly Fields[], spec: Fields = {}, meta: Fields = {}): FakeObject {
  return {
    metadata: { namespace: "shop", name: "gw", uid: "u1", generation: 4, creationTimestamp: "2026-01-01T00:00:00Z", ...meta },
    spec: { gatewayClassName: "weir", listeners, ...spec },
  };
}

const http = (more: Fields = {}): Fields => ({ name: "http", port: 80, protocol: "HTTP", ...more });
const https = (more: Fields = {}): Fields => ({ name: "https", port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "cert" }] }, ...more });

let age = 0;
function route(name: string, spec: Fields = {}, namespace = "shop"): FakeObject {
  age += 1;
  const creationTimestamp = `2026-01-01T00:00:${String(age % 60).padStart(2, "0")}Z`;
  return {
    metadata: { namespace, name, generation: 2, creationTimestamp },
    spec: { parentRefs: [{ name: "gw", namespace: "shop" }], rules: [{ backendRefs: [to(name)] }], ...spec },
  };
}

const to = (name: string, more: Fields = {}): Fields => ({ name, port: 80, ...more });

function translate(gateways: readonly FakeObject[], raw: Raw = {}): ClusterTranslation {
  return translateCluster(clusterView({ services, namespaces, gatewayClasses: classes, gateways, ...raw }));
}

function only(translation: ClusterTranslation): TranslatedGateway {
  const [first] = translation.gateways;
  assert.ok(first !== undefined && translation.gateways.length === 1);
  return first;
}

/** `80 web.example: v1 | v2` */
function told(found: readonly GatewayPort[]): readonly string[] {
  const hosts = (all: readonly GatewayHost[]): readonly string[] =>
    all.map(({ domain, rules }) => {
      const names = rules.map(({ action }) =>
        action.kind === "redirect"
          ? `redirect ${action.redirect.port ?? ""}`.trim()
          : action.destinations.map(({ to: { name } }) => name).join(",") || "refused",
      );
      return `${domain}: ${names.join(" | ")}`.trim();
    });
  return found.flatMap((port) => {
    const own = (list: readonly string[]): readonly string[] => list.map((line) => `${port.port} ${line}`);
    if (port.kind === "http") return own(hosts(port.hosts));
    if (port.kind === "tcp") return own([`tcp: ${port.target.destinations.map(({ to: { name } }) => name).join()}`]);
    return own(
      port.servers.flatMap((server) =>
        server.kind === "https"
          ? hosts(server.hosts).map((host) => `${server.domain} ${host}`)
          : [`${server.kind} ${server.domain}: ${server.target.destinations.map(({ to: { name } }) => name).join()}`],
      ),
    );
  });
}

/** `Accepted` or the reason why not, for each parent. */
function said({ routeStatuses }: ClusterTranslation): Readonly<Record<string, string>> {
  const reason = ({ status, type, reason: why }: { status: string; type: string; reason: string }): string => (status === "True" ? type : why);
  return Object.fromEntries(routeStatuses.map(({ name, parents }) => [name, parents.map(({ conditions }) => conditions.map(reason).join("+")).join()]));
}

function statusOf(found: TranslatedGateway, proxies: ProxyState = { kind: "working" }, ingress: readonly Fields[] = []): ObjectStatus {
  const service = readService({ ...serviceObject("shop/gw-weir", ports), status: { loadBalancer: { ingress } } });
  return gatewayStatus(found, service, proxies);
}

/** `http: Accepted NoConflicts Programmed ResolvedRefs, 1 route` */
function listeners({ status }: ObjectStatus): readonly string[] {
  return (status.listeners ?? []).map(
    ({ name, conditions, attachedRoutes }) => `${name}: ${conditions.map(({ reason }) => reason).join(" ")}, ${attachedRoutes}`,
  );
}

/** A pair that fits, made once. */
const made = selfSigned("web.example");
const pair = { crt: Buffer.from(made.certificate).toString("base64"), key: Buffer.from(made.key).toString("base64") };

function secret(place: string, data: Fields = { "tls.crt": pair.crt, "tls.key": pair.key }): FakeObject {
  const [namespace = "", name = ""] = place.split("/");
  return { metadata: { namespace, name }, data };
}

test("only Gateways of our classes are ours", () => {
  const translation = translate([gateway([http()]), gateway([http()], { gatewayClassName: "other" }, { name: "foreign" })], { httpRoutes: [route("v1")] });
  assert.equal(only(translation).gateway.name, "gw");
  assert.deepEqual(
    translation.classStatuses.map(({ name, status }) => [name, status.conditions[0]?.reason]),
    [["weir", "Accepted"]],
  );
  assert.deepEqual(said(translation), { v1: "Accepted+ResolvedRefs" });
});

test("hosts are what listener and route have in common; a request is answered by the most special listener alone", () => {
  const all = [http(), http({ name: "wild", hostname: "*.example" }), http({ name: "web", hostname: "web.example" })];
  const at = (sectionName: string): Fields => ({ parentRefs: [{ name: "gw", sectionName }] });
  const translation = translate([gateway(all)], {
    httpRoutes: [
      route("v1", { ...at("http"), hostnames: ["web.example", "other.test"] }),
      route("v2", { ...at("wild") }),
      route("v3", { ...at("web"), hostnames: ["no.example"] }),
    ],
  });
  assert.deepEqual(told(only(translation).ports), ["80 *:", "80 other.test: v1", "80 *.example: v2", "80 web.example:"]);
  assert.deepEqual(said(translation), { v1: "Accepted+ResolvedRefs", v2: "Accepted+ResolvedRefs", v3: "NoMatchingListenerHostname+ResolvedRefs" });
});

test("rules of the more exact hostname come first, then as their matches say, then the older route's", () => {
  const onPath = (value: string): Fields => ({ rules: [{ matches: [{ path: { type: "PathPrefix", value } }], backendRefs: [to("v1")] }] });
  const translation = translate([gateway([http()])], {
    httpRoutes: [
      route("v2", { hostnames: ["*.example"], rules: [{ matches: [{ path: { type: "Exact", value: "/exact" } }], backendRefs: [to("v2")] }] }),
      route("v1", { hostnames: ["web.example"], ...onPath("/") }),
    ],
  });
  assert.deepEqual(told(only(translation).ports), ["80 *:", "80 *.example: v2", "80 web.example: v1 | v2"]);
});

test("namespaces, kinds, sections and ports decide who may attach", () => {
  const selector = { from: "Selector", selector: { matchExpressions: [{ key: "team", operator: "In", values: ["far"] }] } };
  const all = [http({ allowedRoutes: { namespaces: selector, kinds: [{ kind: "GRPCRoute" }] } }), http({ name: "two", port: 81 })];
  const from = (parent: Fields, namespace: string): FakeObject => route(`r${age}`, { parentRefs: [{ name: "gw", namespace: "shop", ...parent }] }, namespace);
  const parents: readonly (readonly [Fields, string, string])[] = [
    [{ sectionName: "gone" }, "shop", "NoMatchingParent"],
    [{ sectionName: "two", port: 80 }, "shop", "NoMatchingParent"],
    [{ sectionName: "http" }, "far", "NotAllowedByListeners"],
    [{ sectionName: "two" }, "far", "NotAllowedByListeners"],
    [{ port: 81 }, "shop", "Accepted"],
  ];
  for (const [parent, namespace, expected] of parents) {
    const translation = translate([gateway(all)], { httpRoutes: [from(parent, namespace)] });
    assert.match(Object.values(said(translation)).join(), new RegExp(`^${expected}\\+`), JSON.stringify(parent));
  }
  const grpc = translate([gateway(all)], { grpcRoutes: [from({ sectionName: "http" }, "far")] });
  assert.match(Object.values(said(grpc)).join(), /^Accepted\+/);
});

test("backends of other namespaces need a grant, also the Gateway's; what may not be gone to is refused", () => {
  const inFar = (more: Raw): ClusterTranslation => {
    const open = gateway([http({ allowedRoutes: { namespaces: { from: "All" } } })]);
    return translate([open], { httpRoutes: [route("v1", { rules: [{ backendRefs: [to("v1", { namespace: "shop" })] }] }, "far")], ...more });
  };
  assert.deepEqual(said(inFar({})), { v1: "Accepted+RefNotPermitted" });
  assert.deepEqual(told(only(inFar({})).ports), ["80 *: refused"]);
  const spec = { from: [{ group, kind: "HTTPRoute", namespace: "far" }], to: [{ group: "", kind: "Service" }] };
  const granted = inFar({ grants: [{ metadata: { namespace: "shop", name: "g" }, spec }] });
  assert.deepEqual(told(only(granted).ports), ["80 *: v1"]);
});

test("a redirect without a port stays on the listener's, or goes to its scheme's", () => {
  const redirect = (requestRedirect: Fields): Fields => ({ rules: [{ filters: [{ type: "RequestRedirect", requestRedirect }] }] });
  const at = (port: number, requestRedirect: Fields): readonly string[] =>
    told(only(translate([gateway([http({ port })])], { httpRoutes: [route("r", redirect(requestRedirect))] })).ports);
  assert.deepEqual(at(80, { scheme: "https" }), ["80 *: redirect"]);
  assert.deepEqual(at(8080, {}), ["8080 *: redirect 8080"]);
  assert.deepEqual(at(8080, { scheme: "https" }), ["8080 *: redirect 443"]);
  assert.deepEqual(at(8080, { port: 9 }), ["8080 *: redirect 9"]);
});

test("CORS is for gateways: at a Service the route is not accepted", () => {
  const cors = { allowOrigins: ["https://a.example"], allowCredentials: true };
  const rules = [{ filters: [{ type: "CORS", cors }], backendRefs: [to("v1")] }];
  const parentRefs = [{ name: "gw" }, { group: "", kind: "Service", name: "v2" }];
  const translation = translate([gateway([http()])], { httpRoutes: [route("r", { rules, parentRefs })] });
  assert.deepEqual(said(translation), { r: "Accepted+ResolvedRefs,UnsupportedValue+ResolvedRefs" });
  const [port] = only(translation).ports;
  assert.ok(port?.kind === "http");
  assert.deepEqual(port.hosts[0]?.rules[0]?.cors, {
    origins: ["https://a.example"],
    methods: [],
    headers: [],
    exposed: [],
    credentials: true,
    maxAgeSeconds: 5,
  });
});

test("HTTPS: the certificate must be there, fit its key, and be allowed", () => {
  const refs = (certificateRefs: readonly Fields[]): FakeObject => gateway([https({ tls: { certificateRefs } })]);
  const grant = {
    metadata: { namespace: "far", name: "g" },
    spec: { from: [{ group, kind: "Gateway", namespace: "shop" }], to: [{ group: "", kind: "Secret" }] },
  };
  const tlsSecrets = [secret("shop/cert"), secret("far/cert"), secret("shop/half", { "tls.crt": pair.crt }), secret("shop/bad", { "tls.crt": "eA==" })];
  const rows: readonly (readonly [Fields, Raw, string])[] = [
    [{ name: "cert" }, {}, "ResolvedRefs"],
    [{ name: "gone" }, {}, "InvalidCertificateRef"],
    [{ name: "half" }, {}, "InvalidCertificateRef"],
    [{ name: "bad" }, {}, "InvalidCertificateRef"],
    [{ name: "cert", kind: "ConfigMap" }, {}, "InvalidCertificateRef"],
    [{ name: "cert", namespace: "far" }, {}, "RefNotPermitted"],
    [{ name: "cert", namespace: "far" }, { grants: [grant] }, "ResolvedRefs"],
  ];
  for (const [ref, more, expected] of rows) {
    const found = only(translate([refs([ref])], { tlsSecrets, ...more }));
    const served = expected === "ResolvedRefs";
    assert.deepEqual(listeners(statusOf(found)), [`https: Accepted NoConflicts ${served ? "Programmed" : "Invalid"} ${expected}, 0`], JSON.stringify(ref));
    assert.equal(found.ports.length, served ? 1 : 0);
  }
});

test("callers by HTTPS are asked for certificates: by default, or as their port says; who could not be told from others is not served", () => {
  const ref = (name: string, more: Fields = {}): Fields => ({ group: "", kind: "ConfigMap", name, ...more });
  const validation = (refs: readonly Fields[], mode = "AllowValidOnly"): Fields => ({ validation: { mode, caCertificateRefs: refs } });
  const roots = [{ metadata: { namespace: "shop", name: "ca" }, data: { "ca.crt": made.certificate } }];
  const all = [http(), https(), https({ name: "other", port: 8443 })];
  const at = (frontend: Fields): TranslatedGateway => only(translate([gateway(all, { tls: { frontend } })], { tlsSecrets: [secret("shop/cert")], roots }));
  const asked = ({ ports: found }: TranslatedGateway): readonly string[] =>
    found.flatMap((port) => {
      if (port.kind !== "tls") return [];
      return port.servers.map((server) => {
        const clients = server.kind === "https" ? server.clients : undefined;
        return `${port.port} ${clients === undefined ? "nobody" : `${clients.roots.name} ${clients.isRequired}`}`;
      });
    });
  const conditions = (found: TranslatedGateway): readonly string[] => statusOf(found).status.conditions.map(({ type, status }) => `${type} ${status}`);
  assert.deepEqual(asked(at({ default: validation([ref("ca")]) })), ["443 shop/ca true", "8443 shop/ca true"]);
  const off = at({ default: validation([ref("ca")]), perPort: [{ port: 8443, tls: {} }] });
  assert.deepEqual([asked(off), conditions(off).length], [["443 shop/ca true", "8443 nobody"], 3]);
  const open = at({ default: {}, perPort: [{ port: 8443, tls: validation([ref("ca")], "AllowInsecureFallback") }] });
  assert.deepEqual([asked(open), conditions(open).at(-1)], [["443 nobody", "8443 shop/ca false"], "InsecureFrontendValidationMode True"]);
  const rows: readonly (readonly [Fields, string])[] = [
    [ref("gone"), "InvalidCACertificateRef"],
    [ref("ca", { kind: "Secret" }), "InvalidCACertificateKind"],
    [ref("ca", { namespace: "far" }), "RefNotPermitted"],
  ];
  for (const [one, reason] of rows) {
    const found = at({ default: validation([one]) });
    assert.deepEqual(listeners(statusOf(found)).slice(0, 2), [
      "http: Accepted NoConflicts Programmed ResolvedRefs, 0",
      `https: NoValidCACertificate NoConflicts Invalid ${reason}, 0`,
    ]);
    assert.deepEqual(
      found.ports.map(({ port }) => port),
      [80],
    );
  }
  const half = at({ default: validation([ref("gone"), ref("ca")]) });
  assert.deepEqual([asked(half)[0], listeners(statusOf(half))[1]], ["443 shop/ca true", "https: Accepted NoConflicts Programmed InvalidCACertificateRef, 0"]);
});

test("a Gateway's own certificate must be there and be allowed; without it the Gateway is served all the same", () => {
  const at = (clientCertificateRef: Fields): TranslatedGateway =>
    only(translate([gateway([http()], { tls: { backend: { clientCertificateRef } } })], { tlsSecrets: [secret("shop/cert"), secret("far/cert")] }));
  const refs = (found: TranslatedGateway): string =>
    statusOf(found)
      .status.conditions.map(({ reason }) => reason)
      .join();
  assert.deepEqual([at({ name: "cert" }).clientCertificate?.name, refs(at({ name: "cert" }))], ["shop/cert", "Accepted,Programmed,ResolvedRefs"]);
  assert.equal(refs(at({ name: "gone" })), "Accepted,Programmed,InvalidClientCertificateRef");
  assert.equal(refs(at({ name: "cert", kind: "Other" })), "Accepted,Programmed,InvalidClientCertificateRef");
  assert.equal(refs(at({ name: "cert", namespace: "far" })), "Accepted,Programmed,RefNotPermitted");
});

test("HTTPS listeners of one port are told apart by server name, and know each other's names", () => {
  const all = [https(), https({ name: "web", hostname: "web.example" })];
  const found = only(translate([gateway(all)], { httpRoutes: [route("v1")], tlsSecrets: [secret("shop/cert")] }));
  assert.deepEqual(told(found.ports), ["443 * *: v1", "443 web.example web.example: v1"]);
  const [port] = found.ports;
  assert.ok(port?.kind === "tls");
  assert.deepEqual(
    port.servers.map((server) => (server.kind === "https" ? server.misdirected : [])),
    [["web.example"], ["*"]],
  );
});

test("TLS and TCP go by whole connections; the oldest route has a name", () => {
  const tls = { name: "tls", port: 8443, protocol: "TLS", tls: { mode: "Passthrough" } };
  const ended = { name: "ended", port: 8443, protocol: "TLS", hostname: "end.example", tls: { certificateRefs: [{ name: "cert" }] } };
  const found = translate([gateway([tls, ended, { name: "tcp", port: 5432, protocol: "TCP" }])], {
    tlsSecrets: [secret("shop/cert")],
    tlsRoutes: [route("v1", { hostnames: ["a.example", "end.example"] }), route("v2", { hostnames: ["a.example"] })],
    tcpRoutes: [route("v2")],
  });
  assert.deepEqual(told(only(found).ports), ["5432 tcp: v2", "8443 passthrough a.example: v1", "8443 terminate end.example: v1"]);
});

test("what cannot be served says why, and takes nothing else with it", () => {
  const bad = [
    { name: "odd", port: 53, protocol: "UDP" },
    http({ name: "own", port: 15_021 }),
    http({ name: "twin", hostname: "a.example" }),
    http({ name: "twin2", hostname: "a.example" }),
    http({ name: "mixed", port: 443 }),
    https({ name: "mixed2" }),
    http({ name: "kinds", port: 82, allowedRoutes: { kinds: [{ kind: "TCPRoute" }, { kind: "HTTPRoute" }] } }),
  ];
  const found = only(translate([gateway([http(), ...bad])], { httpRoutes: [route("v1")], tlsSecrets: [secret("shop/cert")] }));
  const status = statusOf(found);
  assert.deepEqual(listeners(status), [
    "http: Accepted NoConflicts Programmed ResolvedRefs, 1",
    "odd: UnsupportedProtocol NoConflicts Invalid ResolvedRefs, 0",
    "own: PortUnavailable NoConflicts Invalid ResolvedRefs, 1",
    "twin: HostnameConflict HostnameConflict HostnameConflict ResolvedRefs, 1",
    "twin2: HostnameConflict HostnameConflict HostnameConflict ResolvedRefs, 1",
    "mixed: ProtocolConflict ProtocolConflict ProtocolConflict ResolvedRefs, 1",
    "mixed2: ProtocolConflict ProtocolConflict ProtocolConflict ResolvedRefs, 1",
    "kinds: Accepted NoConflicts Programmed InvalidRouteKinds, 1",
  ]);
  assert.deepEqual(
    status.status.conditions.map(({ status: is, reason }) => `${is} ${reason}`),
    ["True ListenersNotValid", "True Programmed", "False ListenersNotResolved"],
  );
  assert.deepEqual(
    found.ports.map(({ port }) => port),
    [80, 82],
  );
});

test("a Gateway of which nothing can be served has no ports", () => {
  for (const [listener, spec, reason] of [
    [{ name: "odd", port: 53, protocol: "UDP" }, {}, "ListenersNotValid"],
    [http(), { infrastructure: { parametersRef: { group: "x", kind: "Y", name: "z" } } }, "InvalidParameters"],
    [http(), { addresses: [{ value: "10.0.0.1" }] }, "UnsupportedAddress"],
  ] as const) {
    const found = only(translate([gateway([listener], spec)]));
    assert.deepEqual(found.ports, []);
    assert.deepEqual(
      statusOf(found).status.conditions.map(({ status, reason: why }) => `${status} ${why}`),
      [`False ${reason}`, "False Invalid", "True ResolvedRefs"],
    );
  }
  assert.equal(only(translate([gateway([http()], { addresses: [{ type: "IPAddress" }] })])).ports.length, 1);
});

test("programmed is what Envoys have; addresses are the load balancer's, else the Service's own", () => {
  const found = only(translate([gateway([http()])]));
  const programmed = (proxies: ProxyState): string => statusOf(found, proxies).status.conditions.map(({ status, reason }) => `${status} ${reason}`)[1] ?? "";
  assert.equal(programmed({ kind: "working" }), "True Programmed");
  assert.equal(programmed({ kind: "waiting" }), "False Pending");
  assert.equal(programmed({ kind: "unknown" }), "False Pending");
  assert.equal(programmed({ kind: "refused", message: "bad" }), "False Invalid");
  assert.deepEqual(statusOf(found).status.addresses, [{ type: "IPAddress", value: "10.96.0.7" }]);
  assert.deepEqual(statusOf(found, { kind: "working" }, [{ hostname: "lb.example" }]).status.addresses, [{ type: "Hostname", value: "lb.example" }]);
  assert.equal(gatewayStatus(found, undefined, { kind: "working" }).status.conditions[1]?.reason, "AddressNotAssigned");
});

test("while nobody heard of its Envoys, a status keeps what it said of this generation", () => {
  const before = { type: "Programmed", status: "True", reason: "Programmed", message: "", observedGeneration: 4, lastTransitionTime: "2026-01-01T00:00:00Z" };
  const reported = { ...gateway([http()]), status: { conditions: [before] } };
  assert.equal(statusOf(only(translate([reported])), { kind: "unknown" }).status.conditions[1]?.status, "True");
  const older = { ...reported, status: { conditions: [{ ...before, observedGeneration: 3 }] } };
  assert.equal(statusOf(only(translate([older])), { kind: "unknown" }).status.conditions[1]?.status, "False");
});

test("HTTP and gRPC cannot share a name at a listener: the older route has it", () => {
  const grpc = serviceObject("shop/grpc", [{ name: "grpc", port: 80, targetPort: 8080 }]);
  const translation = translate([gateway([http()])], {
    services: [...services, grpc],
    grpcRoutes: [route("grpc", { hostnames: ["a.example"] })],
    httpRoutes: [route("v1", { hostnames: ["a.example"] }), route("v2", { hostnames: ["a.example", "b.example"] })],
  });
  assert.deepEqual(said(translation), { grpc: "Accepted+ResolvedRefs", v1: "Conflicted+ResolvedRefs", v2: "Accepted+ResolvedRefs" });
  assert.deepEqual(told(only(translation).ports), ["80 *:", "80 a.example: grpc", "80 b.example: v2"]);
});

test("what happens elsewhere leaves a Gateway the identical value", () => {
  const view = clusterView({ services, namespaces, gatewayClasses: classes, gateways: [gateway([http()])], httpRoutes: [route("v1")] });
  const first = translateCluster(view);
  const other = clusterView({ services: [serviceObject("far/new", ports)] }).services;
  const second = translateCluster({ ...view, services: new Map([...view.services, ...other]) }, first);
  assert.notEqual(second, first);
  assert.equal(second.gateways, first.gateways);
});
