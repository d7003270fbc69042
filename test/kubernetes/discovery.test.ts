/** A real cluster, read by a real client: what our own words say about it, and how soon. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { realClock } from "../../src/agent/real-clock.ts";
import type { AppKey, VersionKey } from "../../src/model/names.ts";
import type { ClusterAccess } from "../../src/providers/kubernetes/access.ts";
import { KubeClient } from "../../src/providers/kubernetes/client.ts";
import { kubeconfigAccess } from "../../src/providers/kubernetes/kubeconfig.ts";
import { type ClusterTranslation, translateCluster } from "../../src/providers/kubernetes/translate.ts";
import { ClusterWatch } from "../../src/providers/kubernetes/watch.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { silentLog } from "../support/real.ts";
import { create, startTestCluster } from "./support/cluster.ts";
import { pod } from "./support/objects.ts";

const stop = new AbortController();
let cluster: Cluster;
let access: ClusterAccess;
let client: KubeClient;
let watch: ClusterWatch;
let work: Promise<void>;

async function accessTo(file: string): Promise<ClusterAccess> {
  const found = await kubeconfigAccess({ file, env: {} });
  assert.ok(found.ok, JSON.stringify(found));
  return found.value;
}

before(
  async () => {
    cluster = await startTestCluster();
    access = await accessTo(cluster.kubeconfig);
    client = new KubeClient({ access, clock: realClock });
    watch = new ClusterWatch({ client, clock: realClock, log: silentLog, random: Math.random });
    work = watch.start(stop.signal);
    await cluster.kubectl(["label", "namespace", "default", "weir.dev/mesh=on"]);
    await create(cluster, [web("web-1", "node-1"), web("web-2", "node-2"), service], "web-1", "web-2");
  },
  { timeout: 300_000 },
);

after(async () => {
  stop.abort();
  await work;
  access.close();
  await stopCluster(cluster.dir);
});

const readiness = { httpGet: { port: "http", path: "/" }, periodSeconds: 1 };
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: "http" }] },
};

function web(name: string, node: string): object {
  const container = { ports: [{ name: "http", containerPort: 8080 }], readinessProbe: readiness };
  // It goes on serving for a while after it was told to end.
  const lifecycle = { preStop: { sleep: { seconds: 5 } } };
  return pod(name, node, { image: "echo", labels: { app: "web" }, container: { ...container, lifecycle }, spec: { terminationGracePeriodSeconds: 10 } });
}

/** Waits for a view whose translation `holds`; answers it. */
async function until(holds: (now: ClusterTranslation) => boolean, what: string): Promise<ClusterTranslation> {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), 30_000);
  try {
    for await (const view of watch.view.watch(giveUp.signal)) {
      if (view === undefined) continue;
      const now = translateCluster(view);
      if (holds(now)) return now;
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`never: ${what}; ${watch.trouble ?? ""}`);
}

const endpoints = (now: ClusterTranslation) => now.endpoints.get("default/web@all" as VersionKey) ?? [];
const ready = (now: ClusterTranslation): string =>
  endpoints(now)
    .filter((endpoint) => endpoint.ready)
    .map(({ node }) => node ?? "")
    .toSorted()
    .join(" ");

test("a Service is an app with its address and its ready pods, at the ports that its names mean", async () => {
  const now = await until((now) => ready(now) === "node-1 node-2", "two ready endpoints");
  assert.equal(now.addresses.get("default/web"), await cluster.kubectl(["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]));
  assert.deepEqual([...(now.apps.get("default/web" as AppKey)?.versions.values() ?? [])][0]?.ports, [{ port: 80, containerPort: 80, protocol: "http" }]);
  assert.deepEqual(
    endpoints(now).map(({ ports }) => [...(ports ?? [])]),
    [[[80, 8080]], [[80, 8080]]],
  );
  assert.ok(now.apps.has("default/kubernetes" as AppKey), "also the API server's own, which has no selector");
});

test("pods of the mesh are those of the labelled namespace, with what the kubelet calls", async () => {
  const { meshPods } = await until((now) => now.meshPods.size === 2, "two pods");
  const found = [...meshPods.values()].map(({ name, node, app, mode, probePorts, ready, serviceAccount }) => [
    name,
    node,
    app,
    mode,
    probePorts,
    ready,
    serviceAccount,
  ]);
  assert.deepEqual(found, [
    ["web-1", "node-1", "web", "strict", [8080], true, "default"],
    ["web-2", "node-2", "web", "strict", [8080], true, "default"],
  ]);
  for (const { address, name } of meshPods.values()) assert.equal(address, await cluster.kubectl(["get", "pod", name, "-o", "jsonpath={.status.podIP}"]));
});

test("a pod that ends gets no new traffic while another is ready; the last one gets it as long as it serves", async () => {
  await cluster.kubectl(["delete", "pod", "web-1", "--wait=false"]);
  const first = await until((now) => ready(now) === "node-2", "only the other one");
  assert.equal(endpoints(first).length, 2, "it is still there");
  await until((now) => endpoints(now).length === 1, "it ended");
  await cluster.kubectl(["delete", "pod", "web-2", "--wait=false"]);
  const last = await until((now) => [...now.meshPods.values()].some(({ terminating }) => terminating), "the last one ends");
  assert.equal(ready(last), "node-2");
  await until((now) => endpoints(now).length === 0 && now.meshPods.size === 0, "nothing is left");
});

test("server-side apply: fields of others are conflicts with causes, unless they are taken; dry runs keep nothing", async () => {
  const place = { kind: { group: "", version: "v1", resource: "configmaps" }, namespace: "default", name: "words" };
  const words = (value: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "words" }, data: { a: value } });
  assert.equal((await client.apply(place, words("1"), { dryRun: true })).ok, true);
  const missing = await client.get(place);
  assert.equal(missing.ok ? "" : missing.error.kind, "notFound");
  assert.equal((await client.apply(place, words("1"))).ok, true);
  await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(words("2")));
  const refused = await client.apply(place, words("3"));
  assert.ok(!refused.ok && refused.error.kind === "conflict", JSON.stringify(refused));
  assert.deepEqual(
    refused.error.causes.map(({ field }) => field),
    [".data.a"],
  );
  assert.equal((await client.apply(place, words("3"), { force: true })).ok, true);
  const bad = await client.apply(
    { ...place, kind: { ...place.kind, resource: "services" } },
    { ...service, metadata: { name: "words" }, spec: { ports: [{ port: 0 }] } },
  );
  assert.ok(!bad.ok && bad.error.kind === "invalid" && bad.error.causes.length > 0, JSON.stringify(bad));
  assert.equal((await client.delete(place)).ok, true);
});

test("who may not read is told so, by the review and by the watch", async () => {
  const restricted = await accessTo(await cluster.kubeconfigFor("nobody"));
  const nobody = new KubeClient({ access: restricted, clock: realClock });
  const kind = { group: "authorization.k8s.io", version: "v1", resource: "selfsubjectaccessreviews" };
  const question = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: { verb: "list", resource: "pods" } } };
  const review = await nobody.create({ kind }, question);
  assert.ok(review.ok && !(review.value as { status: { allowed: boolean } }).status.allowed, JSON.stringify(review));
  const blind = new ClusterWatch({ client: nobody, clock: realClock, log: silentLog, random: Math.random });
  const end = new AbortController();
  const running = blind.start(end.signal);
  await realClock.sleep(1_000);
  assert.match(blind.trouble ?? "", /^namespaces: namespaces is forbidden: User "nobody"/);
  assert.equal(blind.view.get(), undefined);
  end.abort();
  await running;
  restricted.close();
});
