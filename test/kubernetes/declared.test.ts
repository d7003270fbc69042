/** What is declared, on a real API server: its definitions, the store, and whoever else applies objects. */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { realClock } from "../../src/agent/real-clock.ts";
import { definitionObjects } from "../../src/install/crds.ts";
import { accessObjects } from "../../src/install/rbac.ts";
import type { DeclaredSnapshot, Write } from "../../src/model/declared.ts";
import type { AppName, Namespace } from "../../src/model/names.ts";
import type { HeaderChanges, Probe, Router, Service } from "../../src/model/types.ts";
import { KubeClient } from "../../src/providers/kubernetes/client.ts";
import { kubeconfigAccess } from "../../src/providers/kubernetes/kubeconfig.ts";
import { type KubernetesStore, openKubernetesStore } from "../../src/store/kubernetes/kubernetes-store.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { router, service } from "../support/declared.ts";
import { silentLog } from "../support/real.ts";
import { startTestCluster, tryKubectl } from "./support/cluster.ts";

let cluster: Cluster;

before(
  async () => {
    cluster = await startTestCluster();
    const roles = accessObjects().filter(({ kind }) => kind === "ClusterRole");
    await cluster.kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: [...definitionObjects(), ...roles] }));
    await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
  },
  { timeout: 300_000 },
);
after(async () => stopCluster(cluster.dir));

async function tryOpen(
  t: TestContext,
  options: { readonly user?: string; readonly namespaces?: readonly string[] } = {},
): ReturnType<typeof openKubernetesStore> {
  const file = options.user === undefined ? cluster.kubeconfig : await cluster.kubeconfigFor(options.user);
  const access = await kubeconfigAccess({ file, env: {} });
  assert.ok(access.ok, JSON.stringify(access));
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
    access.value.close();
  });
  const client = new KubeClient({ access: access.value, clock: realClock });
  const { namespaces } = options;
  return openKubernetesStore(
    { client, clock: realClock, log: silentLog, random: Math.random, ...(namespaces === undefined ? {} : { namespaces }) },
    stop.signal,
  );
}

async function open(t: TestContext, options: Parameters<typeof tryOpen>[1] = {}): Promise<KubernetesStore> {
  const opened = await tryOpen(t, options);
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

async function commit(store: KubernetesStore, writes: readonly Write[]): Promise<DeclaredSnapshot> {
  const result = await store.commit(writes);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

async function until(store: KubernetesStore, holds: (snapshot: DeclaredSnapshot) => boolean): Promise<DeclaredSnapshot> {
  for await (const snapshot of store.snapshot.watch(AbortSignal.timeout(30_000))) if (holds(snapshot)) return snapshot;
  throw new Error("never");
}

/** A namespace of the test's own. */
async function ownNamespace(name: string): Promise<Namespace> {
  await cluster.kubectl(["create", "namespace", name]);
  return name as Namespace;
}

function put(namespace: Namespace, name: string, value = "1", extra: { stack?: string; expected?: number } = {}): Write {
  return { op: "put", kind: "config", key: `${namespace}/${name}`, value: { namespace, name, data: { key: value } }, ...extra };
}

function putVersion(value: Service, extra: { stack?: string } = {}): Write {
  const key = `${value.namespace}/${value.app}@${value.version}`;
  return { op: "put", kind: "service", key, value: { service: value, origin: "file", restarts: 2 }, ...extra };
}

const probe: Probe = {
  check: { kind: "http", path: "/healthz", port: 8080, headers: { "x-a": "b" } },
  initialDelayMs: 1,
  intervalMs: 2,
  timeoutMs: 3,
  failureThreshold: 4,
  successThreshold: 5,
};
const changes: HeaderChanges = { add: [{ name: "a", value: "1" }], set: [{ name: "b", value: "2" }], remove: ["c"] };

/** With every field that there is. */
function fullService(namespace: Namespace): Service {
  return service("web@v1", {
    namespace,
    image: "registry.example/web:1",
    command: ["serve", "--port", "8080"],
    dir: "/srv",
    env: { A: { kind: "literal", value: "" }, B: { kind: "config", name: "c", key: "k" }, C: { kind: "secret", name: "s", key: "k" } },
    ports: [
      { port: 80, containerPort: 8080, protocol: "http" },
      { port: 90, containerPort: 9090, protocol: "grpc" },
    ],
    health: {
      start: { ...probe, check: { kind: "exec", command: ["true"] } },
      ready: probe,
      live: { ...probe, check: { kind: "grpc", port: 9090, service: "" } },
    },
    mounts: [{ kind: "config", name: "c", key: "k", path: "/etc/k" }],
    scale: 3,
    egress: true,
  });
}

function fullRouter(namespace: Namespace): Router {
  const value = { kind: "present" } as const;
  const to = { kind: "version", namespace, name: "web", version: "v1" as never, port: 80 } as const;
  return router("www", {
    namespace,
    hosts: ["shop.example", "*.shop.example"],
    rules: [
      {
        match: [
          {
            path: { kind: "regex", value: "/a.*" },
            methods: ["GET"],
            headers: [{ name: "x", value }],
            query: [{ name: "q", value: { kind: "exact", value: "1" } }],
            cookies: [],
          },
        ],
        action: {
          kind: "forward",
          destinations: [
            { to, weight: 9000, requestHeaders: changes },
            { to: { kind: "external", namespace: "other" as Namespace, name: "db" }, weight: 1000 },
          ],
          rewrite: { host: "h", fullPath: "/b" },
          timeoutMs: 0,
          retries: { attempts: 2, perTryTimeoutMs: 5, on: ["5xx"] },
          tryTimeoutMs: 7,
          mirrors: [{ to, share: 100 }],
          refused: 10,
        },
        requestHeaders: changes,
        responseHeaders: changes,
      },
      {
        match: [],
        action: { kind: "redirect", redirect: { scheme: "https", host: "x", port: 443, fullPath: "/", code: 308 } },
        requestHeaders: changes,
        responseHeaders: changes,
      },
    ],
  });
}

test("every field of every kind is kept and read back, in one commit", async (t) => {
  const namespace = await ownNamespace("fields");
  const store = await open(t);
  const external = {
    namespace,
    name: "db",
    endpoints: [{ host: "localhost", port: 5432 }],
    ports: [{ port: 5432, containerPort: 5432, protocol: "tcp" }],
    tls: { serverName: "db" },
  } as const;
  const rollout = { from: { v1: 10_000 }, startedAt: 1_790_000_000_000, durationMs: 1000 };
  const history = [{ revision: 1, at: 1_790_000_000_000, change: "up shop", weights: { v1: 10_000 }, durationMs: 0 }];
  const app = { namespace, app: "web" as AppName, weights: { v1: 10_000 }, rollout, history };
  const secret = { namespace, name: "s", data: { k: "hunter2 ü", empty: "" } };
  const writes: readonly Write[] = [
    putVersion(fullService(namespace), { stack: "shop" }),
    { op: "put", kind: "app", key: `${namespace}/web`, value: app },
    { op: "put", kind: "router", key: `${namespace}/www`, value: fullRouter(namespace), stack: "shop" },
    { op: "put", kind: "external", key: `${namespace}/db`, value: external },
    { op: "put", kind: "secret", key: `${namespace}/s`, value: secret, stack: "shop" },
    put(namespace, "c"),
  ];
  const { objects, version } = await commit(store, writes);
  assert.deepEqual(objects.service.get(`${namespace}/web@v1`)?.value, { service: fullService(namespace), origin: "file", restarts: 2 });
  assert.deepEqual(objects.app.get(`${namespace}/web`)?.value, app);
  assert.deepEqual(objects.router.get(`${namespace}/www`)?.value, fullRouter(namespace));
  assert.deepEqual(objects.external.get(`${namespace}/db`)?.value, external);
  assert.deepEqual(objects.secret.get(`${namespace}/s`)?.value, secret);
  assert.deepEqual([...objects.stack.keys()], ["shop"]);
  const web = objects.service.get(`${namespace}/web@v1`);
  assert.ok(web !== undefined && web.generation === 1 && web.version <= version && Math.abs(web.createdAt - Date.now()) < 120_000);
  const again = await commit(store, writes);
  assert.equal(again, store.snapshot.get());
  assert.equal(again.version, version, "an equal put changes nothing");
  const some = await commit(store, [
    put(namespace, "c", "2"),
    { op: "delete", kind: "router", key: `${namespace}/www` },
    { op: "delete", kind: "secret", key: `${namespace}/s` },
  ]);
  assert.deepEqual([some.objects.router.has(`${namespace}/www`), some.objects.secret.has(`${namespace}/s`)], [false, false]);
  assert.equal(await cluster.kubectl(["get", "router,secret", "-n", namespace, "-o", "name"]), "");
});

test("a commit is all or nothing: what the API server refuses, and what fails in the middle", async (t) => {
  const namespace = await ownNamespace("whole");
  const store = await open(t, { namespaces: [namespace] });
  const before = await commit(store, [put(namespace, "old"), put(namespace, "kept")]);
  const tooLong = service(`web@${"v".repeat(61)}`, { namespace, image: "x" });
  const kept: Write = { op: "delete", kind: "config", key: `${namespace}/kept` };
  const refused = await store.commit([put(namespace, "old", "2"), putVersion(tooLong), kept]);
  assert.match(refused.ok ? "" : (refused.problems[0]?.message ?? ""), /APP-VERSION is also a Service's name/);
  assert.equal(store.snapshot.get(), before);
  assert.match(await cluster.kubectl(["get", "configmap", "kept", "-n", namespace, "-o", "name"]), /kept/, "what is only tried stays");
  await denyRealWritesOf("router-that-fails");
  const failing: Write = { op: "put", kind: "router", key: `${namespace}/router-that-fails`, value: { ...fullRouter(namespace), name: "router-that-fails" } };
  const failed = await store.commit([
    put(namespace, "old", "3", { stack: "shop" }),
    put(namespace, "fresh"),
    putVersion(fullService(namespace)),
    failing,
    kept,
  ]);
  assert.match(failed.ok ? "" : failed.problems.map(({ code, message }) => `${code} ${message}`).join(), /^cluster-refused .*not really/);
  assert.deepEqual(JSON.parse(await cluster.kubectl(["get", "configmap", "old", "-n", namespace, "-o", "jsonpath={.data}"])), { key: "1" });
  assert.equal(
    await cluster.kubectl(["get", "configmap,version", "-n", namespace, "-l", "weir.dev/kind=config", "-o", "name"]),
    "configmap/kept\nconfigmap/old\n",
  );
  assert.equal(await cluster.kubectl(["get", "versions", "-n", namespace, "-o", "name"]), "");
});

/** Trials pass, writes do not: what no dry run can foresee. */
async function denyRealWritesOf(name: string): Promise<void> {
  const rule = { apiGroups: ["weir.dev"], apiVersions: ["*"], operations: ["CREATE"], resources: ["routers"] };
  const expression = `object.metadata.name != '${name}' || (has(request.dryRun) && request.dryRun)`;
  const policy = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: { failurePolicy: "Fail", matchConstraints: { resourceRules: [rule] }, validations: [{ expression, message: "not really" }] },
  };
  const binding = {
    apiVersion: policy.apiVersion,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: { policyName: name, validationActions: ["Deny"] },
  };
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: [policy, binding] }));
  const probe = {
    apiVersion: "weir.dev/v1alpha1",
    kind: "Router",
    metadata: { name, namespace: "default" },
    spec: { rules: [{ action: { destinations: [{ to: { name: "a" } }] } }] },
  };
  for (let tries = 0; tries < 100; tries += 1) {
    const { code } = await tryKubectl(cluster.kubeconfig, ["create", "-f", "-"], JSON.stringify(probe));
    if (code !== 0) return;
    await cluster.kubectl(["delete", "router", name, "-n", "default"]);
    await sleep(300);
  }
  throw new Error("the policy never held");
}

test("of two who change the same, one is told; a new status is in nobody's way", async (t) => {
  const namespace = await ownNamespace("race");
  const [ann, bob] = [await open(t), await open(t)];
  const first = await commit(ann, [putVersion(fullService(namespace))]);
  const version = first.objects.service.get(`${namespace}/web@v1`)?.version ?? 0;
  await until(bob, ({ objects }) => objects.service.has(`${namespace}/web@v1`));
  await cluster.kubectl([
    "patch",
    "version",
    "web-v1",
    "-n",
    namespace,
    "--subresource=status",
    "--type=merge",
    "-p",
    '{"status":{"state":"ready","ready":3,"wanted":3,"weight":10000,"hash":"h"}}',
  ]);
  const scaled = (scale: number): Write => ({ ...putVersion({ ...fullService(namespace), scale }), expected: version });
  const results = await Promise.all([ann.commit([scaled(5)]), bob.commit([scaled(7)])]);
  assert.deepEqual(
    results.flatMap((result) => (result.ok ? [] : result.problems.map(({ code }) => code))),
    ["conflict"],
  );
  const put1 = put(namespace, "new", "ann", { expected: 0 });
  const both = await Promise.all([ann.commit([put1]), bob.commit([put(namespace, "new", "bob", { expected: 0 })])]);
  assert.equal(both.filter(({ ok }) => ok).length, 1);
});

test("what kubectl applies is seen, with defaults; what it scales and deletes, too", async (t) => {
  const namespace = await ownNamespace("kubectl");
  const store = await open(t);
  const version = {
    apiVersion: "weir.dev/v1alpha1",
    kind: "Version",
    metadata: { name: "web-v2", namespace },
    spec: { app: "web", version: "v2", image: "x", ports: [{ port: 80 }] },
  };
  const from = store.snapshot.get().version;
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(version));
  const key = `${namespace}/web@v2`;
  const { objects } = await until(store, (snapshot) => snapshot.objects.service.has(key));
  const read = objects.service.get(key)?.value;
  assert.deepEqual(
    [read?.service.ports, read?.service.public, read?.service.scale, read?.origin],
    [[{ port: 80, containerPort: 80, protocol: "http" }], true, 1, "file"],
  );
  assert.deepEqual(objects.app.get(`${namespace}/web`)?.value.weights, { v2: 10_000 });
  await cluster.kubectl(["scale", "version", "web-v2", "-n", namespace, "--replicas=4"]);
  await until(store, (snapshot) => snapshot.objects.service.get(key)?.value.service.scale === 4);
  await cluster.kubectl(["delete", "version", "web-v2", "-n", namespace]);
  await until(store, (snapshot) => !snapshot.objects.service.has(key));
  const stop = new AbortController();
  const steps: string[] = [];
  for await (const batch of store.watch(from, stop.signal)) {
    assert.ok(batch.kind === "changes");
    for (const { kind, key: changed, object } of batch.changes)
      if (changed.startsWith(`${namespace}/`)) steps.push(`${kind}${object === undefined ? " gone" : ""}`);
    if (steps.includes("service gone")) stop.abort();
  }
  assert.deepEqual(
    steps.filter((step) => step.startsWith("service")),
    ["service", "service", "service gone"],
  );
});

test("a user of one namespace needs no more than the role edit; with view alone nothing can be changed", async (t) => {
  const namespace = await ownNamespace("team");
  for (const [user, role] of [
    ["ann", "edit"],
    ["vic", "view"],
  ] as const)
    await cluster.kubectl(["create", "rolebinding", user, "-n", namespace, `--clusterrole=${role}`, `--user=${user}`]);
  await untilAllowed("ann", namespace, "create", "versions.weir.dev");
  await untilAllowed("vic", namespace, "list", "versions.weir.dev");
  const wide = await tryOpen(t, { user: "ann" });
  assert.deepEqual(wide.ok ? [] : wide.problems.map(({ code }) => code), ["cluster-forbidden"]);
  const ann = await open(t, { user: "ann", namespaces: [namespace] });
  const secret: Write = { op: "put", kind: "secret", key: `${namespace}/s`, value: { namespace, name: "s", data: { k: "v" } } };
  const after = await commit(ann, [put(namespace, "a"), secret, putVersion(fullService(namespace))]);
  assert.deepEqual([after.objects.service.size, after.objects.secret.size], [1, 1]);
  const vic = await open(t, { user: "vic", namespaces: [namespace] });
  assert.deepEqual([vic.snapshot.get().objects.service.size, vic.snapshot.get().objects.secret.size], [1, 0]);
  const refused = await vic.commit([put(namespace, "b")]);
  assert.deepEqual(refused.ok ? [] : refused.problems.map(({ code }) => code), ["cluster-forbidden"]);
});

/** Roles that the cluster puts together take a moment. */
async function untilAllowed(user: string, namespace: string, verb: string, resource: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { stdout } = await tryKubectl(cluster.kubeconfig, ["auth", "can-i", verb, resource, "-n", namespace, `--as=${user}`]);
    if (stdout.startsWith("yes")) return;
    await sleep(300);
  }
  throw new Error(`${user} never may ${verb} ${resource}`);
}

test("kubectl shows what the control plane says, in its own columns", async () => {
  const namespace = await ownNamespace("columns");
  const objects = [
    { kind: "Version", metadata: { name: "web-v1", namespace }, spec: { app: "web", version: "v1", image: "x" } },
    { kind: "App", metadata: { name: "web", namespace }, spec: { weights: { v1: 10_000 } } },
  ];
  await cluster.kubectl(
    ["create", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "List", items: objects.map((object) => ({ apiVersion: "weir.dev/v1alpha1", ...object })) }),
  );
  const status = { state: "starting", ready: 1, wanted: 2, weight: 10_000, hash: "h", reason: "pulling", shown: { ready: "1/2", weight: "100%" } };
  await cluster.kubectl(["patch", "version", "web-v1", "-n", namespace, "--subresource=status", "--type=merge", "-p", JSON.stringify({ status })]);
  const [head, line] = (await cluster.kubectl(["get", "versions", "-n", namespace, "--field-selector", "spec.app=web"])).split("\n");
  assert.match(head ?? "", /^NAME +APP +VERSION +STATE +READY +WEIGHT +AGE +REASON$/);
  assert.match(line ?? "", /^web-v1 +web +v1 +starting +1\/2 +100% +\S+ +pulling$/);
  const all = await cluster.kubectl(["get", "weir", "-n", namespace, "-o", "name"]);
  assert.deepEqual(all.trim().split("\n").toSorted(), ["app.weir.dev/web", "version.weir.dev/web-v1"]);
});

test("the API server refuses what cannot be, and says why", async () => {
  const forward = (...to: readonly object[]): object => ({ rules: [{ action: { destinations: to } }] });
  const web = { app: "web", version: "v1", image: "x" };
  for (const [kind, name, spec, message] of [
    ["Version", "web-v2", web, /the name must be APP-VERSION/],
    ["Version", "web-v1", { app: "web", version: "v1" }, /a version needs an image, or to say whose pods it adopts/],
    ["Version", "web-v1", { ...web, ports: [{ port: 80 }, { port: 80 }] }, /Duplicate value/],
    ["Version", "web-v1", { ...web, env: { A: { kind: "config", value: "x" } } }, /config, secret: needs name/],
    ["Version", "web-v1", { ...web, health: { live: { check: { kind: "tcp", path: "/" } } } }, /path belongs to the kind http/],
    ["App", "web", { weights: { v1: 9000 } }, /weights must sum to 10000/],
    ["Router", "www", forward({ to: { name: "a" } }, { to: { name: "b" } }), /the destinations' weights must sum to 10000/],
    ["Router", "www", forward({ to: { name: "a", version: "v1" } }), /a version is named by the kind version/],
    ["Router", "w.w", forward({ to: { name: "a" } }), /one part of a DNS name/],
    ["ExternalService", "db", { endpoints: [], ports: [{ port: 1 }] }, /should have at least 1 items/],
  ] as const) {
    const object = { apiVersion: "weir.dev/v1alpha1", kind, metadata: { name, namespace: "default" }, spec };
    const { code, stderr } = await tryKubectl(cluster.kubeconfig, ["create", "--dry-run=server", "-f", "-"], JSON.stringify(object));
    assert.equal(code, 1, JSON.stringify(object));
    assert.match(stderr, message);
  }
});
