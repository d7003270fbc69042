/**
 * Gateway API's routes on Services, on a real cluster whose Gateway API comes after the mesh: matches, shares, redirects, rewrites, what no rule matches,
 * callers with routes of their own, and what the statuses say.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { conformanceModule } from "../cluster/build.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { create, startTestCluster } from "./support/cluster.ts";
import { eventually, type Mesh, startMesh } from "./support/mesh.ts";
import { type Echo, pod } from "./support/objects.ts";

let cluster: Cluster;
let mesh: Mesh;

before(
  async () => {
    cluster = await startTestCluster();
    mesh = await startMesh(cluster);
    await cluster.kubectl(["create", "namespace", "far"]);
    for (const name of ["default", "far"]) await cluster.kubectl(["label", "namespace", name, "weir.dev/mesh=on"]);
    const echo = (name: string, node: string): object => pod(name, node, { image: "echo", labels: { app: name, set: "all" } });
    const stranger = { ...(pod("caller", "node-2") as { readonly metadata: object }), metadata: { name: "caller", namespace: "far" } };
    const services = [service("v1", { app: "v1" }), service("v2", { app: "v2" }), service("web", { set: "all" })];
    await create(cluster, [echo("v1", "node-1"), echo("v2", "node-2"), pod("caller", "node-1"), stranger, ...services], "v1", "v2", "caller");
    await cluster.kubectl(["-n", "far", "wait", "--for=condition=Ready", "--timeout=60s", "pod/caller"]);
    await eventually(async () => assert.equal((await call("/")).captured, true));
    // Only now: a mesh that runs finds the kinds when they come.
    const crds = path.join(await conformanceModule("sigs.k8s.io/gateway-api"), "config/crd/standard");
    await cluster.kubectl(["apply", "--server-side", "-f", crds]);
    await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd/httproutes.gateway.networking.k8s.io"]);
  },
  { timeout: 300_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

function service(name: string, selector: object): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector, ports: [{ name: "http", port: 80, targetPort: 8080 }] } };
}

const parent = { group: "", kind: "Service", name: "web", namespace: "default", port: 80 };

async function apply(rules: readonly object[], namespace = "default", name = "web"): Promise<void> {
  const route = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", metadata: { name, namespace }, spec: { parentRefs: [parent], rules } };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(route));
}

interface Answer {
  readonly status: number;
  readonly location: string;
  /** Who answered, if anybody but Envoy did. */
  readonly from: string;
  readonly captured: boolean;
  readonly path: string;
}

/** Calls the Service `web` from the pod `caller` of a namespace. */
async function call(url: string, { namespace = "default", headers = [] as readonly string[] } = {}): Promise<Answer> {
  const words = ["curl", "-sS", "-m", "5", "-w", "\n%{http_code} %{redirect_url}", ...headers.flatMap((header) => ["-H", header]), `http://web.default${url}`];
  const text = await cluster.kubectl(["-n", namespace, "exec", "caller", "--", ...words]);
  const at = text.trimEnd().lastIndexOf("\n");
  const [status = "", location = ""] = text.slice(at + 1).split(" ");
  const body = text.slice(0, Math.max(at, 0));
  const echo = body.startsWith("{") ? (JSON.parse(body) as Echo & { readonly path: string }) : undefined;
  return {
    status: Number(status),
    location: location.trim(),
    from: echo?.hostname ?? "",
    captured: echo?.headers["X-Request-Id"] !== undefined,
    path: echo?.path ?? "",
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly observedGeneration: number;
}

async function conditions(name = "web", namespace = "default"): Promise<string> {
  const text = await cluster.kubectl([
    "-n",
    namespace,
    "get",
    "httproute",
    name,
    "-o",
    "jsonpath={.status.parents[?(@.controllerName=='weir.dev/mesh')].conditions}",
  ]);
  return text === ""
    ? ""
    : (JSON.parse(text) as readonly Condition[]).map((one) => `${one.type}=${one.status}/${one.reason}@${one.observedGeneration}`).join(" ");
}

const backend = (name: string, more: object = {}): object => ({ name, port: 80, ...more });
const onPath = (value: string): object[] => [{ path: { type: "PathPrefix", value } }];

test("matches, redirects, rewrites, and 404 for what no rule matches; the status says that it is served", { timeout: 120_000 }, async (t) => {
  const startedAt = Date.now();
  const step = (what: string): void => t.diagnostic(`${what}: ${((Date.now() - startedAt) / 1_000).toFixed(1)} s`);
  await apply([
    { matches: [{ headers: [{ name: "version", value: "two" }] }], backendRefs: [backend("v2")] },
    { matches: onPath("/one"), backendRefs: [backend("v1")] },
    { matches: onPath("/old"), filters: [{ type: "RequestRedirect", requestRedirect: { hostname: "example.org", statusCode: 301 } }] },
    {
      matches: onPath("/cut"),
      filters: [{ type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } } }],
      backendRefs: [backend("v1")],
    },
    { matches: onPath("/nowhere"), backendRefs: [backend("gone")] },
  ]);
  await eventually(async () => assert.equal((await call("/")).status, 404));
  step("served");
  assert.equal((await call("/", { headers: ["version: two"] })).from, "v2");
  assert.equal((await call("/one/x")).from, "v1");
  const redirected = await call("/old/x");
  assert.deepEqual([redirected.status, redirected.location], [301, "http://example.org/old/x"]);
  const cut = await call("/cut/a");
  assert.deepEqual([cut.from, cut.path], ["v1", "/a"]);
  assert.equal((await call("/nowhere")).status, 500);
  await eventually(async () => assert.equal(await conditions(), "Accepted=True/Accepted@1 ResolvedRefs=False/BackendNotFound@1"));
  step("and told");
});

test("shares", { timeout: 240_000 }, async () => {
  await apply([{ backendRefs: [backend("v1", { weight: 9 }), backend("v2", { weight: 1 })] }]);
  await eventually(async () => assert.equal(await conditions(), "Accepted=True/Accepted@2 ResolvedRefs=True/ResolvedRefs@2"));
  const script = "for i in $(seq 200); do curl -sS -m 5 http://web/; echo; done";
  await eventually(async () => assert.equal((await call("/")).status, 200));
  const text = await cluster.kubectl(["exec", "caller", "--", "sh", "-c", script]);
  const [v1, v2] = ["v1", "v2"].map((name) => text.split(`"hostname":"${name}"`).length - 1) as [number, number];
  assert.equal(v1 + v2, 200);
  assert.ok(v2 >= 5 && v2 <= 45, `${v2} of 200 went to v2`);
});

test("what leads nowhere fails by its share, under a time limit; copies go elsewhere", { timeout: 240_000 }, async () => {
  const mirror = { type: "RequestMirror", requestMirror: { backendRef: backend("v2") } };
  await apply([{ filters: [mirror], timeouts: { request: "1s", backendRequest: "1s" }, backendRefs: [backend("v1"), backend("gone")] }]);
  await eventually(async () => assert.equal(await conditions(), "Accepted=True/Accepted@3 ResolvedRefs=False/BackendNotFound@3"));
  await eventually(async () => {
    const statuses = await Promise.all(Array.from({ length: 12 }, async () => (await call("/")).status));
    assert.deepEqual([...new Set(statuses)].sort(), [200, 500]);
  });
  await eventually(async () => assert.equal((await call("/?ms=3000")).status, 504));
});

test("a route in the callers' namespace is theirs alone; without it they see what everybody sees", { timeout: 240_000 }, async () => {
  await apply([{ backendRefs: [backend("v1")] }]);
  await apply([{ backendRefs: [backend("v2", { namespace: "default" })] }], "far", "mine");
  await eventually(async () => assert.equal((await call("/", { namespace: "far" })).from, "v2"));
  assert.equal((await call("/")).from, "v1");
  assert.equal(await conditions("mine", "far"), "Accepted=True/Accepted@1 ResolvedRefs=True/ResolvedRefs@1");
  await cluster.kubectl(["-n", "far", "delete", "httproute", "mine"]);
  await eventually(async () => assert.equal((await call("/", { namespace: "far" })).from, "v1"));
});

test("without its route a Service is as it was", { timeout: 240_000 }, async () => {
  await cluster.kubectl(["delete", "httproute", "web"]);
  await eventually(async () => {
    const answered = await Promise.all(Array.from({ length: 10 }, async () => (await call("/x")).from));
    assert.deepEqual([...new Set(answered)].sort(), ["v1", "v2"]);
  });
});
