import assert from "node:assert/strict";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import { jobView, proxyView, serviceView, systemView } from "../../../test/support/views.ts";

const daemon = await startCannedDaemon();
const moving = serviceView({
  version: "v2",
  weight: 1_000,
  targetWeight: 5_000,
  state: "degraded",
  ready: 1,
  wanted: 2,
  restarts: 3,
  reason: "exited with code 1",
  stack: "shop",
});
const elsewhere = serviceView({
  namespace: "prod",
  app: "cart",
  state: "starting",
  ready: 0,
  ports: [],
  workloads: [{ id: "cart-v1-0", phase: "starting", since: 0, restarts: 0 }],
});
const { url: _, versionUrl: __, ...hidden } = elsewhere;
const services = [serviceView({ weight: 9_000, targetWeight: 5_000 }), moving, hidden];

function running(view = systemView()): void {
  daemon.answers = { "GET /v1/services": { json: services }, "GET /v1/jobs": { json: [] }, "GET /v1/system": { json: view } };
  daemon.requests.length = 0;
}

test("a table: what a person must see, and why something is wrong", async () => {
  running();
  const { stdout, stderr, code } = await daemon.weir(["ps"]);
  assert.deepEqual({ stderr, code }, { stderr: "", code: 0 });
  assert.equal(
    stdout,
    `NAME          STATE     READY  WEIGHT     URL                        AGE  RESTARTS
web@v1        ready     1/1    90% → 50%  http://web.localhost:8080  3d   0
web@v2        degraded  1/2    10% → 50%  http://web.localhost:8080  3d   3
  why: exited with code 1
prod:cart@v1  starting  0/1    100%       -                          3d   0
`,
  );
});

test("wide adds columns at the end", async () => {
  running();
  const { stdout } = await daemon.weir(["ps", "-o", "wide"]);
  const [head = "", first = ""] = stdout.split("\n");
  assert.match(head, /RESTARTS {2}VERSION URL +PORTS +STACK +ADDRESSES$/);
  assert.match(first, / http:\/\/web-v1\.localhost:8080 +80:8080\/http +- +100\.64\.0\.2$/);
});

test("JSON and YAML are what the API says, names are refs", async () => {
  running();
  assert.deepEqual(JSON.parse((await daemon.weir(["ps", "-o", "json"])).stdout), services);
  assert.match((await daemon.weir(["ps", "-o", "yaml"])).stdout, /^- namespace: default\n {2}app: web\n {2}version: v1\n/);
  assert.equal((await daemon.weir(["ps", "-o", "name"])).stdout, "web@v1\nweb@v2\nprod:cart@v1\n");
});

test("another format is bad input, with those that there are", async () => {
  running();
  const { code, stderr } = await daemon.weir(["ps", "-o", "xml"]);
  assert.equal(code, 2);
  assert.equal(stderr, 'error[unknown-output]: there is no output format "xml"\n  hint: one of table, wide, json, yaml, name\n');
});

test("the namespace is asked for; -A asks for all", async () => {
  running();
  await daemon.weir(["ps", "-n", "prod"]);
  await daemon.weir(["ps", "-A"]);
  assert.deepEqual(
    daemon.requests.map(({ url }) => url).filter((url) => url.startsWith("/v1/services")),
    ["/v1/services?namespace=prod", "/v1/services?namespace=*"],
  );
});

test("nothing is said on stderr, so that pipes stay empty", async () => {
  daemon.answers = { "GET /v1/services": { json: [] }, "GET /v1/jobs": { json: [] }, "GET /v1/system": { json: systemView() } };
  const { stdout, stderr, code } = await daemon.weir(["ps"]);
  assert.deepEqual({ stdout, code }, { stdout: "", code: 0 });
  assert.match(stderr, /^nothing runs; start with: weir up DIR/);
});

test("what Envoy refused is named, with its words and that the last good configuration is in force", async () => {
  running(
    systemView({
      proxies: [proxyView({ name: "gateway" }), proxyView({ state: "rejected", rejected: [{ type: "Cluster", message: "no such filter", at: 0 }] })],
    }),
  );
  const { stdout, stderr, code } = await daemon.weir(["ps"]);
  assert.equal(code, 0);
  assert.match(stdout, /^NAME/);
  assert.equal(stderr, "proxy node: Envoy refused a change, the last good configuration is in force; its words: Cluster: no such filter\n");
  assert.equal((await daemon.weir(["ps", "-o", "json"])).stderr, "", "scripts ask weir system status");
});

test("a proxy that has been away for long is named; one that just starts is not", async () => {
  running(
    systemView({
      proxies: [proxyView({ name: "gateway", state: "connecting", since: Date.now() - 60_500 }), proxyView({ state: "connecting", since: Date.now() })],
    }),
  );
  assert.match((await daemon.weir(["ps"])).stderr, /^proxy gateway: not connected for 60s, .*in force.*\n$/);
});

test("an agent that is down is named; a daemon that cannot say changes nothing", async () => {
  running(systemView({ agent: { state: "down", reason: "no user namespaces" } }));
  assert.match((await daemon.weir(["ps"])).stderr, /^agent: down: no user namespaces; /);
  daemon.answers = { "GET /v1/services": { json: services }, "GET /v1/jobs": { json: [] } };
  assert.deepEqual((({ code, stderr }) => ({ code, stderr }))(await daemon.weir(["ps"])), { code: 0, stderr: "" });
});

test("--watch prints every state after the other into a pipe, and ends by Ctrl-C without noise", async () => {
  daemon.answers = {
    "GET /v1/services": { lines: [services, [moving]], open: true },
    "GET /v1/jobs": { json: [] },
    "GET /v1/system": { json: systemView() },
  };
  const { stdout, stderr, signal } = await daemon.weir(["ps", "--watch", "-o", "name"], { signal: "SIGINT" });
  assert.match(stdout, /^web@v1\nweb@v2\n/);
  // Ended by the signal itself, which a shell tells as 130 and which ends its loops, too.
  assert.deepEqual({ stderr, signal }, { stderr: "", signal: "SIGINT" });
});

const hourMs = 3_600_000;
const jobs = [
  jobView(),
  jobView({
    namespace: "prod",
    name: "tick",
    state: "scheduled",
    schedule: { cron: "*/5 * * * *", timeZone: "UTC" },
    nextRunAt: Date.now() + 3.5 * hourMs,
    reason: "exited with code 3, 4 times",
    runs: [
      {
        name: "tick-2-abc",
        cause: "at 2026-01-01T00:00:00.000Z",
        state: "failed",
        startedAt: Date.now() - 5.5 * hourMs - 5_000,
        endedAt: Date.now() - 5.5 * hourMs,
        reason: "exited with code 3, 4 times",
      },
    ],
  }),
  jobView({ name: "new", state: "waiting", runs: [] }),
];

test("jobs have a table of their own, below; data is one list", async () => {
  running();
  daemon.answers = { ...daemon.answers, "GET /v1/jobs": { json: jobs } };
  const { stdout, code } = await daemon.weir(["ps"]);
  assert.equal(code, 0);
  assert.equal(
    stdout.slice(stdout.indexOf("\n\n") + 2),
    `JOB        STATE      SCHEDULE     LAST RUN          TOOK  NEXT RUN  AGE
migrate    succeeded  once         succeeded 3d ago  1s    -         3d
prod:tick  scheduled  */5 * * * *  failed 5h ago     5s    in 3h     3d
  why: exited with code 3, 4 times
new        waiting    once         -                 -     -         3d
`,
  );
  assert.equal((await daemon.weir(["ps", "-o", "name"])).stdout, "web@v1\nweb@v2\nprod:cart@v1\njob/migrate\nprod:job/tick\njob/new\n");
  assert.deepEqual(JSON.parse((await daemon.weir(["ps", "-o", "json"])).stdout), [...services, ...jobs]);
  assert.match((await daemon.weir(["ps", "-o", "wide"])).stdout, /TIME ZONE +STACK +RUN\n/);
  daemon.answers = { ...daemon.answers, "GET /v1/services": { json: [] } };
  const alone = await daemon.weir(["ps"]);
  assert.match(alone.stdout, /^JOB /);
  assert.equal(alone.stderr, "");
});

test("restart runs a job again and replaces an app, each by its own way; a run that failed fails --wait", async () => {
  running();
  const failed = jobView({
    state: "failed",
    runs: [{ name: "migrate-2", cause: "h2", state: "failed", startedAt: 0, endedAt: 1, reason: "exited with code 3" }],
  });
  daemon.answers = { "GET /v1/jobs": { json: jobs }, "POST /v1/jobs/run": { json: [failed] }, "POST /v1/restart": { json: [serviceView()] } };
  const both = await daemon.weir(["restart", "web", "migrate"]);
  assert.equal(both.code, 0, both.stderr);
  assert.match(both.stdout, /web@v1 +ready[^]*\n\nJOB[^]*migrate +failed/);
  assert.deepEqual(
    daemon.requests.filter(({ method }) => method === "POST").map(({ url, body }) => [url, body]),
    [
      ["/v1/restart", { namespace: "default", targets: [{ app: "web" }], wait: false }],
      ["/v1/jobs/run", { namespace: "default", jobs: ["migrate"], wait: false }],
    ],
  );
  const waited = await daemon.weir(["restart", "job/migrate", "--wait"]);
  assert.equal(waited.code, 1);
  assert.match(waited.stderr, /^migrate exited with code 3; what it said: weir logs job\/migrate\n$/);
});
