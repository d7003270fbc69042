/**
 * Gateway API's routes on Services, on a real cluster whose Gateway API comes after the mesh: matches, shares, redirects, rewrites, what no rule matches,
 * connections by share and by server name, callers with routes of their own, and what the statuses say.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { conformanceModule } from "../cluster/build.ts";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { selfSigned } from "../support/openssl.ts";
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
    const pair = selfSigned("db.example");
    const secure = [secureServer("s1", "node-1", pair), secureServer("s2", "node-2", pair)];
    const databases = [database("db", { set: "secure" }), database("s1", { app: "s1" }), database("s2", { app: "s2" })];
    const pods = [echo("v1", "node-1"), echo("v2", "node-2"), pod("caller", "node-1"), stranger, ...secure];
    await create(cluster, [...pods, ...services, ...databases], "v1", "v2", "s1", "s2", "caller");
    await cluster.kubectl(["-n", "far", "wait", "--for=condition=Ready", "--timeout=60s", "pod/caller"]);
    await eventually(async () => assert.equal((await call("/")).captured, true));
    // Only now: a mesh that runs finds the kinds when they come.
    const crds = path.join(await conformanceModule("sigs.k8s.io/gateway-api"), "config/crd/standard");
    await cluster.kubectl(["apply", "--server-side", "-f", crds]);
    const kinds = ["httproutes", "tcproutes", "tlsroutes"].map((kind) => `crd/${kind}.gateway.networking.k8s.io`);
    await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=30s", ...kinds]);
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

/** A pod that answers with its name and the server name that it was asked for, by HTTP on 8080 and by HTTPS on 8443. */
function secureServer(name: string, node: string, { certificate, key }: ReturnType<typeof selfSigned>): object {
  const answer = "JSON.stringify({ hostname: os.hostname(), asked: request.socket.servername ?? '' })";
  const script = `const os = require("node:os"); const answer = (request, response) => response.end(${answer});
    require("node:http").createServer(answer).listen(8080);
    require("node:https").createServer({ key: process.env.KEY, cert: process.env.CERTIFICATE }, answer).listen(8443);`;
  const env = Object.entries({ KEY: key, CERTIFICATE: certificate }).map(([each, value]) => ({ name: each, value }));
  return pod(name, node, { image: "node", command: ["/bin/node", "-e", script], labels: { app: name, set: "secure" }, container: { env } });
}

function database(name: string, selector: object): object {
  const ports = [
    { name: "raw", port: 9000, targetPort: 8080 },
    { name: "tls", port: 443, targetPort: 8443 },
  ];
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector, ports } };
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

async function conditions(name = "web", namespace = "default", kind = "httproute"): Promise<string> {
  const text = await cluster.kubectl(["-n", namespace, "get", kind, name, "-o", "jsonpath={.status.parents[?(@.controllerName=='weir.dev/mesh')].conditions}"]);
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

interface ConnectionRoute {
  readonly kind?: "TCPRoute" | "TLSRoute";
  readonly namespace?: string;
  readonly port: number;
  readonly hostnames?: readonly string[];
}

/** A route in front of the Service `db`: backends of the same port by weight. */
async function applyTo(name: string, shares: Readonly<Record<string, number>>, said: ConnectionRoute): Promise<void> {
  const { kind = "TCPRoute", namespace = "default", port, hostnames } = said;
  const backendRefs = Object.entries(shares).map(([each, weight]) => ({ name: each, namespace: "default", port, weight }));
  const spec = {
    parentRefs: [{ group: "", kind: "Service", name: "db", namespace: "default", port }],
    rules: [{ backendRefs }],
    ...(hostnames === undefined ? {} : { hostnames }),
  };
  const route = { apiVersion: "gateway.networking.k8s.io/v1", kind, metadata: { name, namespace }, spec };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(route));
}

/** Who answers connections to `db`, each a new one: name → how often; `none` for those that were closed. */
async function connections(count: number, words: readonly string[], namespace = "default"): Promise<Readonly<Record<string, number>>> {
  const script = `for i in $(seq ${count}); do curl -sk -m 5 ${words.join(" ")} || echo none; echo; done`;
  const lines = (await cluster.kubectl(["-n", namespace, "exec", "caller", "--", "sh", "-c", script])).split("\n").filter((line) => line !== "");
  const names = lines.map((line) => (line.startsWith("{") ? (JSON.parse(line) as Echo).hostname : line));
  return Object.fromEntries([...Map.groupBy(names, (one) => one)].map(([one, all]) => [one, all.length]));
}

const raw = ["http://db.default:9000/"];
/** By HTTPS to `db`, asking for a server name; an address as a name is none. */
const named = (name: string): readonly string[] => ["--connect-to", "::db.default:443", `https://${name}/`];

test("a TCPRoute shares connections, closes what leads nowhere, and the older one has the port", { timeout: 240_000 }, async () => {
  await applyTo("raw", { s1: 7, s2: 2, gone: 1 }, { port: 9000 });
  await eventually(async () => assert.equal(await conditions("raw", "default", "tcproute"), "Accepted=True/Accepted@1 ResolvedRefs=False/BackendNotFound@1"));
  await eventually(async () => assert.ok(((await connections(20, raw))["none"] ?? 0) > 0));
  const { s1 = 0, s2 = 0, none = 0, ...others } = await connections(200, raw);
  assert.deepEqual([s1 + s2 + none, others], [200, {}]);
  // Within about four standard deviations.
  assert.ok(s1 >= 114 && s1 <= 166 && s2 >= 18 && s2 <= 64 && none >= 4 && none <= 38, `s1 ${s1}, s2 ${s2}, closed ${none}`);
  await applyTo("raw-late", { s2: 1 }, { port: 9000 });
  await eventually(async () =>
    assert.equal(await conditions("raw-late", "default", "tcproute"), "Accepted=False/Conflicted@1 ResolvedRefs=True/ResolvedRefs@1"),
  );
  await applyTo("raw", { s1: 1 }, { port: 9000 });
  await eventually(async () => assert.deepEqual(await connections(30, raw), { s1: 30 }));
});

test("a TCPRoute in the callers' namespace is theirs alone", { timeout: 240_000 }, async () => {
  await applyTo("theirs", { s2: 1 }, { port: 9000, namespace: "far" });
  await eventually(async () => assert.deepEqual(await connections(10, raw, "far"), { s2: 10 }));
  assert.deepEqual(await connections(10, raw), { s1: 10 });
  assert.equal(await conditions("theirs", "far", "tcproute"), "Accepted=True/Accepted@1 ResolvedRefs=True/ResolvedRefs@1");
});

test("TLSRoutes decide by server name; TLS passes through, other names are closed; the older route has a name", { timeout: 240_000 }, async () => {
  await applyTo("one", { s1: 1 }, { kind: "TLSRoute", port: 443, hostnames: ["a.example"] });
  await applyTo("rest", { s1: 1, s2: 1 }, { kind: "TLSRoute", port: 443, hostnames: ["*.example"] });
  await eventually(async () => assert.deepEqual(await connections(4, named("a.other")), { none: 4 }));
  await eventually(async () => assert.deepEqual(await connections(20, named("a.example")), { s1: 20 }));
  await eventually(async () => assert.deepEqual(Object.keys(await connections(20, named("b.c.example"))).sort(), ["s1", "s2"]));
  assert.deepEqual(await connections(3, named("192.0.2.1")), { none: 3 }, "without a name");
  assert.deepEqual(await connections(3, ["http://db.default:443/"]), { none: 3 }, "without TLS");
  const words = ["-n", "default", "exec", "caller", "--", "curl", "-sSk", "-m", "5", ...named("b.example")];
  assert.match(await cluster.kubectl(words), /"asked":"b\.example"/);
  await applyTo("late", { s2: 1 }, { kind: "TLSRoute", port: 443, hostnames: ["a.example"] });
  await eventually(async () => assert.equal(await conditions("late", "default", "tlsroute"), "Accepted=False/Conflicted@1 ResolvedRefs=True/ResolvedRefs@1"));
  for (const name of ["one", "rest"]) assert.equal(await conditions(name, "default", "tlsroute"), "Accepted=True/Accepted@1 ResolvedRefs=True/ResolvedRefs@1");
});

test("without routes of connections a Service is as it was", { timeout: 240_000 }, async () => {
  await cluster.kubectl(["delete", "tcproute,tlsroute", "--all"]);
  await eventually(async () => assert.deepEqual(Object.keys(await connections(20, raw)).sort(), ["s1", "s2"]));
  await eventually(async () => assert.deepEqual(Object.keys(await connections(20, named("a.other"))).sort(), ["s1", "s2"]));
  assert.deepEqual(await connections(10, raw, "far"), { s2: 10 }, "those of another namespace are its own");
});
