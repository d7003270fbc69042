/** The metrics server of the Kubernetes project on a test cluster: without it no autoscaler knows what pods use. */
import path from "node:path";
import { buildMetricsServer } from "../../cluster/build.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { writeImage } from "../../cluster/image.ts";
import { binDir } from "../../cluster/places.ts";
import { eventually } from "./mesh.ts";

const name = "metrics-server";
const image = "weir-test/metrics-server:1";
const labels = { app: name };
const group = "rbac.authorization.k8s.io";
const named = { name, namespace: "kube-system" };
const subjects = [{ kind: "ServiceAccount", ...named }];

/** Builds and starts it; resolves when it says what nodes use. */
export async function startMetrics(cluster: Cluster): Promise<void> {
  await buildMetricsServer((line) => console.error(`cluster: ${line}`));
  const tar = path.join(cluster.dir, "metrics-server.tar");
  await writeImage({ name: image, files: { "/metrics-server": path.join(binDir, "metrics/metrics-server") }, entrypoint: ["/metrics-server"] }, tar);
  await cluster.importImage(tar);
  await cluster.kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: [...access(), ...server()] }));
  await eventually(() => cluster.kubectl(["get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes/node-1"]), 300_000);
}

function access(): readonly object[] {
  const binding = (kind: string, role: string, more: object = {}): object => ({
    apiVersion: `${group}/v1`,
    kind,
    metadata: { name: `${name}-${role}`, ...more },
    roleRef: { apiGroup: group, kind: kind === "RoleBinding" ? "Role" : "ClusterRole", name: role },
    subjects,
  });
  const rules = [
    { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
    { apiGroups: [""], resources: ["pods", "nodes"], verbs: ["get", "list", "watch"] },
  ];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: named },
    { apiVersion: `${group}/v1`, kind: "ClusterRole", metadata: { name }, rules },
    binding("ClusterRoleBinding", name),
    binding("ClusterRoleBinding", "system:auth-delegator"),
    binding("RoleBinding", "extension-apiserver-authentication-reader", { namespace: "kube-system" }),
  ];
}

function server(): readonly object[] {
  const args = ["--secure-port=10250", "--cert-dir=/tmp", "--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP", "--metric-resolution=15s"];
  const container = { name: "main", image, args, ports: [{ name: "https", containerPort: 10250 }] };
  const template = { metadata: { labels }, spec: { serviceAccountName: name, terminationGracePeriodSeconds: 0, containers: [container] } };
  const service = { name, namespace: "kube-system", port: 443 };
  const version = { group: "metrics.k8s.io", version: "v1beta1", insecureSkipTLSVerify: true, groupPriorityMinimum: 100, versionPriority: 100, service };
  return [
    { apiVersion: "apps/v1", kind: "Deployment", metadata: named, spec: { selector: { matchLabels: labels }, template } },
    { apiVersion: "v1", kind: "Service", metadata: named, spec: { selector: labels, ports: [{ port: 443, targetPort: "https" }] } },
    { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata: { name: "v1beta1.metrics.k8s.io" }, spec: version },
  ];
}
