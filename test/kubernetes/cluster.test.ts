/** The test cluster is a real one: what Weir will rely on is tried here, and that it leaves nothing behind. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { findCgroup } from "../cluster/cgroups.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { writeImage } from "../cluster/image.ts";
import { toolsImage } from "../cluster/images.ts";
import { issue, makeAuthority } from "../cluster/pki.ts";
import { readRecord } from "../cluster/record.ts";
import { run } from "../cluster/run.ts";
import { addressOf, ask, create, execute, portForward, startTestCluster, tryKubectl } from "./support/cluster.ts";
import { lookAtMachine, type Machine, pidNamespaces, processesNaming } from "./support/machine.ts";
import { type Echo, pod, service } from "./support/objects.ts";

let machine: Machine;
let cluster: Cluster;
let upMs = 0;

before(
  async () => {
    machine = await lookAtMachine();
    const startedAt = Date.now();
    cluster = await startTestCluster();
    upMs = Date.now() - startedAt;
    const web = { image: "echo", labels: { app: "web" } };
    const container = { ports: [{ containerPort: 8080, hostPort: 8088 }], resources: { limits: { cpu: "500m", memory: "64Mi" } } };
    const objects = [
      pod("web-1", "node-1", { ...web, container }),
      pod("web-2", "node-2", web),
      pod("client-1", "node-1"),
      pod("client-2", "node-2"),
      service("web", "web", 80, 8080),
    ];
    await create(cluster, objects, "web-1", "web-2", "client-1", "client-2");
  },
  { timeout: 300_000 },
);

// Also when a test failed: the last one ends the cluster, and then this does nothing.
after(() => stopCluster(cluster.dir));

test("two nodes are ready and the DNS answers within 90 s", (t) => {
  t.diagnostic(`up after ${(upMs / 1000).toFixed(1)} s`);
  assert.ok(upMs <= 90_000, `${upMs} ms`);
});

async function call(client: string, url: string, ...options: readonly string[]): Promise<Echo> {
  return JSON.parse(await execute(cluster, client, "curl", "-sS", "-m", "5", ...options, url)) as Echo;
}

test("pods reach each other across nodes by address, by ClusterIP and by name, and see who calls", async () => {
  const [web1, web2, client1] = await Promise.all(["web-1", "web-2", "client-1"].map((name) => addressOf(cluster, name)));
  const service = await cluster.kubectl(["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
  const byAddress = await call("client-1", `http://${web2}:8080/`);
  assert.deepEqual([byAddress.hostname, byAddress.remote.split(":")[0]], ["web-2", client1]);
  assert.equal((await call("client-2", `http://${web1}:8080/`)).hostname, "web-1");
  for (const url of [`http://${service}/`, "http://web/", "http://web.default.svc.cluster.local/"])
    for (const client of ["client-1", "client-2"]) assert.match((await call(client, url)).hostname, /^web-[12]$/, url);
  assert.equal((await call("client-1", "http://web/", "--http2-prior-knowledge")).protocol, "HTTP/2.0");
  const answered = await Promise.all(Array.from({ length: 20 }, async () => (await call("client-1", "http://web/")).hostname));
  assert.equal(new Set(answered).size, 2, "both replicas answer");
});

test("nodes reach pods and Services", async () => {
  const service = await cluster.kubectl(["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
  for (const node of ["node-1", "node-2"]) {
    const { stdout, stderr } = await cluster.inNamespace(["curl", "-sS", "-m", "5", `http://${service}/`], node);
    assert.match(stdout, /"hostname":"web-[12]"/, stderr);
  }
});

test("a host port leads to its pod", async () => {
  const { stdout, stderr } = await cluster.inNamespace(["curl", "-sS", "-m", "5", `http://${cluster.nodes[0]?.ip}:8088/`], "node-2");
  assert.match(stdout, /"hostname":"web-1"/, stderr);
});

test("a pod reaches the API server as its ServiceAccount, whose certificate it can check", async () => {
  const account = "/var/run/secrets/kubernetes.io/serviceaccount";
  const script = `curl -sS --cacert ${account}/ca.crt -H "Authorization: Bearer $(cat ${account}/token)" https://kubernetes.default.svc/api/v1/nodes`;
  assert.match(await execute(cluster, "client-2", "sh", "-c", script), /nodes is forbidden: User \\"system:serviceaccount:default:default\\"/);
});

test("logs, exec and port-forward go through the API server to the kubelet", async () => {
  assert.match(await cluster.kubectl(["logs", "web-1"]), /echo listens on :8080/);
  const { code, stdout } = await tryKubectl(cluster.kubeconfig, ["exec", "-i", "client-1", "--", "sh", "-c", "cat; exit 7"], "typed in\n");
  assert.deepEqual([code, stdout], [7, "typed in\n"]);
  const echo = await portForward(cluster, "web-2", 8080, async (port) => (await fetch(`http://127.0.0.1:${port}/`)).json());
  assert.equal((echo as Echo).hostname, "web-2");
});

test("the kubelet answers nobody without a certificate or a right", async () => {
  const { stdout } = await cluster.inNamespace(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", `https://${cluster.nodes[0]?.ip}:10250/pods`]);
  assert.equal(stdout, "401");
});

test("a ServiceAccount's token is for its audience only", async () => {
  const token = (await cluster.kubectl(["create", "token", "default", "--audience", "weir"])).trim();
  const review = async (audience: string) => {
    const question = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: [audience] } };
    return (await ask<{ status: { authenticated?: boolean; user: { username?: string } } }>(cluster, question)).status;
  };
  const accepted = await review("weir");
  assert.deepEqual([accepted.authenticated, accepted.user.username], [true, "system:serviceaccount:default:default"]);
  assert.notEqual((await review("somebody-else")).authenticated, true);
});

test("users have the rights that RBAC gives them, aggregated ones too", async () => {
  const alice = await cluster.kubeconfigFor("alice", ["team-a"]);
  assert.match((await tryKubectl(alice, ["get", "pods"])).stderr, /pods is forbidden: User "alice"/);
  const rbac = { apiVersion: "rbac.authorization.k8s.io/v1" };
  const reader = {
    ...rbac,
    kind: "ClusterRole",
    metadata: { name: "reader", labels: { "weir-test/part": "yes" } },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
  };
  const whole = {
    ...rbac,
    kind: "ClusterRole",
    metadata: { name: "whole" },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { "weir-test/part": "yes" } }] },
  };
  const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "team-a" }];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "whole" };
  await create(cluster, [
    reader,
    { ...whole, rules: [] },
    { ...rbac, kind: "RoleBinding", metadata: { name: "team-a", namespace: "default" }, roleRef, subjects },
  ]);
  await eventually(async () => assert.match((await tryKubectl(alice, ["get", "pods"])).stdout, /web-1/));
});

test("an agent on a node: privileged, with the node's processes, network and pod namespaces", async () => {
  const spec = {
    hostPID: true,
    hostNetwork: true,
    volumes: [
      { name: "netns", hostPath: { path: "/run/netns" } },
      { name: "own", hostPath: { path: "/run/agent", type: "DirectoryOrCreate" } },
    ],
  };
  const container = {
    securityContext: { privileged: true },
    volumeMounts: [
      { name: "netns", mountPath: "/run/netns", mountPropagation: "HostToContainer" },
      { name: "own", mountPath: "/run/agent", mountPropagation: "Bidirectional" },
    ],
  };
  await create(cluster, [pod("agent", "node-1", { spec, container })], "agent");
  const inAgent = (script: string) => execute(cluster, "agent", "sh", "-ec", script);
  assert.equal(await addressOf(cluster, "agent"), cluster.nodes[0]?.ip, "the node's network");

  const [own, other] = await Promise.all([addressOf(cluster, "client-1"), addressOf(cluster, "client-2")]);
  const addresses = await inAgent("for pin in /run/netns/*; do nsenter --net=$pin ip -4 addr; done");
  assert.ok(addresses.includes(`${own}/`), `the namespace of a pod of this node:\n${addresses}`);
  assert.ok(!addresses.includes(`${other}/`), "and of no other's");

  const processes = await inAgent("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
  assert.match(processes, /kubelet --config/);
  assert.doesNotMatch(processes, /kube-apiserver|hostname-override=node-2/, "other machines' processes");

  // A pin made in the agent is there for others, also for pods that start later.
  await inAgent("touch /run/agent/pin; mount --bind /proc/self/ns/net /run/agent/pin");
  const mounts = await cluster.inNamespace(["cat", "/proc/self/mounts"], "node-1");
  assert.match(mounts.stdout, /nsfs \/run\/agent\/pin nsfs/);
  assert.ok(!readFileSync("/proc/self/mounts", "utf8").includes("/run/agent/pin"), "the machine does not see it");
});

test("an admission webhook behind a Service is asked", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-webhook-"));
  const base64 = (file: string): string => readFileSync(file).toString("base64");
  try {
    const authority = await makeAuthority(dir);
    const { cert, key } = await issue(dir, "webhook", { name: "webhook", at: ["DNS:webhook.default.svc"] });
    const tls = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "webhook" },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(cert), "tls.key": base64(key) },
    };
    const container = { volumeMounts: [{ name: "tls", mountPath: "/tls" }], readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 } };
    const volumes = [{ name: "tls", secret: { secretName: "webhook" } }];
    const server = pod("webhook", "node-2", { image: "webhook", labels: { app: "webhook" }, container, spec: { volumes } });
    await create(cluster, [tls, server, service("webhook", "webhook", 443, 8443)], "webhook");
    const hook = {
      name: "webhook.weir.test",
      clientConfig: { service: { name: "webhook", namespace: "default", path: "/admit" }, caBundle: base64(authority.cert) },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } },
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    };
    const meta = { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration", metadata: { name: "webhook" } };
    await create(cluster, [{ ...meta, webhooks: [hook] }]);
    const configMap = (name: string, labels: object): string => JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels } });
    await eventually(async () => {
      const { stderr } = await tryKubectl(
        cluster.kubeconfig,
        ["create", "--dry-run=server", "-f", "-"],
        configMap("refused", { "weir-test/refuse": "not-today" }),
      );
      assert.match(stderr, /admission webhook "webhook.weir.test" denied the request: not-today/);
    });
    await cluster.kubectl(["create", "-f", "-"], configMap("allowed", {}));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("an image made of files runs on every node", async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-image-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const tar = path.join(dir, "extra.tar");
  writeFileSync(path.join(dir, "words"), "made here");
  const tools = await toolsImage();
  await writeImage({ ...tools, name: "weir-test/extra:1", files: { ...tools.files, "/words": path.join(dir, "words") } }, tar);
  await cluster.importImage(tar);
  const names = ["extra-1", "extra-2"];
  const extra = { image: "extra", command: ["sleep", "infinity"] };
  await create(cluster, [pod("extra-1", "node-1", extra), pod("extra-2", "node-2", extra)], ...names);
  for (const name of names) assert.equal(await execute(cluster, name, "cat", "/words"), "made here");
});

test("nothing is left of it, also when somebody else ends it", { timeout: 240_000 }, async () => {
  const record = readRecord(cluster.dir);
  assert.ok(record !== undefined);
  const inside = record.sandboxes.map(({ init }) => readlinkSync(`/proc/${init.pid}/ns/pid`));
  assert.ok(findCgroup(record.cgroup).length > 0);
  await run([process.execPath, "test/cluster/main.ts", "down", "--dir", cluster.dir], { cwd: path.resolve(import.meta.dirname, "../..") });
  assert.deepEqual(findCgroup(record.cgroup), [], "control groups");
  const running = pidNamespaces();
  assert.deepEqual(
    inside.filter((namespace) => running.has(namespace)),
    [],
    "pid namespaces",
  );
  assert.deepEqual(processesNaming(cluster.dir), []);
  assert.deepEqual(await lookAtMachine(), machine);
  assert.throws(() => readFileSync(cluster.kubeconfig), { code: "ENOENT" });
});

/** Watches inside the API server are quick, but not instant. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
