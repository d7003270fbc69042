/** The simulator and the real Envoys agree: the same calls through the gateway, once on paper and once for real, with nothing else of Weir's running. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { compileWorld } from "../../src/compile/compile.ts";
import type { MeshPlan } from "../../src/compile/mesh-plan.ts";
import { worldOfStack } from "../../src/compile/world-of-stack.ts";
import { emitEnvoy } from "../../src/emit/envoy/emit.ts";
import { type AppName, defaultNamespace, type VersionName } from "../../src/model/names.ts";
import type { Port, RouteMatch, RouteRule } from "../../src/model/types.ts";
import { simulate } from "../simulate/simulate.ts";
import { eventually, temporaryFolder } from "../support/real.ts";
import { anything, external, port, router, rule, service, stack } from "../support/stacks.ts";
import { staticBootstrap } from "../support/static-bootstrap.ts";
import { type Answer, request } from "./support/http.ts";
import { freePort } from "./support/weir.ts";

const envoy = path.resolve(import.meta.dirname, "../../.cache/envoy/1.40.0/envoy");

/** Starts a server that says who it is and what it saw; answers its port. */
async function echo(t: TestContext, name: string): Promise<number> {
  const server = http.createServer((request, response) => {
    response.setHeader("x-version", name);
    response.end(JSON.stringify({ path: request.url, headers: request.headers }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A gRPC server without TLS: answers one message's worth of bytes, and its status in trailers. */
async function grpc(t: TestContext): Promise<number> {
  const server = http2.createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/grpc" });
    response.addTrailers({ "grpc-status": "0" });
    response.end("answer");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server that speaks first. */
async function greeter(t: TestContext): Promise<number> {
  const server = net.createServer((socket) => socket.end("hello"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Runs one Envoy until the test ends. */
function startEnvoy(t: TestContext, file: string, bootstrap: object): void {
  writeFileSync(file, JSON.stringify(bootstrap));
  const child = spawn(envoy, ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "off"], { stdio: "ignore" });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
}

function send(gatewayPort: number, { method = "GET", path: target, headers }: Sent): Promise<Answer> {
  const { host = "", ...others } = headers;
  return request(gatewayPort, host, target, { method, headers: others });
}

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const on = (said: Partial<RouteMatch>) => [{ ...anything, ...said }];
const prefix = (value: string) => ({ kind: "prefix", value }) as const;
const exact = (value: string) => ({ kind: "exact", value }) as const;
const redirecting = (said: Partial<RouteMatch>, redirect: Extract<RouteRule["action"], { kind: "redirect" }>["redirect"]): RouteRule => ({
  ...rule("web"),
  match: on(said),
  action: { kind: "redirect", redirect },
});
const changes = { set: [{ name: "x-set", value: "100%" }], add: [{ name: "x-add", value: "2" }], remove: ["x-gone"] };
const rules: readonly RouteRule[] = [
  rule("web@v2", { match: on({ path: exact("/exact") }) }, { rewrite: { path: "/rewritten" } }),
  rule("web@v2", { match: on({ path: prefix("/api") }) }, { rewrite: { path: "/" } }),
  rule("web@v2", { match: on({ path: prefix("/v1") }) }, { rewrite: { path: "/v2", host: "inner.example" } }),
  rule(
    "web@v2",
    { match: on({ path: { kind: "regex", value: "/user/[0-9]+" } }) },
    { rewrite: { regex: { pattern: "^/user/([0-9]+)$", substitution: "/u/\\1" } } },
  ),
  rule("web@v2", { match: on({ methods: ["PUT", "POST"] }) }),
  rule("web@v2", { match: on({ headers: [{ name: "x-user", value: { kind: "regex", value: "beta-.*" } }] }) }),
  rule("web@v2", { match: on({ query: [{ name: "v", value: { kind: "present" } }] }) }),
  rule("web@v2", { match: on({ cookies: [{ name: "group", value: exact("b") }] }) }),
  redirecting({ path: exact("/old") }, { path: "/new", code: 301 }),
  redirecting({ path: prefix("/docs") }, { path: "/manual/", code: 302 }),
  redirecting({ path: prefix("/home") }, { path: "/", code: 303 }),
  redirecting({ path: exact("/secure") }, { scheme: "https", host: "h.example", port: 8443, code: 308 }),
  rule("external:out", { match: on({ path: prefix("/out") }) }),
  rule("web@v2", { match: on({ path: exact("/headers") }), requestHeaders: changes, responseHeaders: changes }),
  rule("nobody", { match: on({ path: exact("/nobody") }) }),
  rule("web", { match: on({ path: exact("/") }) }),
];

const paths = [
  "/",
  "/?v=1",
  "/exact",
  "/exact?q=1",
  "/exact/x",
  "/api",
  "/api/",
  "/api/x?q=1",
  "/apix",
  "/v1/x",
  "/v1",
  "/user/7",
  "/user/7/x",
  "/old",
  "/old?q=1",
  "/docs/x?q=1",
  "/docs",
  "/docs/",
  "/home",
  "/home/",
  "/home/x?q=1",
  "/home//x",
  "/homes",
  "/secure?q=1",
  "/out/x",
  "/headers",
  "/nobody",
];
const calls: readonly Sent[] = [
  ...paths.map((one) => ({ path: one, headers: { host: "www.localhost" } })),
  ...[
    "WWW.localhost:99",
    "a.shop.example",
    "shop.example",
    "xshop.example",
    "web.localhost",
    "web-v2.localhost",
    "idle.localhost",
    "hidden.localhost",
    "localhost",
  ].map((host) => ({ path: "/", headers: { host } })),
  ...["/", "/b", "/b/?q=/c", "//b"].map((one) => ({ path: one, headers: { host: "moved.localhost" } })),
  { path: "/", method: "PUT", headers: { host: "www.localhost" } },
  ...["beta-1", "xbeta-1", "beta"].map((user) => ({ path: "/", headers: { host: "www.localhost", "x-user": user } })),
  ...["group=b", "a=1; group=b; c=2", "group=bb"].map((cookie) => ({ path: "/", headers: { host: "www.localhost", cookie } })),
  { path: "/headers", headers: { host: "www.localhost", "x-set": "0", "x-add": "1", "x-gone": "1" } },
];

interface Servers {
  readonly v1: number;
  readonly v2: number;
  readonly out: number;
  readonly tcp: number;
  readonly grpc: number;
}

/** A mesh whose replicas are servers of this test. */
function planFor(servers: Servers, gatewayPort: number, tcpPort: number, socketDir: string): MeshPlan {
  const at = (containerPort: number): readonly Port[] => [{ port: 80, containerPort, protocol: "http" }];
  const services = [
    service("web@v1", { ports: at(servers.v1) }),
    service("web@v2", { ports: at(servers.v2) }),
    service("idle"),
    service("hidden", { public: false }),
    service("rpc", { ports: [{ port: 9000, containerPort: servers.grpc, protocol: "grpc" }] }),
    service("db", { ports: [{ port: tcpPort, containerPort: servers.tcp, protocol: "tcp" }] }),
  ];
  const weights = [
    ["v1", 7_500],
    ["v2", 2_500],
  ].map(([version, weight]) => ({ app: "web" as AppName, namespace: defaultNamespace, version: version as VersionName, weight: Number(weight) }));
  const moved = redirecting({ path: prefix("/") }, { path: "/new", host: "new.example", code: 307 });
  const routers = [router("www", rules, { hosts: ["shop.example", "*.shop.example"] }), router("moved", [moved])];
  const said = stack({ services, weights, routers, externals: [external("out", [`localhost:${servers.out}`], { ports: [port("80/http")] })] });
  const world = worldOfStack(said, { gateway: { address: "127.0.0.1", port: gatewayPort, socketDir, domain: "localhost" } });
  const replicas = ["web", "db", "rpc"]
    .flatMap((app) => [`default/${app}@v1`, `default/${app}@v2`])
    .map((key) => [key as never, [{ id: key, address: "127.0.0.1", ready: true }]] as const);
  return compileWorld({ ...world, endpoints: new Map(replicas) }).plan;
}

/** Starts both Envoys with a plan, and waits until they answer. */
async function startMesh(t: TestContext): Promise<MeshPlan> {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, "egress"));
  const servers = { v1: await echo(t, "web@v1"), v2: await echo(t, "web@v2"), out: await echo(t, "external/out"), tcp: await greeter(t), grpc: await grpc(t) };
  const plan = planFor(servers, await freePort(), await freePort(), folder);
  const { node, gateway } = emitEnvoy(plan);
  startEnvoy(t, path.join(folder, "node.json"), staticBootstrap(node));
  startEnvoy(t, path.join(folder, "gateway.json"), staticBootstrap(gateway));
  let isUp = false;
  const poll = setInterval(
    () =>
      void send(plan.gateway.port, { path: "/", headers: { host: "web.localhost" } }).then(
        (answer) => (isUp = answer.status === 200),
        () => undefined,
      ),
    50,
  );
  t.after(() => clearInterval(poll));
  await eventually(() => isUp, "the gateway answers", 15_000).finally(() => clearInterval(poll));
  return plan;
}

/** One gRPC call over HTTP/2 with prior knowledge: status, message and what came before them. */
async function callGrpc(gatewayPort: number, host: string): Promise<{ readonly [name: string]: string; readonly body: string }> {
  const session = http2.connect(`http://127.0.0.1:${gatewayPort}`);
  try {
    const stream = session.request({ ":method": "POST", ":path": "/s.S/M", ":authority": host, "content-type": "application/grpc", te: "trailers" });
    const said: Record<string, string> = {};
    const note = (headers: http2.IncomingHttpHeaders) => {
      for (const name of ["grpc-status", "grpc-message"]) if (typeof headers[name] === "string") said[name] = headers[name];
    };
    stream.on("response", note).on("trailers", note).end();
    let body = "";
    for await (const piece of stream.setEncoding("utf8")) body += String(piece);
    return { ...said, body };
  } finally {
    session.destroy();
  }
}

/** What the real Envoys answered must be what the simulator foresees. */
function assertForeseen(plan: MeshPlan, sent: Sent, answer: Answer): void {
  const told = `${sent.method ?? "GET"} ${sent.path} ${JSON.stringify(sent.headers)}: ${answer.status} ${answer.headers.location ?? ""} ${answer.body.slice(0, 200)}`;
  const foreseen = simulate(plan).call({
    to: `http://127.0.0.1:${plan.gateway.port}${sent.path}`,
    headers: sent.headers,
    ...(sent.method === undefined ? {} : { method: sent.method }),
  });
  if (foreseen.kind === "answer") return assert.deepEqual([answer.status, answer.body], [foreseen.status, foreseen.text], told);
  if (foreseen.kind === "redirect") return assert.deepEqual([answer.status, answer.headers.location], [foreseen.status, foreseen.location], told);
  assert.equal(foreseen.kind, "forward", told);
  if (foreseen.shares.every(({ cluster }) => simulate(plan).addresses(cluster).length === 0)) {
    assert.equal(answer.status, 503, told);
    return assert.match(answer.body, new RegExp(`no replica of ${foreseen.shares[0]?.cluster} is ready`));
  }
  const share = foreseen.shares.find(({ cluster }) => cluster.startsWith(String(answer.headers["x-version"])));
  assert.ok(share, `${told} is none of ${JSON.stringify(foreseen.shares)}`);
  const seen = JSON.parse(answer.body) as { readonly path: string; readonly headers: Readonly<Record<string, string>> };
  assert.equal(seen.path, share.request.path, told);
  const { host: _, "x-forwarded-for": __, ...headers }: Readonly<Record<string, string>> = share.request.headers;
  assert.deepEqual(seen.headers, { ...seen.headers, ...headers, host: share.request.authority }, told);
  for (const gone of ["x-gone", "x-envoy-internal", "x-envoy-external-address"]) assert.ok(!Object.hasOwn(seen.headers, gone), told);
  for (const [name, value] of Object.entries(foreseen.responseHeaders)) assert.equal(answer.headers[name], value, told);
}

test("every call through real Envoys ends as the simulator says", { timeout: 120_000 }, async (t) => {
  const plan = await startMesh(t);
  for (const sent of calls) assertForeseen(plan, sent, await send(plan.gateway.port, sent));

  await t.test("weights", async () => {
    const count = 1_000;
    const versions: Record<string, number> = {};
    for (let i = 0; i < count; i += 1) {
      const version = String((await send(plan.gateway.port, { path: "/", headers: { host: "web.localhost" } })).headers["x-version"]);
      versions[version] = (versions[version] ?? 0) + 1;
    }
    // Five standard deviations of a quarter of 1 000.
    assert.ok(Math.abs((versions["web@v2"] ?? 0) - count / 4) < 70, JSON.stringify(versions));
  });

  await t.test("a TCP port whose server speaks first", async () => {
    const socket = net.connect(plan.gatewayTcp[0]?.port ?? 0, "127.0.0.1");
    const [data] = (await once(socket, "data")) as [Buffer];
    assert.equal(data.toString(), "hello");
    socket.destroy();
  });

  await t.test("gRPC, trailers included, and its own way to say that nobody answers", async () => {
    assert.deepEqual(await callGrpc(plan.gateway.port, "rpc.localhost"), { "grpc-status": "0", body: "answer" });
    const { body, ...failed } = await callGrpc(plan.gateway.port, "idle.localhost");
    assert.deepEqual([failed["grpc-status"], body], ["14", ""]);
    assert.match(decodeURIComponent(failed["grpc-message"] ?? ""), /no replica of idle@v1.default:80 is ready/);
  });

  await t.test("the caller's address is told, and what it says about itself is kept", async () => {
    const headers = { host: "web.localhost", "x-forwarded-for": "192.0.2.7", "x-envoy-upstream-rq-timeout-ms": "1" };
    const seen = JSON.parse((await send(plan.gateway.port, { path: "/", headers })).body) as { readonly headers: Readonly<Record<string, string>> };
    assert.equal(seen.headers["x-forwarded-for"], "192.0.2.7,127.0.0.1");
    assert.equal(seen.headers["x-forwarded-port"], String(plan.gateway.port));
    assert.equal(seen.headers["x-envoy-upstream-rq-timeout-ms"], undefined);
  });
});

test("the simulator does not foresee everything: a wrong plan is seen", { timeout: 120_000 }, async (t) => {
  const plan = await startMesh(t);
  const moved: MeshPlan = { ...plan, hosts: plan.hosts.map((host) => (host.name === "web-v2" ? { ...host, domains: ["elsewhere.localhost"] } : host)) };
  const sent = { path: "/", headers: { host: "web-v2.localhost" } };
  const answer = await send(plan.gateway.port, sent);
  assert.throws(() => assertForeseen(moved, sent, answer));
});
