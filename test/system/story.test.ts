/** The story of the README, command by command, on a machine of its own. */
import assert from "node:assert/strict";
import { copyFile, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { HistoryEntry, Plan, ServiceView, SystemView } from "../../src/api/contract.ts";
import { eventually, request } from "./support/http.ts";
import { root, useWeir } from "./support/weir.ts";

test("the shop: up, ps, stage, weight, promote, rollback, history, down", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  const host = (name: string) => `${name}.localhost:${weir.port}`;
  const banner = async (name: string) => (JSON.parse((await request(weir.port, host(name))).body) as { banner: string }).banner;

  const plan = await weir.json<Plan>("up", "examples/shop", "--plan");
  assert.deepEqual(
    plan.changes
      .filter((change) => change.kind === "service")
      .map((change) => `${change.action} ${change.name}`)
      .sort(),
    ["create cart@v1", "create catalog@v1", "create stock@v1", "create web@v1"],
  );
  assert.ok(!JSON.stringify(plan).includes("only-an-example"), "a plan never shows a secret");

  await weir.ok("up", "examples/shop");
  const services = await weir.json<readonly ServiceView[]>("ps");
  assert.deepEqual(
    services.map((service) => [`${service.app}@${service.version}`, service.state, service.ready, service.wanted, service.weight]),
    [
      ["cart@v1", "ready", 1, 1, 10_000],
      ["catalog@v1", "ready", 1, 1, 10_000],
      ["stock@v1", "ready", 1, 1, 10_000],
      ["web@v1", "ready", 2, 2, 10_000],
    ],
  );
  assert.equal(services.find((service) => service.app === "web")?.url, `http://web.localhost:${weir.port}`);

  const page = JSON.parse((await request(weir.port, host("web"))).body) as { products: unknown[] };
  assert.equal(page.products.length, 3, "web called catalog by its name");
  assert.equal((await request(weir.port, "shop.example", "/api/cart/ann/tea", { method: "POST" })).status, 200, "router → cart → stock over server-first TCP");
  assert.equal((await request(weir.port, "shop.example", "/api/cart/ann/pot", { method: "POST" })).status, 409);
  assert.equal((await request(weir.port, host("shop"), "/api/products")).status, 200, "a router has a URL of its own");
  assert.equal((await request(weir.port, host("cart"))).status, 404, "cart is not public");

  assert.match(await weir.ok("up", "examples/shop"), /no changes|nothing to change|up to date/i);

  await weir.ok("stage", "web", "v2", "--env", "BANNER=new");
  await eventually(async () => assert.equal(await banner("web-v2"), "new"));
  for (let i = 0; i < 50; i += 1) assert.equal(await banner("web"), "Welcome to the shop", "a staged version gets no app traffic");

  await weir.ok("weight", "web@v2=10", "--duration", "2s", "--wait");
  const after = await weir.json<readonly ServiceView[]>("ps");
  assert.deepEqual(
    after.filter((service) => service.app === "web").map((service) => service.weight),
    [9_000, 1_000],
  );

  await weir.ok("promote", "web@v2", "--wait");
  for (let i = 0; i < 20; i += 1) assert.equal(await banner("web"), "new");
  await weir.ok("rollback", "web", "--wait");
  const history = await weir.json<readonly HistoryEntry[]>("history", "web");
  assert.ok(history.length >= 4, JSON.stringify(history));
  assert.deepEqual(history[0]?.weights, { v1: 9_000, v2: 1_000 }, "rollback goes to the weights before the promotion");

  await weir.ok("down");
  assert.deepEqual(await weir.json<readonly ServiceView[]>("ps"), []);
});

test("a service without a file, and the other verbs", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  const hello = `hello.localhost:${weir.port}`;
  await weir.ok("run", "-n", "hello@v1", "-p", "80:9000/http", "-e", "PORT=9000", "--", "node", "examples/hello.js");
  await eventually(async () => assert.match((await request(weir.port, hello)).body, /hello from/));

  await weir.ok("scale", "hello=3", "--wait");
  const [service] = await weir.json<readonly ServiceView[]>("ps");
  assert.equal(service?.ready, 3);
  await eventually(async () => assert.match(await weir.ok("logs", "hello"), /hello listens on 9000/));
  assert.match(await weir.ok("exec", "hello", "--", "sh", "-c", "cat /etc/resolv.conf; id -u"), /nameserver 169\.254\.1\.1/);
  assert.equal((await weir.run("exec", "hello", "--", "sh", "-c", "exit 7")).code, 7, "the command's own exit code");
  assert.match(await weir.ok("inspect", "hello@v1"), /9000/);

  const system = await weir.json<SystemView>("system", "status");
  assert.deepEqual(system.proxies.map((proxy) => [proxy.name, proxy.state]).sort(), [
    ["gateway", "synced"],
    ["node", "synced"],
  ]);

  await weir.ok("rm", "hello");
  assert.deepEqual(await weir.json<readonly ServiceView[]>("ps"), []);
  assert.equal((await request(weir.port, hello)).status, 404);
  await weir.ok("system", "stop");
});

test("a failing change says why and leaves what ran before running", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  const dir = await mkdtemp("/tmp/weir-app-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  await copyFile(path.join(root, "examples/hello.js"), path.join(dir, "hello.cjs"));
  const file = (command: string) => `services:\n  hello:\n    command: ${command}\n    env: {PORT: "9000"}\n    ports: 80:9000/http\n`;
  await writeFile(path.join(dir, "weir.yaml"), file("node hello.cjs"));
  await weir.ok("up", dir);

  await writeFile(path.join(dir, "weir.yaml"), file(`sh -c 'echo the disk is on fire >&2; exit 3'`));
  const failed = await weir.run("up", dir, "--timeout", "20s");
  assert.equal(failed.code, 1, failed.stderr);
  assert.match(failed.stdout + failed.stderr, /code 3/);
  assert.match(failed.stdout + failed.stderr, /the disk is on fire/);
  assert.match((await request(weir.port, `hello.localhost:${weir.port}`)).body, /hello from/);

  await writeFile(path.join(dir, "weir.yaml"), `services:\n  hello:\n    comand: node hello.cjs\n    ports: 80:9000/htp\n`);
  const wrong = await weir.run("up", dir);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /weir\.yaml:3:5.*\n.*comand/s);
  assert.match(wrong.stderr, /command/);
  assert.match(wrong.stderr, /weir\.yaml:4:/, "all errors at once");
});

test("what left the file is pruned, and nothing else", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  const dir = await mkdtemp("/tmp/weir-shop-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  await cp(path.join(root, "examples/shop"), dir, { recursive: true });
  await weir.ok("run", "-n", "hello@v1", "-p", "80:9000/http", "-e", "PORT=9000", "--", "node", "examples/hello.js");
  await writeFile(
    path.join(dir, "weir.yaml"),
    `stack: shop\nservices:\n  a: {command: "python3 catalog/catalog.py", ports: "80:9000"}\n  b: {command: "python3 catalog/catalog.py", ports: "80:9000"}\n`,
  );
  await weir.ok("up", dir);
  await writeFile(path.join(dir, "weir.yaml"), `stack: shop\nservices:\n  a: {command: "python3 catalog/catalog.py", ports: "80:9000"}\n`);
  await weir.ok("up", dir);
  assert.deepEqual(
    (await weir.json<readonly ServiceView[]>("ps")).map((service) => service.app),
    ["a", "hello"],
  );
});
