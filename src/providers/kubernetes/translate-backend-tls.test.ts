/** BackendTLSPolicies: which ports gateways call by TLS and how, who has a port that two want, and what statuses say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, type Raw, serviceObject } from "../../../test/support/kube-objects.ts";
import { selfSigned } from "../../../test/support/openssl.ts";
import { type ClusterTranslation, translateCluster } from "./translate.ts";

type Fields = Readonly<Record<string, unknown>>;

const pair = selfSigned("ca.example");
const gatewayClasses: FakeObject[] = [{ metadata: { name: "weir", generation: 1 }, spec: { controllerName: "weir.dev/gateway" } }];
const ports = [
  { name: "https", port: 443, targetPort: 8443 },
  { name: "admin", port: 8443, targetPort: 8443 },
];
const services = [serviceObject("shop/api", ports), serviceObject("shop/other", ports)];
const gateways: FakeObject[] = [
  { metadata: { namespace: "shop", name: "gw", generation: 1 }, spec: { gatewayClassName: "weir", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] } },
];
const httpRoutes: FakeObject[] = [
  { metadata: { namespace: "shop", name: "r", generation: 1 }, spec: { parentRefs: [{ name: "gw" }], rules: [{ backendRefs: [{ name: "api", port: 443 }] }] } },
];
const configMap = (name: string, data: Fields): FakeObject => ({ metadata: { namespace: "shop", name }, data });
const roots = [configMap("ca", { "ca.crt": pair.certificate }), configMap("none", {}), configMap("bad", { "ca.crt": "no PEM" })];

function policy(
  name: string,
  { validation, targets, ...meta }: { validation?: Fields; targets?: readonly Fields[]; [field: string]: unknown } = {},
): FakeObject {
  return {
    metadata: { namespace: "shop", name, generation: 3, creationTimestamp: "2026-01-01T00:00:00Z", ...meta },
    spec: {
      targetRefs: targets ?? [{ group: "", kind: "Service", name: "api" }],
      validation: { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "ca" }], hostname: "api.example", ...validation },
    },
  };
}

function translate(backendTlsPolicies: readonly FakeObject[], more: Raw = {}): ClusterTranslation {
  return translateCluster(clusterView({ services, gatewayClasses, gateways, httpRoutes, roots, backendTlsPolicies, ...more }));
}

/** `443 api.example dns:api.example shop/ca` */
function secured({ gateways: [gateway] }: ClusterTranslation): readonly string[] {
  return (gateway?.secured ?? []).map(({ name, port, tls }) => {
    if (tls === "refused") return `${name}:${port} refused`;
    const names = tls.names.map((one) => `${one.kind}:${one.name}`).join(",");
    return `${name}:${port} ${tls.serverName} ${names} ${tls.roots === "system" ? "system" : tls.roots.name}`;
  });
}

/** `a: Accepted+ResolvedRefs` for each ancestor. */
function said({ policyStatuses }: ClusterTranslation): Readonly<Record<string, string>> {
  return Object.fromEntries(
    policyStatuses.map(({ name, parents }) => [name, parents.map(({ conditions }) => conditions.map(({ reason }) => reason).join("+")).join()]),
  );
}

test("a policy is for all ports of its Service, with the Service's name or the names that it says", () => {
  assert.deepEqual(secured(translate([policy("a")])), ["api:443 api.example dns:api.example shop/ca", "api:8443 api.example dns:api.example shop/ca"]);
  const subjectAltNames = [
    { type: "URI", uri: "spiffe://x/y" },
    { type: "Hostname", hostname: "Other.Example" },
  ];
  const named = translate([policy("a", { targets: [{ group: "", kind: "Service", name: "api", sectionName: "https" }], validation: { subjectAltNames } })]);
  assert.deepEqual(secured(named), ["api:443 api.example uri:spiffe://x/y,dns:other.example shop/ca"]);
  const status = named.policyStatuses[0]?.parents[0];
  assert.deepEqual(status?.parentRef, { group: "gateway.networking.k8s.io", kind: "Gateway", namespace: "shop", name: "gw" });
  assert.deepEqual(
    status?.conditions.map(({ type, status: is, generation }) => `${type} ${is} ${generation}`),
    ["Accepted True 3", "ResolvedRefs True 3"],
  );
});

test("the older policy has what two want, then the first by name; one for a port counts before one for the Service", () => {
  const onPort = [{ group: "", kind: "Service", name: "api", sectionName: "https" }];
  const translation = translate([
    policy("b", { validation: { hostname: "b.example" } }),
    policy("a", { validation: { hostname: "a.example" } }),
    policy("young", { validation: { hostname: "young.example" }, targets: onPort, creationTimestamp: "2026-01-02T00:00:00Z" }),
    policy("old", { validation: { hostname: "old.example" }, targets: onPort }),
  ]);
  assert.deepEqual(secured(translation), ["api:8443 a.example dns:a.example shop/ca", "api:443 old.example dns:old.example shop/ca"]);
  assert.deepEqual(said(translation), {
    a: "Accepted+ResolvedRefs",
    b: "Conflicted+ResolvedRefs",
    old: "Accepted+ResolvedRefs",
    young: "Conflicted+ResolvedRefs",
  });
});

test("without roots that can be read nothing is called, and the policy keeps what it is for", () => {
  const ref = (name: string, more: Fields = {}): Fields => ({ group: "", kind: "ConfigMap", name, ...more });
  const rows: readonly (readonly [Fields, string])[] = [
    [{ caCertificateRefs: [ref("gone")] }, "NoValidCACertificate+InvalidCACertificateRef"],
    [{ caCertificateRefs: [ref("none")] }, "NoValidCACertificate+InvalidCACertificateRef"],
    [{ caCertificateRefs: [ref("bad")] }, "NoValidCACertificate+InvalidCACertificateRef"],
    [{ caCertificateRefs: [ref("ca", { kind: "Secret" })] }, "NoValidCACertificate+InvalidKind"],
    [{ caCertificateRefs: [], wellKnownCACertificates: "example.com/own" }, "Invalid+ResolvedRefs"],
  ];
  for (const [validation, expected] of rows) {
    const translation = translate([policy("a", { validation }), policy("b", { creationTimestamp: "2026-01-02T00:00:00Z" })]);
    assert.deepEqual(said(translation), { a: expected, b: "Conflicted+ResolvedRefs" }, JSON.stringify(validation));
    assert.deepEqual(secured(translation), ["api:443 refused", "api:8443 refused"]);
  }
  const some = translate([policy("a", { validation: { caCertificateRefs: [ref("gone"), ref("ca")] } })]);
  assert.deepEqual([said(some), secured(some)[0]], [{ a: "Accepted+InvalidCACertificateRef" }, "api:443 api.example dns:api.example shop/ca"]);
  const system = translate([policy("a", { validation: { caCertificateRefs: [], wellKnownCACertificates: "System" } })]);
  assert.deepEqual([said(system), secured(system)[0]], [{ a: "Accepted+ResolvedRefs" }, "api:443 api.example dns:api.example system"]);
});

test("a target that is not there is told; of a Service that no route leads to nothing is", () => {
  const at = (target: Fields): readonly FakeObject[] => [policy("a", { targets: [{ group: "", kind: "Service", name: "api", ...target }] })];
  assert.deepEqual(said(translate(at({ sectionName: "gone" }))), { a: "TargetNotFound+ResolvedRefs" });
  assert.deepEqual(said(translate(at({}), { services: [] })), { a: "TargetNotFound+ResolvedRefs" });
  const elsewhere = translate(at({ name: "other" }));
  assert.deepEqual([said(elsewhere), secured(elsewhere)], [{}, []]);
});

test("what was said of a Gateway is taken back when no route leads there any longer", () => {
  const conditions = [{ type: "Accepted", status: "True", reason: "Accepted", message: "", observedGeneration: 3 }];
  const ancestors = [
    { ancestorRef: { name: "gw" }, controllerName: "weir.dev/gateway", conditions },
    { ancestorRef: { name: "gw" }, controllerName: "example.com/other", conditions },
  ];
  const [status] = translate([{ ...policy("a"), status: { ancestors } }], { httpRoutes: [] }).policyStatuses;
  assert.deepEqual([status?.parents, status?.reported.length], [[], 1]);
});
