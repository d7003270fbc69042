/** Which pods are in the mesh, and what is known of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeObject } from "../../../test/support/fake-kube-api.ts";
import { clusterView, namespaceObject, podObject, type Raw } from "../../../test/support/kube-objects.ts";
import { translateCluster } from "./translate.ts";
import type { MeshPod } from "./translate-pods.ts";

const on = { labels: { "weir.dev/mesh": "on" } };
const off = { labels: { "weir.dev/mesh": "off" } };
const translate = (raw: Raw) => translateCluster(clusterView(raw));

function meshPod(pod: FakeObject, namespace: FakeObject = namespaceObject("shop", on)): MeshPod | undefined {
  return [...translate({ namespaces: [namespace], pods: [pod] }).meshPods.values()][0];
}

test("a pod's own label wins, else its namespace's", () => {
  const rows: readonly (readonly [namespace: object, pod: object, expected: boolean])[] = [
    [{}, {}, false],
    [on, {}, true],
    [off, {}, false],
    [on, off, false],
    [off, on, true],
    [{}, on, true],
  ];
  for (const [namespace, pod, expected] of rows) {
    assert.equal(
      meshPod(podObject("shop/a", { meta: pod as never }), namespaceObject("shop", namespace as never)) !== undefined,
      expected,
      JSON.stringify([namespace, pod]),
    );
  }
  assert.equal(translate({ pods: [podObject("shop/a", { meta: on })] }).meshPods.size, 1, "the namespace is not known yet");
});

test("pods of the host's network, finished ones and those without a node are not in the mesh", () => {
  assert.equal(meshPod(podObject("shop/a", { meta: on, spec: { hostNetwork: true } })), undefined);
  for (const phase of ["Succeeded", "Failed"]) assert.equal(meshPod(podObject("shop/a", { status: { phase } })), undefined);
  assert.equal(meshPod(podObject("shop/a", { spec: { nodeName: undefined } })), undefined);
  assert.ok(meshPod(podObject("shop/a", { status: { phase: "Pending" } })), "one that starts is");
});

for (const system of ["kube-system", "weir-system"]) {
  test(`in ${system} only the pod's own label counts`, () => {
    assert.equal(meshPod(podObject(`${system}/a`), namespaceObject(system, on)), undefined);
    assert.ok(meshPod(podObject(`${system}/a`, { meta: on }), namespaceObject(system)));
  });
}

test("what is known of a pod", () => {
  const pod = podObject("shop/web-5d8-x", {
    meta: { labels: { app: "web" } },
    spec: { serviceAccountName: "robot" },
    status: { podIPs: [{ ip: "fd00::9" }, { ip: "10.1.0.5" }] },
  });
  assert.deepEqual(meshPod(pod), {
    uid: "uid-shop/web-5d8-x",
    namespace: "shop",
    name: "web-5d8-x",
    node: "n1",
    address: "10.1.0.5",
    serviceAccount: "robot",
    app: "web",
    mode: "strict",
    probePorts: [],
    ready: true,
    terminating: false,
  } satisfies MeshPod);
});

test("a pod has no address before it has a network; one with IPv6 only is told", () => {
  assert.equal(meshPod(podObject("shop/a", { status: { podIP: undefined, podIPs: undefined } }))?.address, undefined);
  const six = translate({
    namespaces: [namespaceObject("shop", on)],
    pods: [podObject("shop/a", { status: { podIP: "fd00::1", podIPs: [{ ip: "fd00::1" }] } })],
  });
  assert.deepEqual([six.problems.map(({ code }) => code), [...six.meshPods.values()][0]?.address], [["kube-no-ipv4"], undefined]);
});

test("readiness and the end of a pod", () => {
  const notReady = meshPod(podObject("shop/a", { status: { conditions: [{ type: "Ready", status: "False" }] } }));
  const ending = meshPod(podObject("shop/a", { meta: { deletionTimestamp: "2026-01-01T00:00:00Z" } }));
  assert.deepEqual([notReady?.ready, notReady?.terminating, ending?.ready, ending?.terminating], [false, false, true, true]);
});

test("the app is a label's value, else the controller's name without its hash, else the pod's own name", () => {
  const owned = (name: string) => ({ ownerReferences: [{ kind: "ReplicaSet", name, controller: true }] });
  const rows: readonly (readonly [object, string])[] = [
    [{ labels: { "app.kubernetes.io/name": "shop", app: "web" } }, "shop"],
    [{ labels: { app: "web" } }, "web"],
    [{ labels: { "pod-template-hash": "5d8" }, ...owned("cart-5d8") }, "cart"],
    [owned("db"), "db"],
    [{ ownerReferences: [{ kind: "Node", name: "n1" }] }, "web-5d8-x"],
    [{}, "web-5d8-x"],
  ];
  for (const [meta, expected] of rows) assert.equal(meshPod(podObject("shop/web-5d8-x", { meta: meta as never }))?.app, expected);
});

test("strict unless a label or annotation, of the pod or else of its namespace, says permissive", () => {
  const mtls = (mode: string) => ({ "weir.dev/mtls": mode });
  const rows: readonly (readonly [namespace: object, pod: object, expected: string])[] = [
    [{}, {}, "strict"],
    [{ annotations: mtls("permissive") }, {}, "permissive"],
    [{ labels: mtls("permissive") }, {}, "permissive"],
    [{ labels: mtls("permissive") }, { annotations: mtls("strict") }, "strict"],
    [{}, { labels: mtls("permissive") }, "permissive"],
    [{}, { labels: mtls("sometimes") }, "strict"],
  ];
  for (const [namespace, pod, expected] of rows) {
    const labelled = { ...namespace, labels: { ...on.labels, ...(namespace as { labels?: object }).labels } };
    assert.equal(meshPod(podObject("shop/a", { meta: pod as never }), namespaceObject("shop", labelled))?.mode, expected, JSON.stringify([namespace, pod]));
  }
});

test("probe ports: all that the kubelet calls at the pod's address, names resolved in their own container", () => {
  const pod = podObject("shop/a", {
    spec: {
      initContainers: [
        { name: "once", livenessProbe: { tcpSocket: { port: 1 } } },
        { name: "sidecar", restartPolicy: "Always", startupProbe: { httpGet: { port: "ready" } }, ports: [{ name: "ready", containerPort: 9001 }] },
      ],
      containers: [
        {
          name: "web",
          ports: [
            { name: "http", containerPort: 8080 },
            { name: "ready", containerPort: 8081 },
          ],
          startupProbe: { tcpSocket: { port: "http" } },
          readinessProbe: { httpGet: { port: "ready", path: "/" } },
          livenessProbe: { grpc: { port: 7070 } },
          lifecycle: { postStart: { httpGet: { port: 8080 } }, preStop: { exec: { command: ["sleep", "1"] } } },
        },
        { name: "other", readinessProbe: { exec: { command: ["true"] } }, livenessProbe: { httpGet: { host: "elsewhere", port: 5 } } },
        { name: "third", lifecycle: { preStop: { httpGet: { port: "8090" } } }, readinessProbe: { httpGet: { port: "none" } } },
      ],
    },
  });
  assert.deepEqual(meshPod(pod)?.probePorts, [7070, 8080, 8081, 8090, 9001]);
});

test("labels that mean nothing are told, and are as if they were not there", () => {
  const namespaces = [namespaceObject("shop", on), namespaceObject("x", { labels: { "weir.dev/mesh": "true" } })];
  const { meshPods, problems } = translate({ namespaces, pods: [podObject("shop/a", { meta: { labels: { "weir.dev/mesh": "yes", "weir.dev/mtls": "1" } } })] });
  assert.equal(meshPods.size, 1);
  assert.deepEqual(
    problems.map(({ code, message }) => `${code}: ${message}`),
    [
      'kube-mesh-label: namespace x: weir.dev/mesh is "true"',
      'kube-mesh-label: pod shop/a: weir.dev/mesh is "yes"',
      'kube-mtls-label: pod shop/a: weir.dev/mtls is "1"',
    ],
  );
});
