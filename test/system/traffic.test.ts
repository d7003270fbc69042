/** What crosses the mesh: names, protocols, routers, external services; and what must not cross it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { eventually, request } from "./support/http.ts";
import { apps, freePort, useWeir, type Weir } from "./support/weir.ts";

const node = process.execPath;

async function up(t: TestContext, yaml: string): Promise<Weir> {
  const weir = await useWeir(t);
  const dir = await mkdtemp("/tmp/weir-app-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  await writeFile(path.join(dir, "weir.yaml"), yaml);
  await weir.ok("up", dir);
  return weir;
}

/** Runs a shell line inside `web`, answers its output. */
async function inside(weir: Weir, line: string, ref = "web"): Promise<string> {
  const result = await weir.run("exec", ref, "--", "sh", "-c", line);
  return (result.stdout + result.stderr).trim();
}

/** A fetch from inside `ref` by Node: the status and the version that answered, or the error's code. */
function fetchInside(weir: Weir, url: string, ref = "web"): Promise<string> {
  const code = `fetch(${JSON.stringify(url)},{signal:AbortSignal.timeout(4000)}).then(async r=>console.log(r.status,r.headers.get("x-version"),(await r.text()).slice(0,300)),e=>console.log(e.cause?.code??e.name))`;
  return inside(weir, `${node} -e '${code}'`, ref);
}

const echo = (extra: string) => `command: ["${node}", "${apps}/echo.mjs"], ports: ["80:8080/http", "7000/tcp"], ${extra}`;
const mesh = `
services:
  web: {${echo("env: {TCP_PORT: '7000'}")}}
  api: {${echo("env: {TCP_PORT: '7000', VERSION: v1}")}}
  api@v2: {${echo("env: {TCP_PORT: '7000', VERSION: v2}, weight: 0")}}
  far: {namespace: team-a, ${echo("env: {VERSION: far}")}}
`;

test("names from inside: unmodified programs and resolvers", { timeout: 120_000 }, async (t) => {
  const weir = await up(t, mesh);
  assert.match(await fetchInside(weir, "http://api/"), /^200 v1/);
  assert.match(await fetchInside(weir, "http://api:8080/"), /^200 v1/, "the container port works too");
  assert.match(await fetchInside(weir, "http://api-v2/"), /^200 v2/, "a version has a name of its own");
  assert.match(await fetchInside(weir, "http://far.team-a/"), /^200 far/);
  assert.match(await fetchInside(weir, "http://api.default.svc.cluster.local/"), /^200 v1/);
  assert.match(await fetchInside(weir, "http://far/"), /^(ENOTFOUND|EAI_AGAIN)/, "another namespace's app has no short name here");
  assert.match(await fetchInside(weir, "http://api.default/", "team-a:far"), /^200 v1/);
  assert.match(await inside(weir, "getent hosts api"), /^100\.100\.\d+\.\d+ /);
  assert.match(
    await inside(weir, `${node} -e 'require("dns").resolve4("api",(e,a)=>console.log(e?.code??a[0]))'`),
    /^100\.100\./,
    "also for programs that speak DNS themselves",
  );
});

test("raw TCP in which the server speaks first, WebSocket, server-sent events, HTTP/2 without TLS", { timeout: 120_000 }, async (t) => {
  const weir = await up(t, mesh);
  const tcp = `const s=require("net").connect(7000,"api");s.on("data",d=>{process.stdout.write(d);s.end()});s.on("error",e=>console.log(e.code))`;
  assert.equal(await inside(weir, `${node} -e '${tcp}'`), "hello from v1");

  const host = `api.localhost:${weir.port}`;
  const upgrade = http.request({
    host: "127.0.0.1",
    port: weir.port,
    headers: { host, connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" },
  });
  upgrade.end();
  const [, socket] = (await once(upgrade, "upgrade")) as [unknown, net.Socket];
  socket.write(Buffer.from([0x81, 0x82, 1, 2, 3, 4, 0x68 ^ 1, 0x69 ^ 2]));
  const [frame] = (await once(socket, "data")) as [Buffer];
  assert.equal(frame.subarray(2).toString(), "hi");
  socket.destroy();

  assert.equal((await request(weir.port, host, "/events?count=3")).body, "data: 0\n\ndata: 1\n\ndata: 2\n\n");

  const session = http2.connect(`http://127.0.0.1:${weir.port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ":path": "/h2", ":authority": host });
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  assert.equal(headers[":status"], 200);
  stream.close();
});

test("gRPC: unary calls, a stream, an error's own status, weights; a public TCP port", { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const grpc = `command: ["${node}", "${apps}/grpc.mjs"], env: {PORT: "50051"}, ports: "50051/grpc", health: {ready: {grpc: 50051}}`;
  const weir = await up(
    t,
    `
services:
  web: {${echo("public: false")}}
  calls@v1: {${grpc}, weight: 50}
  calls@v2: {${grpc}, weight: 50}
  line: {command: ["${node}", "${apps}/echo.mjs"], env: {TCP_PORT: "7000", VERSION: line}, ports: "${port}:7000/tcp", public: true}
`,
  );
  const result = JSON.parse(await inside(weir, `${node} ${apps}/grpc.mjs calls:50051 40`)) as unknown;
  assert.deepEqual(result, { answers: ["v1 hi", "v2 hi"], streamed: "01234", unknown: 12 }, "12 is UNIMPLEMENTED, said by the service itself");
  const socket = net.connect(port, "127.0.0.1");
  const [greeting] = (await once(socket, "data")) as [Buffer];
  assert.equal(greeting.toString(), "hello from line\n");
  socket.destroy();
});

test("a router: path, method, header, query, cookie, weights, redirect, rewrite, headers", { timeout: 120_000 }, async (t) => {
  const weir = await up(
    t,
    `${mesh}
routers:
  www:
    hosts: [www.example]
    rules:
      - {match: {path: /old}, redirect: {path: /new, code: 302}}
      - {match: {path: /api/*}, to: api, rewrite: {path: /}, headers: {request: {set: {x-added: "1"}}, response: {add: {x-seen: "yes"}}}}
      - {match: {headers: {x-user: {regex: "beta-.*"}}}, to: api@v2}
      - {match: {query: {v: "2"}}, to: api@v2}
      - {match: {cookies: {group: {exact: b}}}, to: api@v2}
      - {match: {method: PUT}, to: api@v2}
      - {match: {path: /half}, to: [{app: api, version: v1, weight: 50}, {app: api, version: v2, weight: 50}]}
      - {to: web}
`,
  );
  const get = (where: string, options: Parameters<typeof request>[3] = {}) => request(weir.port, "www.example", where, options);
  const version = async (where: string, options: Parameters<typeof request>[3] = {}) => (await get(where, options)).headers["x-version"];
  const old = await get("/old");
  assert.deepEqual([old.status, old.headers.location?.endsWith("/new")], [302, true]);
  const rewritten = await get("/api/deep");
  const seen = JSON.parse(rewritten.body) as { url: string; headers: Record<string, string> };
  assert.deepEqual([rewritten.headers["x-seen"], seen.url, seen.headers["x-added"]], ["yes", "/deep", "1"]);
  assert.equal((await get("/apix")).headers["x-version"], "v1", "a prefix is whole segments, so this is web's");
  assert.equal(await version("/", { headers: { "x-user": "beta-1" } }), "v2");
  assert.equal(await version("/?v=2"), "v2");
  assert.equal(await version("/", { headers: { cookie: "a=1; group=b" } }), "v2");
  assert.equal(await version("/", { method: "PUT" }), "v2");
  const versions = new Set(await Promise.all(Array.from({ length: 40 }, () => version("/half"))));
  assert.equal(versions.size, 2);
  assert.match(await fetchInside(weir, "http://www/half"), /^200 v[12]/, "a router is a name inside, too");
  assert.match(await fetchInside(weir, "http://www.example/half"), /^200 v[12]/);
});

test("the outside: only what is declared", { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const outside = http.createServer((_, response) => response.end("the host's own service"));
  await new Promise<void>((resolve) => outside.listen(port, "127.0.0.1", resolve));
  t.after(() => outside.close());
  const weir = await up(t, `${mesh}  open: {${echo("egress: true")}}\nexternalServices:\n  host: {address: "localhost:${port}", ports: 80/http}\n`);
  assert.match(await fetchInside(weir, "http://host/"), /^200 .*the host's own service/);
  assert.doesNotMatch(await fetchInside(weir, `http://127.0.0.1:${port}/`), /host's own/, "127.0.0.1 is the workload's own");
  assert.doesNotMatch(await fetchInside(weir, `http://127.0.0.1:${weir.port}/`), /^200/);
});

test("isolation: nothing but the own capture listener", { timeout: 120_000 }, async (t) => {
  const weir = await up(t, mesh);
  const ip = await inside(
    weir,
    `${node} -p 'Object.values(require("os").networkInterfaces()).flat().find(a=>a.address.startsWith("100.64.")).address'`,
    "api@v1",
  );
  assert.match(ip, /^100\.64\.\d+\.\d+$/);
  assert.doesNotMatch(await fetchInside(weir, `http://${ip}:8080/`), /^200/, "another workload's port, directly");
  assert.doesNotMatch(await fetchInside(weir, `http://169.254.1.1:15000/`), /^200/);
  assert.match(
    await inside(weir, `ls ${weir.home} 2>&1 | wc -l; ls ${weir.home}/run 2>&1`),
    /No such file|cannot access|^0$/,
    "the sockets of daemon and proxies are out of sight",
  );
  assert.doesNotMatch(await inside(weir, "nft flush ruleset 2>&1 || /usr/sbin/nft flush ruleset 2>&1; echo done $?"), /^done 0$/);
  assert.match(await inside(weir, "cat /proc/self/status | grep CapEff"), /0000000000000000/);
  assert.doesNotMatch(await inside(weir, "ls /proc | grep -c '^[0-9]'"), /^\d{3,}$/, "sees its own processes only");
  await eventually(async () => assert.match(await fetchInside(weir, "http://api/"), /^200 v1/));
});
