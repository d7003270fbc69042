/**
 * A Gateway on a real cluster: HTTP and HTTPS from outside to Services, by weight, to pods outside of the mesh and inside of it, while certificates and
 * its own proxies are replaced; to pods that serve TLS themselves, also inside of the mesh's own. WEIR_LOAD_COUNT (default 1 500) bounds every load.
 */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { applyCrds } from "../conformance/suite.ts";
import { selfSigned } from "../support/openssl.ts";
import { create, execute, startTestCluster } from "./support/cluster.ts";
import { eventually, type Mesh, startMesh } from "./support/mesh.ts";
import { type Echo, pod, service } from "./support/objects.ts";

const count = Number(process.env["WEIR_LOAD_COUNT"] ?? 1_500);
const rate = 100;
const readinessProbe = { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 };

let cluster: Cluster;
let mesh: Mesh;
let address = "";

before(
  async () => {
    cluster = await startTestCluster();
    await applyCrds(cluster);
    mesh = await startMesh(cluster);
    const echo = (name: string, node: string): object => pod(name, node, { image: "echo", labels: { app: name }, container: { readinessProbe } });
    const caller = pod("outside", "node-1", { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"], labels: { "weir.dev/mesh": "off" } });
    const curl = pod("curl", "node-1", { labels: { "weir.dev/mesh": "off" } });
    const echoes = [echo("v1", "node-1"), echo("v2", "node-2"), service("v1", "v1", 80, 8080), service("v2", "v2", 80, 8080)];
    await create(cluster, [...echoes, caller, curl, secure(), service("secure", "secure", 443, 8443)], "v1", "v2", "outside", "curl", "secure");
    await secret("one");
    const paths = [{ matches: [{ path: { type: "PathPrefix", value: "/secure" } }], backendRefs: [{ name: "secure", port: 443 }] }];
    await apply(gateway, ...policy, route([...paths, { backendRefs: [backend("v1", 90), backend("v2", 10)] }]));
    await cluster.kubectl(["wait", "--for=condition=Programmed", "--timeout=120s", "gateway/web"]);
    address = await cluster.kubectl(["get", "gateway", "web", "-o", "jsonpath={.status.addresses[0].value}"]);
  },
  { timeout: 400_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

const group = "gateway.networking.k8s.io/v1";
const gateway = {
  apiVersion: group,
  kind: "Gateway",
  metadata: { name: "web" },
  spec: {
    gatewayClassName: "weir",
    listeners: [
      { name: "http", port: 80, protocol: "HTTP" },
      { name: "https", port: 443, protocol: "HTTPS", hostname: "*.example", tls: { certificateRefs: [{ name: "cert" }] } },
    ],
  },
};

const own = selfSigned("secure.example");

/** A pod that serves TLS itself, and says by what name it was asked and who called. */
function secure(): object {
  const answer = "JSON.stringify({ asked: request.socket.servername, remote: request.socket.remoteAddress })";
  const script = `require("node:https").createServer({ key: process.env.KEY, cert: process.env.CERTIFICATE, keepAliveTimeout: 60_000 },
    (request, response) => response.end(${answer})).listen(8443);`;
  const env = Object.entries({ KEY: own.key, CERTIFICATE: own.certificate }).map(([name, value]) => ({ name, value }));
  const container = { env, readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 } };
  return pod("secure", "node-2", { image: "node", command: ["/bin/node", "-e", script], labels: { app: "secure" }, container });
}

const policy = [
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "roots" }, data: { "ca.crt": own.certificate } },
  {
    apiVersion: group,
    kind: "BackendTLSPolicy",
    metadata: { name: "secure" },
    spec: {
      targetRefs: [{ group: "", kind: "Service", name: "secure" }],
      validation: { hostname: "secure.example", caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "roots" }] },
    },
  },
];

function backend(name: string, weight: number): object {
  return { name, port: 80, weight };
}

function route(rules: readonly object[]): object {
  return { apiVersion: group, kind: "HTTPRoute", metadata: { name: "web" }, spec: { parentRefs: [{ name: "web" }], rules } };
}

async function apply(...objects: readonly object[]): Promise<void> {
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
}

/** A certificate of this subject in the Secret `cert`. */
async function secret(subject: string): Promise<void> {
  const { certificate, key } = selfSigned(subject);
  await apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "cert" },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": certificate, "tls.key": key },
  });
}

async function echoed(...words: readonly string[]): Promise<Echo> {
  return JSON.parse(await execute(cluster, "curl", "curl", "-sS", "-m", "5", ...words)) as Echo;
}

/** Requests from outside of the mesh while `work` goes on; none may fail. */
async function underLoad(t: TestContext, work: () => Promise<void>, url = "/"): Promise<void> {
  const load = execute(cluster, "outside", "/bin/node", "/apps/load.mjs", JSON.stringify({ url: `http://${address}${url}`, rate, count, fresh: 0.33 }));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [text] = await Promise.all([load, work()]);
  const { ok, failed, failures } = JSON.parse(text) as { readonly ok: number; readonly failed: number; readonly failures: readonly string[] };
  t.diagnostic(`${ok} ok, ${failed} failed`);
  assert.deepEqual(failures, []);
  assert.equal(ok, count);
}

test("a Gateway's address leads to Services, by weight", { timeout: 120_000 }, async () => {
  await eventually(async () => assert.equal((await echoed(`http://${address}/`)).headers["X-Request-Id"]?.length, 1));
  const text = await execute(cluster, "curl", "sh", "-c", `for i in $(seq 200); do curl -sS -m 5 http://${address}/; echo; done`);
  const [v1, v2] = ["v1", "v2"].map((name) => text.split(`"hostname":"${name}"`).length - 1) as [number, number];
  assert.equal(v1 + v2, 200);
  assert.ok(v2 >= 5 && v2 <= 45, `${v2} of 200 went to v2`);
});

test("HTTPS by server name, with the certificate that the Secret has now", { timeout: 120_000 }, async () => {
  const subjectOf = async (): Promise<string> => {
    const words = ["curl", "-sS", "-k", "-v", "-m", "5", "-o", "/dev/null", "--resolve", `web.example:443:${address}`, "https://web.example/"];
    const text = await execute(cluster, "curl", "sh", "-c", `${words.join(" ")} 2>&1`);
    return /subject: CN\s*=\s*(\S+)/.exec(text)?.[1] ?? text;
  };
  await eventually(async () => assert.equal(await subjectOf(), "one"));
  assert.equal((await echoed("-k", "--resolve", `web.example:443:${address}`, "https://web.example/")).headers["X-Forwarded-Proto"]?.[0], "https");
  await secret("two");
  await eventually(async () => assert.equal(await subjectOf(), "two"));
});

interface Secured {
  readonly asked: string;
  readonly remote: string;
}

async function secured(): Promise<Secured> {
  return JSON.parse(await execute(cluster, "curl", "curl", "-sS", "-m", "5", `http://${address}/secure`)) as Secured;
}

test("a backend that serves TLS is called by it, by the name that its policy says", { timeout: 120_000 }, async () => {
  await eventually(async () => assert.equal((await secured()).asked, "secure.example"));
  const reasons = await cluster.kubectl(["get", "backendtlspolicy", "secure", "-o", "jsonpath={.status.ancestors[*].conditions[*].reason}"]);
  assert.deepEqual(reasons.split(" ").toSorted(), ["Accepted", "ResolvedRefs"]);
});

test("backends join the mesh while requests come in, and then are called by mutual TLS alone", { timeout: 240_000 }, async (t) => {
  const join = async (): Promise<void> => {
    await cluster.kubectl(["label", "namespace", "default", "weir.dev/mesh=on"]);
    // The node of a pod in the mesh delivers what reaches it.
    await eventually(async () => assert.match((await echoed(`http://${address}/`)).remote, /^169\.254\.7\.1:/));
    await eventually(async () => assert.match((await secured()).remote, /169\.254\.7\.1$/));
  };
  await underLoad(t, () => underLoad(t, join, "/secure"));
  await eventually(async () => {
    const words = ["exec", "curl", "--", "curl", "-sS", "-m", "3", "-o", "/dev/null", "http://v1/"];
    await assert.rejects(cluster.kubectl(words), "plaintext from outside the mesh is refused");
  });
  assert.match((await echoed(`http://${address}/`)).remote, /^169\.254\.7\.1:/);
  const direct = ["exec", "curl", "--", "curl", "-sS", "-k", "-m", "3", "-o", "/dev/null", "https://secure/"];
  await eventually(() => assert.rejects(cluster.kubectl(direct), "a pod's own TLS is not the mesh's"));
  assert.equal((await secured()).asked, "secure.example");
});

test("the gateway's proxies are replaced, and no request fails", { timeout: 240_000 }, async (t) => {
  await underLoad(t, async () => {
    await cluster.kubectl(["rollout", "restart", "deployment/web-weir"]);
    await cluster.kubectl(["rollout", "status", "deployment/web-weir", "--timeout=180s"]);
  });
});

test("what is declared public has a gateway of its own for as long as there is any", { timeout: 240_000 }, async () => {
  const spec = { app: "shown", version: "v1", image: "weir-test/echo:1", public: true, ports: [{ port: 80, containerPort: 8080, protocol: "http" }] };
  await apply({ apiVersion: "weir.dev/v1alpha1", kind: "Version", metadata: { name: "shown-v1" }, spec });
  const addressAt = "jsonpath={.spec.clusterIP}";
  const own = await eventually(() => cluster.kubectl(["-n", "weir-system", "get", "service", "weir-gateway", "-o", addressAt]), 120_000);
  await eventually(async () => assert.match((await echoed("-H", "Host: shown-v1.localhost", `http://${own}/`)).hostname, /^shown-v1-/), 120_000);
  assert.match(
    await execute(cluster, "curl", "curl", "-sS", "-m", "5", "-H", "Host: other.localhost", `http://${own}/`),
    /no route of this gateway has this host/,
  );
  await cluster.kubectl(["delete", "versions.weir.dev", "shown-v1"]);
  await eventually(async () => {
    const left = await cluster.kubectl([
      "-n",
      "weir-system",
      "get",
      "deployments,services,serviceaccounts,configmaps",
      "-l",
      "weir.dev/part-of=gateway",
      "-o",
      "name",
    ]);
    assert.equal(left.trim(), "");
  }, 120_000);
});

test("without its Gateway nothing of it is left", { timeout: 120_000 }, async () => {
  await cluster.kubectl(["delete", "gateway", "web"]);
  await eventually(async () => {
    const left = await cluster.kubectl(["get", "deployments,services,serviceaccounts,configmaps", "-l", "weir.dev/managed-by=weir", "-o", "name"]);
    assert.equal(left.trim(), "");
  });
});
