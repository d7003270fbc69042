/** What runs for a Gateway: names, labels, owners, and that its pods may do nothing that they need not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { versionObject } from "../../../test/support/declarations.ts";
import { clusterView } from "../../../test/support/kube-objects.ts";
import type { KubeGateway } from "./gateway-objects.ts";
import { readGateway } from "./read-gateways.ts";
import { gatewayClaims, gatewayObjectName } from "./translate-gateway-workloads.ts";
import type { TranslatedGateway } from "./translate-gateways.ts";
import { heldObjects, unwanted, wantedObjects } from "./translate-wanted.ts";
import { type WrittenObject, writtenKey } from "./workload-objects.ts";

const settings = {
  image: "weir.dev/weir:1",
  trustDomain: "weir.local",
  control: "weir-control.weir-system.svc:15012",
  roots: "PEM",
  namespace: "weir-system",
  domain: "localhost",
};

function gateway(): KubeGateway {
  const infrastructure = { labels: { team: "a" }, annotations: { "example.com/lb": "internal" } };
  return readGateway({ metadata: { name: "web", namespace: "shop", uid: "u1" }, spec: { gatewayClassName: "weir", infrastructure, listeners: [] } });
}

function translated(one: KubeGateway, numbers: readonly number[]): TranslatedGateway {
  const ports = numbers.map((port) => ({ kind: "http" as const, port, hosts: [] }));
  return { gateway: one, listeners: [], attachments: [], ports, secured: [], sets: { taken: [], refused: [] } };
}

function made(numbers: readonly number[] = [80, 443]): readonly WrittenObject[] {
  return gatewayClaims([translated(gateway(), numbers)], undefined, settings).claims.flatMap(({ objects }) => objects);
}

interface Made {
  readonly spec?: {
    readonly type?: string;
    readonly selector?: object;
    readonly ports?: readonly { readonly port: number; readonly targetPort: number }[];
    readonly template?: Template;
  };
}
interface Template {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly automountServiceAccountToken: boolean;
    readonly securityContext: { readonly runAsNonRoot: boolean };
    readonly containers: readonly { readonly securityContext: object; readonly env: readonly { readonly name: string; readonly value: string }[] }[];
  };
}

test("everything has the Gateway's name and class, belongs to it, and has what its infrastructure says", () => {
  const objects = made();
  assert.deepEqual(objects.map(writtenKey), ["ServiceAccount shop/web-weir", "ConfigMap shop/web-weir", "Service shop/web-weir", "Deployment shop/web-weir"]);
  for (const { metadata } of objects) {
    assert.deepEqual(metadata.ownerReferences, [{ apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: "web", uid: "u1", controller: true }]);
    assert.deepEqual(metadata.labels, {
      team: "a",
      "gateway.networking.k8s.io/gateway-name": "web",
      "app.kubernetes.io/managed-by": "weir",
      "app.kubernetes.io/name": "web-weir",
      "weir.dev/managed-by": "weir",
      "weir.dev/part-of": "gateway",
    });
    assert.deepEqual(metadata.annotations, { "example.com/lb": "internal" });
  }
});

test("the Service leads each port to the same one of the pods; pods are not captured, and can do nothing beside", () => {
  const [, , service, deployment] = made().map((object) => object as Made);
  assert.deepEqual(
    service?.spec?.ports?.map(({ port, targetPort }) => [port, targetPort]),
    [
      [80, 80],
      [443, 443],
    ],
  );
  const pod = deployment?.spec?.template ?? assert.fail();
  assert.deepEqual(deployment?.spec?.selector, { matchLabels: service?.spec?.selector });
  assert.equal(pod.metadata.labels["weir.dev/mesh"], "off");
  assert.deepEqual([pod.spec.serviceAccountName, pod.spec.automountServiceAccountToken, pod.spec.securityContext.runAsNonRoot], ["web-weir", false, true]);
  const [container] = pod.spec.containers;
  assert.deepEqual(container?.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
  const env = Object.fromEntries(container?.env.map(({ name, value }) => [name, value]) ?? []);
  assert.deepEqual([env["WEIR_NAMESPACE"], env["WEIR_SERVICE_ACCOUNT"], env["WEIR_CONTROL"]], ["shop", "web-weir", settings.control]);
});

test("a Gateway of which nothing can be served has nothing", () => {
  assert.deepEqual(made([]), []);
});

test("what is declared public is inside the cluster until the cluster has a domain", () => {
  const typeAt = (domain: string): unknown => {
    const objects = gatewayClaims([], [80], { ...settings, domain }).claims.flatMap((claim) => claim.objects);
    return objects.map((object) => object as Made).find(({ spec }) => spec?.type !== undefined)?.spec?.type;
  };
  assert.equal(typeAt("localhost"), "ClusterIP");
  assert.equal(typeAt("apps.example.com"), "LoadBalancer");
});

test("objects of the cluster's own gateway belong to nobody: they go when it is known that nothing is public", () => {
  const own = gatewayClaims([], [80], settings);
  const keys = own.claims.flatMap(({ objects }) => objects.map(writtenKey));
  assert.equal(keys.length, 4);
  const metadata = { name: "weir-gateway", namespace: "weir-system", labels: { "weir.dev/managed-by": "weir", "weir.dev/part-of": "gateway" } };
  const claimed = clusterView({ configMaps: [{ metadata }] });
  const gone = (ports: readonly number[] | undefined): readonly string[] => {
    const gateways = gatewayClaims([], ports, settings);
    return unwanted(
      heldObjects(claimed),
      wantedObjects(claimed, (text) => text, { gateways }),
    ).map((object) => writtenKey({ kind: object.kind, metadata: object }));
  };
  assert.deepEqual([gone(undefined), gone([80]), gone([])], [[], [], ["ConfigMap weir-system/weir-gateway"]]);
});

test("a name that a declaration has already is not a Gateway's, too", () => {
  const young = readGateway({
    metadata: { name: "web", namespace: "shop", uid: "u1", creationTimestamp: new Date(9_000).toISOString() },
    spec: { gatewayClassName: "weir", listeners: [] },
  });
  const gateways = gatewayClaims([translated(young, [80])], [], settings);
  const view = clusterView({ versions: [versionObject("web@weir", {}, { age: 5 })] });
  const { objects, reasons } = wantedObjects(view, (text) => text, { gateways });
  assert.deepEqual(objects.get("Deployment shop/web-weir")?.by, ["Version shop/web-weir"]);
  assert.deepEqual(objects.get("ServiceAccount shop/web-weir")?.by, ["Gateway shop/web"]);
  assert.match(reasons.get("Gateway shop/web") ?? "", /needs the name web-weir, which is that of Version shop\/web-weir/);
});

test("names are labels of DNS, and different for different Gateways", () => {
  const long = "a".repeat(70);
  const names = ["web", "web.x", "web-x", long, `${long}b`].map((name) => gatewayObjectName({ name, className: "weir" }));
  assert.deepEqual([names[0], names[2]], ["web-weir", "web-x-weir"]);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
});
