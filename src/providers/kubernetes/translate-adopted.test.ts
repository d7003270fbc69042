import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceObject } from "../../../test/support/kube-objects.ts";
import { adoptable } from "./translate-adopted.ts";

function deployment(changes: { readonly labels?: object; readonly selector?: object; readonly ports?: readonly object[] } = {}): object {
  const { labels = {}, selector = { matchLabels: { app: "web" } }, ports = [{ name: "http", containerPort: 8080 }] } = changes;
  return {
    metadata: { name: "web", namespace: "shop", labels },
    spec: { replicas: 3, selector, template: { spec: { containers: [{ name: "main", ports }, { name: "sidecar" }] } } },
  };
}

const codes = (result: ReturnType<typeof adoptable>): unknown => (result.ok ? result.value : result.problems.map(({ code }) => code));

test("callers' ports are those of the Service in front, resolved to the containers'", () => {
  const service = serviceObject("shop/web", [
    { name: "http", port: 80, targetPort: "http" },
    { name: "db", port: 5432, targetPort: 5433 },
    { name: "lost", port: 81, targetPort: "nowhere" },
    { name: "dns", port: 53, targetPort: 53, protocol: "UDP" },
  ]);
  assert.deepEqual(codes(adoptable("Deployment", deployment(), { app: service })), {
    adopted: { deployment: "web", selector: { app: "web" } },
    ports: [
      { port: 80, containerPort: 8080, protocol: "http" },
      { port: 5432, containerPort: 5433, protocol: "tcp" },
    ],
    replicas: 3,
  });
});

test("without a Service they are the containers' own", () => {
  const result = adoptable(
    "Deployment",
    deployment({
      ports: [
        { name: "grpc-api", containerPort: 9000 },
        { containerPort: 53, protocol: "UDP" },
      ],
    }),
    {},
  );
  assert.deepEqual(result.ok ? result.value.ports : result, [{ port: 9000, containerPort: 9000, protocol: "grpc" }]);
});

test("what cannot be adopted says why", () => {
  assert.deepEqual(codes(adoptable("Deployment", deployment({ labels: { "weir.dev/managed-by": "weir" } }), {})), ["adopt-own"]);
  const expressions = { matchLabels: { app: "web" }, matchExpressions: [{ key: "tier", operator: "In", values: ["a", "b"] }] };
  assert.deepEqual(codes(adoptable("Deployment", deployment({ selector: expressions }), {})), ["adopt-selector"]);
  assert.deepEqual(codes(adoptable("Deployment", deployment({ ports: [] }), {})), ["adopt-ports"]);
});

test("a StatefulSet's ports may be those of the Service that names its pods; a headless one is no app", () => {
  const governing = serviceObject("shop/db-pods", [{ name: "pg", port: 5432 }], { clusterIP: "None", clusterIPs: ["None"] });
  assert.deepEqual(codes(adoptable("StatefulSet", deployment(), { governing })), {
    adopted: { statefulSet: "web", selector: { app: "web" } },
    ports: [{ port: 5432, containerPort: 5432, protocol: "tcp" }],
    replicas: 3,
  });
  const own = serviceObject("shop/web", [{ name: "http", port: 80 }]);
  const [port] = (adoptable("StatefulSet", deployment(), { app: own, governing }) as { readonly value: { readonly ports: readonly object[] } }).value.ports;
  assert.deepEqual(port, { port: 80, containerPort: 80, protocol: "http" }, "the app's own counts first");
  assert.deepEqual(codes(adoptable("StatefulSet", deployment(), { app: governing })), ["adopt-headless"]);
  assert.deepEqual(codes(adoptable("Deployment", deployment(), { app: { ...own, spec: { type: "ExternalName", externalName: "x" } } })), ["adopt-headless"]);
});

test("a DaemonSet has as many pods as its status says", () => {
  const found = adoptable("DaemonSet", { ...deployment(), status: { desiredNumberScheduled: 2 } }, {});
  assert.deepEqual(found.ok ? [found.value.adopted, found.value.replicas] : found, [{ daemonSet: "web", selector: { app: "web" } }, 2]);
});
