/** Gateway API's routes on Services: what is attached, which rule counts first, whose callers, which share, and what the status says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, serviceObject } from "../../../test/support/kube-objects.ts";
import type { AppKey } from "../../model/names.ts";
import type { ServiceRoute } from "../../model/service-route.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";

type Fields = Readonly<Record<string, unknown>>;

const http = [{ name: "http", port: 80, targetPort: 8080 }];
const services = [
  serviceObject("shop/web", [
    { name: "http", port: 80 },
    { name: "grpc", port: 7070 },
    { name: "db", port: 5432 },
    { name: "odd", port: 9, appProtocol: "redis" },
  ]),
  serviceObject("shop/v1", http),
  serviceObject("shop/v2", http),
  serviceObject("far/api", http),
  serviceObject("shop/headless", http, { clusterIP: "None", clusterIPs: ["None"] }),
];

const web = { group: "", kind: "Service", name: "web" };

function route(
  place: string,
  rules: readonly Fields[],
  { parents = [{ ...web, port: 80 }], meta = {} }: { parents?: readonly Fields[]; meta?: Fields } = {},
): FakeObject {
  const [namespace = "", name = ""] = place.split("/");
  return { metadata: { namespace, name, generation: 3, creationTimestamp: "2026-01-01T00:00:00Z", ...meta }, spec: { parentRefs: parents, rules } };
}

const to = (name: string, more: Fields = {}): Fields => ({ name, port: 80, ...more });
const onPath = (value: string, type = "PathPrefix"): Fields => ({ path: { type, value } });

function translate(httpRoutes: readonly FakeObject[], more: { grpcRoutes?: readonly FakeObject[]; grants?: readonly FakeObject[] } = {}): ClusterTranslation {
  return translateCluster(clusterView({ services, httpRoutes, ...more }));
}

function routesOf(translation: ClusterTranslation): readonly ServiceRoute[] {
  return translation.serviceRoutes.get("shop/web" as AppKey) ?? [];
}

/** `prefix /a > v1 100%, refused 20%` */
function told(one: ServiceRoute | undefined): readonly string[] {
  return (one?.kind === "http" ? one.rules : []).map(({ match: [match], action }) => {
    const path = match?.path === undefined ? "all" : `${match.path.kind} ${match.path.value}`;
    const more = [...(match?.methods ?? []), ...(match?.headers ?? []).map(({ name }) => name), ...(match?.query ?? []).map(({ name }) => name)];
    if (action.kind === "redirect") return [path, ...more, "redirect"].join(" ");
    const shares = action.destinations.map(({ to: { name }, weight }) => `${name} ${weight}`);
    return `${[path, ...more].join(" ")} > ${[...shares, ...(action.refused === undefined ? [] : [`refused ${action.refused}`])].join(", ")}`;
  });
}

/** `Accepted, ResolvedRefs` or the reasons why not, for each parent. */
function said(translation: ClusterTranslation): readonly string[] {
  return translation.routeStatuses.flatMap(({ parents }) => parents.map(({ conditions }) => conditions.map(({ reason }) => reason).join(", ")));
}

test("retries are those that a rule asks for, also of what may have begun; a shortest wait cannot be kept", () => {
  const at = (retry: Fields): ClusterTranslation => translate([route("shop/r", [{ backendRefs: [to("v1")], retry }])]);
  const [one] = routesOf(at({ codes: [500, 503], attempts: 2 }));
  const action = one?.kind === "http" ? one.rules[0]?.action : undefined;
  assert.deepEqual(action?.kind === "forward" ? action.retries : undefined, {
    attempts: 2,
    on: ["connect-failure", "refused-stream", "reset", "retriable-status-codes"],
    codes: [500, 503],
  });
  assert.deepEqual(said(at({ backoff: "1s" })), ["UnsupportedValue, ResolvedRefs"]);
});

test("rules of all routes count in Gateway API's order: exact, longest prefix, method, headers, query, then age, name, and where they stand", () => {
  const rules = [
    { matches: [onPath("/"), onPath("/a/b"), onPath("/a", "Exact")], backendRefs: [to("v1")] },
    {
      matches: [
        { ...onPath("/a"), method: "GET" },
        { ...onPath("/a"), headers: [{ name: "X", value: "1" }] },
      ],
      backendRefs: [to("v1")],
    },
    { matches: [{ ...onPath("/a"), queryParams: [{ name: "q", value: "1" }] }, onPath("/v[0-9]", "RegularExpression")], backendRefs: [to("v1")] },
  ];
  const older = route("shop/z", [{ matches: [onPath("/a")], backendRefs: [to("v2")] }], { meta: { creationTimestamp: "2025-01-01T00:00:00Z" } });
  const [one] = routesOf(translate([route("shop/a", [...rules, { matches: [onPath("/a")], backendRefs: [to("v1")] }]), older]));
  assert.deepEqual(told(one), [
    "exact /a > v1 10000",
    "regex /v[0-9] > v1 10000",
    "prefix /a/b > v1 10000",
    "prefix /a GET > v1 10000",
    "prefix /a x > v1 10000",
    "prefix /a q > v1 10000",
    "prefix /a > v2 10000",
    "prefix /a > v1 10000",
    "prefix / > v1 10000",
  ]);
});

test("a parent's port: the one it names, by number or name; else all that speak HTTP; its status says what does not fit", () => {
  const at = (parent: Fields): ClusterTranslation => translate([route("shop/r", [{ backendRefs: [to("v1")] }], { parents: [{ ...web, ...parent }] })]);
  const ports = (parent: Fields): readonly number[] => routesOf(at(parent)).map(({ port }) => port);
  assert.deepEqual([ports({}), ports({ port: 80 }), ports({ sectionName: "grpc" }), ports({ port: 5432 })], [[80, 7070], [80], [7070], [5432]]);
  const refused: readonly Fields[] = [{ port: 81 }, { port: 9 }, { name: "nobody" }, { name: "headless" }, { port: 80, sectionName: "grpc" }];
  for (const parent of refused) assert.deepEqual([ports(parent), said(at(parent))], [[], ["NoMatchingParent, ResolvedRefs"]], JSON.stringify(parent));
  assert.deepEqual(at({ group: "gateway.networking.k8s.io", kind: "Gateway" }).routeStatuses, [], "other kinds of parents are others' business");
});

test("the status: as the parent was written, for the generation that it is about", () => {
  const parents = [{ ...web, port: 80 }];
  assert.deepEqual(translate([route("shop/r", [{ backendRefs: [to("v1")] }], { parents })]).routeStatuses, [
    {
      kind: "HTTPRoute",
      namespace: "shop",
      name: "r",
      uid: "",
      reported: [],
      parents: [
        {
          controller: "weir.dev/mesh",
          parentRef: { group: "", kind: "Service", name: "web", port: 80 },
          conditions: ["Accepted", "ResolvedRefs"].map((type) => ({ type, status: "True", reason: type, message: "", generation: 3 })),
        },
      ],
    },
  ]);
});

test("what a backend names and is not there, or may not be named, has its share refused", () => {
  const one = (...backendRefs: readonly Fields[]): ClusterTranslation => translate([route("shop/r", [{ backendRefs }])]);
  const rows: readonly (readonly [readonly Fields[], string, string])[] = [
    [[to("v1", { weight: 70 }), to("v2", { weight: 30 })], "all > v1 7000, v2 3000", "ResolvedRefs"],
    [[to("v1", { weight: 3 }), to("gone", { weight: 1 })], "all > v1 7500, refused 2500", "BackendNotFound"],
    [[to("v1"), to("gone", { weight: 0 })], "all > v1 10000", "BackendNotFound"],
    [[to("v1", { weight: 0 })], "all > refused 10000", "ResolvedRefs"],
    [[], "all > refused 10000", "ResolvedRefs"],
    [[to("v1", { port: 81 })], "all > refused 10000", "BackendNotFound"],
    [[to("v1", { kind: "Bucket" })], "all > refused 10000", "InvalidKind"],
    [[to("api", { namespace: "far" })], "all > refused 10000", "RefNotPermitted"],
  ];
  for (const [backends, expected, reason] of rows) {
    const translation = one(...backends);
    assert.deepEqual([told(routesOf(translation)[0]), said(translation)], [[expected], [`Accepted, ${reason}`]], JSON.stringify(backends));
  }
});

test("a ReferenceGrant opens what it names, for whom it names", () => {
  const grant = (from: Fields, target: Fields): FakeObject => ({
    metadata: { namespace: "far", name: "g" },
    spec: { from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "shop", ...from }], to: [{ group: "", kind: "Service", ...target }] },
  });
  const reason = (from: Fields, target: Fields): string | undefined =>
    said(translate([route("shop/r", [{ backendRefs: [to("api", { namespace: "far" })] }])], { grants: [grant(from, target)] }))[0];
  assert.equal(reason({}, {}), "Accepted, ResolvedRefs");
  assert.equal(reason({}, { name: "api" }), "Accepted, ResolvedRefs");
  for (const [from, target] of [
    [{ namespace: "x" }, {}],
    [{ kind: "GRPCRoute" }, {}],
    [{}, { name: "other" }],
    [{}, { kind: "Secret" }],
  ] as const)
    assert.equal(reason(from, target), "Accepted, RefNotPermitted");
});

test("a route in another namespace than its Service's is for the callers of its own, and may name its Service's neighbours", () => {
  const parents = [{ ...web, namespace: "shop", port: 80 }];
  const consumer = route("far/r", [{ backendRefs: [to("v2", { namespace: "shop" })] }], { parents });
  const translation = translate([consumer, route("shop/r", [{ backendRefs: [to("v1")] }])]);
  assert.deepEqual(
    routesOf(translation).map((one) => [one.callers, told(one)]),
    [
      ["far", ["all > v2 10000"]],
      [undefined, ["all > v1 10000"]],
    ],
  );
  assert.deepEqual(said(translation), ["Accepted, ResolvedRefs", "Accepted, ResolvedRefs"]);
});

test("what the mesh does not do is not accepted, and so is a pattern that Envoy would refuse", () => {
  const rules: readonly Fields[] = [
    { filters: [{ type: "ExtensionRef" }], backendRefs: [to("v1")] },
    { backendRefs: [to("v1", { filters: [{ type: "URLRewrite", urlRewrite: { hostname: "x" } }] })] },
    { matches: [onPath("/(", "RegularExpression")], backendRefs: [to("v1")] },
    { matches: [{ headers: [{ name: "a", type: "RegularExpression", value: "(?=x)" }] }], backendRefs: [to("v1")] },
    { timeouts: { request: "soon" }, backendRefs: [to("v1")] },
    { filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "ftp" } }] },
  ];
  for (const rule of rules) {
    const translation = translate([route("shop/r", [rule])]);
    assert.deepEqual([routesOf(translation), said(translation)], [[], ["UnsupportedValue, ResolvedRefs"]], JSON.stringify(rule));
  }
});

test("a GRPCRoute wins a port from HTTPRoutes; its methods are paths", () => {
  const parents = [{ ...web, port: 7070 }];
  const backendRefs = [to("web", { port: 7070 })];
  const methods: readonly Fields[] = [
    { service: "a.B" },
    { service: "a.B", method: "C" },
    { method: "C" },
    { type: "RegularExpression", service: "a[.].*", method: "C" },
  ];
  const grpc = route("shop/g", [{ matches: methods.map((method) => ({ method })), backendRefs }, { backendRefs: [to("v1")] }], { parents });
  const translation = translate([route("shop/r", [{ backendRefs: [to("v1")] }], { parents: [...parents, web] })], { grpcRoutes: [grpc] });
  const [grpcPort, httpPort] = routesOf(translation);
  assert.deepEqual(told(grpcPort), [
    "regex /(?:a[.].*)/(?:C) > web 10000",
    "exact /a.B/C > web 10000",
    "prefix /a.B > web 10000",
    "regex /[^/]+/C > web 10000",
    "all > refused 10000",
  ]);
  assert.deepEqual([httpPort?.port, told(httpPort)], [80, ["all > v1 10000"]]);
  assert.deepEqual(said(translation), ["Accepted, UnsupportedProtocol", "Conflicted, ResolvedRefs", "Accepted, ResolvedRefs"]);
});

test("filters become changes of headers, redirects, rewrites, copies; times become limits", () => {
  const set = (name: string): Fields => ({ set: [{ name, value: "1" }] });
  const rule = {
    filters: [
      { type: "RequestHeaderModifier", requestHeaderModifier: set("a") },
      { type: "ResponseHeaderModifier", responseHeaderModifier: { remove: ["b"] } },
      { type: "URLRewrite", urlRewrite: { hostname: "h", path: { type: "ReplaceFullPath", replaceFullPath: "/x" } } },
      { type: "RequestMirror", requestMirror: { backendRef: to("v2"), percent: 5 } },
    ],
    timeouts: { request: "10s", backendRequest: "500ms" },
    backendRefs: [to("v1", { filters: [{ type: "RequestHeaderModifier", requestHeaderModifier: set("c") }] })],
  };
  const redirect = {
    filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", port: 8443, statusCode: 308, path: { type: "ReplacePrefixMatch" } } }],
  };
  const [one] = routesOf(translate([route("shop/r", [{ matches: [onPath("/a")], ...rule }, redirect])]));
  const [first, second] = one?.kind === "http" ? one.rules : [];
  const changes = (name: string) => ({ add: [], set: [{ name, value: "1" }], remove: [] });
  assert.deepEqual([first?.requestHeaders, first?.responseHeaders], [changes("a"), { add: [], set: [], remove: ["b"] }]);
  const at = (name: string) => ({ kind: "app", namespace: "shop", name, port: 80 });
  assert.deepEqual(first?.action, {
    kind: "forward",
    destinations: [{ to: at("v1"), weight: 10_000, requestHeaders: changes("c") }],
    rewrite: { host: "h", fullPath: "/x" },
    mirrors: [{ to: at("v2"), share: 500 }],
    timeoutMs: 10_000,
    tryTimeoutMs: 500,
  });
  assert.deepEqual(second?.action, { kind: "redirect", redirect: { scheme: "https", port: 8443, path: "/", code: 308 } });
});

test("a route that is no longer ours loses our words; what did not change keeps its identity", () => {
  const status = {
    parents: [
      { parentRef: web, controllerName: "weir.dev/mesh", conditions: [] },
      { parentRef: { name: "gw" }, controllerName: "other" },
    ],
  };
  const left = { ...route("shop/left", [], { parents: [{ name: "gw" }] }), status };
  const [only] = translate([left]).routeStatuses;
  assert.deepEqual([only?.parents, only?.reported.length], [[], 1]);
  const before = translate([route("shop/r", [{ backendRefs: [to("v1")] }])]);
  const view = clusterView({ services, httpRoutes: [route("shop/r", [{ backendRefs: [to("v1")] }]), left] });
  const after = translateCluster(view, before);
  assert.equal(after.serviceRoutes, before.serviceRoutes);
  assert.equal(after.routeStatuses.length, 2);
});
