/** What runs for a Gateway: names, labels, owners, and that its pods may do nothing that they need not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeGateway } from "./gateway-objects.ts";
import { readGateway } from "./read-gateways.ts";
import { gatewayObjectName, gatewayWorkloads, publicGatewayWorkloads } from "./translate-gateway-workloads.ts";

const settings = { image: "weir.dev/weir:1", trustDomain: "weir.local", control: "weir-control.weir-system.svc:15012", roots: "PEM" };

function gateway(name = "web"): KubeGateway {
  const infrastructure = { labels: { team: "a" }, annotations: { "example.com/lb": "internal" } };
  return readGateway({ metadata: { name, namespace: "shop", uid: "u1" }, spec: { gatewayClassName: "weir", infrastructure, listeners: [] } });
}

function made(name = "web") {
  const ports = [80, 443].map((port) => ({ kind: "http" as const, port, hosts: [] }));
  return gatewayWorkloads({ gateway: gateway(name), listeners: [], attachments: [], ports, secured: [], sets: { taken: [], refused: [] } }, settings);
}

interface Made {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: object;
    readonly annotations: object;
    readonly ownerReferences: readonly { readonly uid: string }[];
  };
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
  assert.deepEqual(
    objects.map(({ resource, namespace, name }) => `${resource} ${namespace}/${name}`),
    ["serviceaccounts shop/web-weir", "configmaps shop/web-weir", "services shop/web-weir", "deployments shop/web-weir"],
  );
  for (const { metadata } of objects.map(({ object }) => object as Made)) {
    assert.deepEqual(
      metadata.ownerReferences.map(({ uid }) => uid),
      ["u1"],
    );
    assert.deepEqual(metadata.labels, {
      team: "a",
      "gateway.networking.k8s.io/gateway-name": "web",
      "app.kubernetes.io/name": "web-weir",
      "weir.dev/managed-by": "weir",
      "weir.dev/part-of": "gateway",
    });
    assert.deepEqual(metadata.annotations, { "example.com/lb": "internal" });
  }
});

test("the Service leads each port to the same one of the pods; pods are not captured, and can do nothing beside", () => {
  const [, , service, deployment] = made().map(({ object }) => object as Made);
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
  assert.deepEqual(
    gatewayWorkloads({ gateway: gateway(), listeners: [], attachments: [], ports: [], secured: [], sets: { taken: [], refused: [] } }, settings),
    [],
  );
});

test("what is declared public is inside the cluster until the cluster has a domain; its objects belong to nobody", () => {
  const typeAt = (domain: string): unknown => {
    const objects = publicGatewayWorkloads("weir-system", [80], domain, settings).map(({ object }) => object as Made);
    assert.ok(objects.every(({ metadata }) => metadata.name === "weir-gateway" && metadata.ownerReferences === undefined));
    return objects.find(({ kind }) => kind === "Service")?.spec?.type;
  };
  assert.equal(typeAt("localhost"), "ClusterIP");
  assert.equal(typeAt("apps.example.com"), "LoadBalancer");
  assert.deepEqual(publicGatewayWorkloads("weir-system", [], "localhost", settings), []);
});

test("names are labels of DNS, and different for different Gateways", () => {
  const long = "a".repeat(70);
  const names = ["web", "web.x", "web-x", long, `${long}b`].map((name) => gatewayObjectName({ name, className: "weir" }));
  assert.deepEqual([names[0], names[2]], ["web-weir", "web-x-weir"]);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
});
