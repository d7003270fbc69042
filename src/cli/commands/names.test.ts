import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import { serviceView } from "../../../test/support/views.ts";

const daemon = await startCannedDaemon();

const mistakes: readonly (readonly [string, string])[] = [
  ["weight web@v2", "[a-z-]+"],
  ["weight web=10", "[a-z-]+"],
  ["weight web@v2=110", "[a-z-]+"],
  ["weight web@v2=10 cart@v1=5", "apps-differ"],
  ["weight a:web@v2=10 b:web@v1=5", "namespaces-differ"],
  ["weight web@v2=10 --duration soon", "duration-invalid"],
  ["promote web", "version-missing"],
  ["promote router/www", "not-an-app"],
  ["rollback web --to x", "number-invalid"],
  ["scale web", "scale-invalid"],
  ["scale web=-1", "number-invalid"],
  ["stage web v2 -e PORT", "env-invalid"],
  ["stage web v2 --command 'open", "command-invalid"],
  ["run -- true", "name-missing"],
  ["run -n x", "command-missing"],
  ["run -n x --weight much -- true", "weight-invalid"],
  ["run -n Web_X -- true", "[a-z-]+"],
  ["exec web", "command-missing"],
  ["logs --tail many", "number-invalid"],
  ["logs --since yesterday", "duration-invalid"],
  ["inspect web@@v1", "[a-z-]+"],
  ["completion tcsh", "unknown-shell"],
  ["export --mesh other", "unknown-mesh"],
  ["ps -n Bad_Name", "namespace-invalid"],
];

test("mistakes in arguments are exit 2, with a code, before anything is asked", async () => {
  daemon.answers = {};
  daemon.requests.length = 0;
  const ended = await Promise.all(mistakes.map(async ([line, code]) => ({ line, wanted: code, ...(await daemon.weir(line.split(" "))) })));
  for (const { line, wanted, code, stdout, stderr } of ended) {
    assert.match(stderr, new RegExp(`^error\\[${wanted}\\]: `), line);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, line);
  }
  assert.deepEqual(daemon.requests, []);
});

test("run sends what is written, in the namespace that is named in front or by --namespace", async () => {
  daemon.answers = { "POST /v1/run": { json: serviceView() } };
  const base = {
    version: "v1",
    command: ["node", "x.js", "-p", "1"],
    dir: path.resolve(import.meta.dirname, "../../.."),
    env: {},
    ports: [],
    scale: 1,
    egress: false,
    wait: true,
  };
  daemon.requests.length = 0;
  await daemon.weir(["run", "-n", "web", "--", "node", "x.js", "-p", "1"]);
  await daemon.weir([
    "run",
    "-n",
    "web@v2",
    "--namespace",
    "prod",
    "-p",
    "80",
    "-p",
    "81:82/tcp",
    "-e",
    "A=b=c",
    "-e",
    "D=",
    "--scale",
    "3",
    "--private",
    "--no-wait",
    "--weight",
    "12.5%",
    "--",
    "node",
    "x.js",
    "-p",
    "1",
  ]);
  assert.deepEqual(
    daemon.requests.map(({ body }) => body),
    [
      { ...base, namespace: "default", app: "web" },
      {
        ...base,
        namespace: "prod",
        app: "web",
        version: "v2",
        ports: ["80", "81:82/tcp"],
        env: { A: "b=c", D: "" },
        scale: 3,
        public: false,
        wait: false,
        weight: 1_250,
      },
    ],
  );
});

test("a command that waited for something that fails is exit 1, and says where to look; without waiting it is not known yet", async () => {
  const failing = serviceView({ state: "failing", ready: 0, reason: "exited with code 1, 3 times" });
  daemon.answers = { "POST /v1/run": { json: failing }, "POST /v1/scale": { json: [failing, serviceView({ version: "v2" })] } };
  for (const line of ["run -n web -- false", "scale web=2 --wait"]) {
    const { code, stdout, stderr } = await daemon.weir(line.split(" "));
    assert.equal(code, 1, line);
    assert.match(stdout, /why: exited with code 1, 3 times/);
    assert.equal(stderr, "web@v1 is not as wanted: it is failing; what it said: weir logs web@v1\n");
  }
  assert.equal((await daemon.weir(["scale", "web=2"])).code, 0);
  daemon.answers = { "POST /v1/scale": { json: [serviceView({ state: "starting", ready: 0 })] } };
  assert.equal((await daemon.weir(["scale", "web=2", "--wait"])).code, 5, "the daemon waited as long as it does");
});

test("what removed versions leave behind is said, and how to delete it", async () => {
  const volume = { namespace: "default", app: "db", version: "v1", name: "data-db-v1-0" };
  daemon.answers = { "POST /v1/rm": { json: { removed: ["db@v1"], volumes: [{ ...volume, deleted: false }] } } };
  const kept = await daemon.weir(["rm", "db"]);
  assert.equal(kept.stdout, "removed db@v1\nkept volume data-db-v1-0\n");
  assert.match(kept.stderr, /to delete it: weir rm --volumes db@v1\n/);
  daemon.answers = { "POST /v1/rm": { json: { removed: [], volumes: [{ ...volume, deleted: true }] } } };
  assert.equal((await daemon.weir(["rm", "--volumes", "db@v1"])).stdout, "deleted volume data-db-v1-0\n");
  assert.deepEqual(daemon.requests.at(-1)?.body, { namespace: "default", refs: ["db@v1"], volumes: true });
});

test("scale takes a number or a range, and says where a range means nothing", async () => {
  daemon.answers = { "POST /v1/scale": { json: [] } };
  const { stderr } = await daemon.weir(["scale", "web=2-5", "cart@v2=3"]);
  assert.match(stderr, /one machine runs 2 of web: the number follows the load on a cluster only/);
  const body = daemon.requests.at(-1)?.body as { readonly targets: unknown } | undefined;
  assert.deepEqual(body?.targets, [
    { app: "web", scale: 2, max: 5 },
    { app: "cart", scale: 3, version: "v2" },
  ]);
  for (const wrong of ["web=-3", "web=2-", "web=a-b"]) assert.match((await daemon.weir(["scale", wrong])).stderr, /error\[number-invalid\]/);
});

test("rm, down and logs print what happened", async () => {
  daemon.answers = {
    "POST /v1/rm": { json: { removed: ["web@v1", "router/www"] } },
    "POST /v1/down": { json: { removed: ["cart@v1"] } },
    "GET /v1/logs": { lines: [{ at: 0, workload: "web-v1-0", stream: "stdout", line: "hello" }] },
  };
  assert.equal((await daemon.weir(["rm", "web@v1", "router/www"])).stdout, "removed web@v1\nremoved router/www\n");
  daemon.requests.length = 0;
  assert.equal((await daemon.weir(["down"])).stdout, "removed cart@v1\n");
  await daemon.weir(["down", "shop"]);
  assert.deepEqual(
    daemon.requests.map(({ body }) => body),
    [
      { all: false, namespace: "default" },
      { all: false, stack: "shop" },
    ],
  );
  assert.equal((await daemon.weir(["logs", "web"])).stdout, "web-v1-0 hello\n");
  assert.equal((await daemon.weir(["logs", "--timestamps"])).stdout, "1970-01-01T00:00:00.000Z web-v1-0 hello\n");
  assert.equal((await daemon.weir(["logs", "-o", "json"])).stdout, '{"at":0,"workload":"web-v1-0","stream":"stdout","line":"hello"}\n');
  await daemon.weir(["logs", "web@v1", "cart", "-f", "-t", "5", "-n", "prod"]);
  assert.equal(daemon.requests.at(-1)?.url, "/v1/logs?namespace=prod&tail=5&follow=true&ref=web%40v1&ref=cart");
});
