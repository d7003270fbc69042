/** What traffic does, by walking the emitted configuration; real Envoys walk the same in test/system. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Simulator, simulate } from "../../../test/simulate/simulate.ts";
import { capturePoint, runningWorld } from "../../../test/support/running-world.ts";
import { runs } from "../../../test/support/runs.ts";
import { anything, destination, external, port, router, rule, service, stack } from "../../../test/support/stacks.ts";
import { compileWorld } from "../../compile/compile.ts";
import type { MeshPlan } from "../../compile/mesh-plan.ts";
import { type AppName, defaultNamespace, type Namespace, type VersionName } from "../../model/names.ts";
import type { RouteMatch, RouteRule, Stack, TextMatch } from "../../model/types.ts";
import type { CapturePoint } from "../../model/world.ts";

const teamA = "team-a" as Namespace;

/** Everything of a stack runs, and `caller` calls. */
function running(said: Partial<Stack>, captures: readonly CapturePoint[] = [capturePoint("caller")]): MeshPlan {
  return compileWorld(runningWorld(stack(said), captures)).plan;
}

function mesh(said: Partial<Stack>, captures?: readonly CapturePoint[]): Simulator {
  return simulate(running(said, captures));
}

const two = { services: [service("web@v1"), service("web@v2")] };
const share = (version: string, weight: number) => ({ app: "web" as AppName, namespace: defaultNamespace, version: version as VersionName, weight });
const from = "caller";

test("an app by name, by its container's port, by a version's name, by another namespace", () => {
  const { expectCall } = mesh({ services: [...two.services, service("api", { namespace: teamA })] });
  expectCall({ from, to: "http://web/x" }).reaches("web@v1");
  expectCall({ from, to: "http://web:8080/" }).reaches("web@v1");
  expectCall({ from, to: "http://web-v2/" }).reaches("web@v2");
  expectCall({ from, to: "http://api.team-a/" }).reaches("api@v1.team-a");
  expectCall({ from, to: "http://web:81/" }).answers(404, /web\.default does not speak HTTP on this port, but on 80, 8080/);
  expectCall({ from, to: "http://100.100.9.9/" }).answers(404, /no service has this address/);
});

test("a call goes where it goes, whatever its headers say", () => {
  const { expectCall } = mesh({ services: [service("web"), service("api")] });
  expectCall({ from, to: "http://web/", headers: { host: "api" } }).reaches("web@v1");
});

test("from outside by the host's name, with any port and any case; the rest is told so", () => {
  const { expectCall } = mesh({ ...two, services: [...two.services, service("hidden", { public: false }), service("api", { namespace: teamA })] });
  expectCall({ to: "http://web.localhost:8080/" }).reaches("web@v1");
  expectCall({ to: "http://web.localhost:8080/", headers: { host: "WEB.localhost:99" } }).reaches("web@v1");
  expectCall({ to: "http://web-v2.localhost:8080/" }).reaches("web@v2");
  expectCall({ to: "http://api.team-a.localhost:8080/" }).reaches("api@v1.team-a");
  for (const name of ["hidden", "api", "nobody"]) expectCall({ to: `http://${name}.localhost:8080/` }).answers(404, /nothing public has this name/);
});

test("weights, exactly; a staged version gets nothing", () => {
  expectShares([9_000, 1_000], { "web@v1": 90, "web@v2": 10 });
  expectShares([9_999, 1], { "web@v1": 99.99, "web@v2": 0.01 });
  expectShares([10_000, 0], { "web@v1": 100 });
});

function expectShares([v1 = 0, v2 = 0]: readonly number[], expected: Readonly<Record<string, number>>): void {
  const { expectCall } = mesh({ ...two, weights: [share("v1", v1), share("v2", v2)] });
  expectCall({ from, to: "http://web/" }).reaches(expected);
  expectCall({ to: "http://web.localhost:8080/" }).reaches(expected);
}

/** A router `www` over web: the rules, then everything else to web@v1. */
function www(...rules: readonly RouteRule[]): Simulator["expectCall"] {
  const routers = [router("www", [...rules, rule("web@v1")], { hosts: ["shop.example", "*.shop.example"] })];
  return mesh({ ...two, routers, externals: [external("pay", ["pay.example:443"], { ports: [port("80/http")], tls: { serverName: "pay.example" } })] })
    .expectCall;
}

function matching(said: Partial<RouteMatch>): RouteRule {
  return rule("web@v2", { match: [{ ...anything, ...said }] });
}

test("a router by its name inside, by its hosts outside, wildcards after exact names", () => {
  const expectCall = www();
  expectCall({ from, to: "http://www/" }).reaches("web@v1");
  for (const host of ["www.localhost", "shop.example", "a.b.shop.example"])
    expectCall({ to: "http://www.localhost:8080/", headers: { host } }).reaches("web@v1");
  expectCall({ to: "http://www.localhost:8080/", headers: { host: "xshop.example" } }).answers(404, /nothing public/);
});

test("paths: exact, whole segments, the whole by pattern", () => {
  const cases: readonly (readonly [RouteMatch["path"], fits: readonly string[], fitsNot: readonly string[]])[] = [
    [{ kind: "exact", value: "/a" }, ["/a", "/a?q=1"], ["/a/", "/ab", "/"]],
    [{ kind: "prefix", value: "/a" }, ["/a", "/a/", "/a/b?q", "/a?x"], ["/ab", "/"]],
    [{ kind: "prefix", value: "/a/" }, ["/a", "/a/b"], ["/ab"]],
    [{ kind: "prefix", value: "/" }, ["/", "/x"], []],
    [{ kind: "regex", value: "/v[0-9]+" }, ["/v1", "/v12?x=1"], ["/v", "/v1/x", "/x/v1"]],
  ];
  for (const [path, fits, fitsNot] of cases) {
    const expectCall = www(matching(path === undefined ? {} : { path }));
    for (const one of fits) expectCall({ from, to: `http://www${one}` }).reaches("web@v2");
    for (const one of fitsNot) expectCall({ from, to: `http://www${one}` }).reaches("web@v1");
  }
});

test("methods, headers, query and cookies, each by text, prefix, pattern and presence", () => {
  const methods = www(matching({ methods: ["PUT", "POST"] }));
  for (const [method, version] of [
    ["PUT", "v2"],
    ["POST", "v2"],
    ["GET", "v1"],
    ["PUTS", "v1"],
  ] as const)
    methods({ from, to: "http://www/", method }).reaches(`web@${version}`);
  const values: readonly (readonly [TextMatch, fits: readonly string[], fitsNot: readonly string[]])[] = [
    [{ kind: "exact", value: "b" }, ["b"], ["B", "bb", ""]],
    [{ kind: "prefix", value: "b" }, ["b", "bc"], ["ab"]],
    [{ kind: "regex", value: "b-[0-9]+" }, ["b-1"], ["b-", "xb-1", "b-1x"]],
    [{ kind: "present" }, ["", "x"], []],
  ];
  for (const [value, fits, fitsNot] of values) {
    const carried = (text: string) =>
      [
        [www(matching({ headers: [{ name: "x-user", value }] })), "http://www/", { "X-User": text }],
        [www(matching({ query: [{ name: "v", value }] })), `http://www/?a=1&v=${text}`, {}],
        [www(matching({ cookies: [{ name: "group", value }] })), "http://www/", { cookie: `a=1; group=${text}; z=b` }],
      ] as const;
    for (const text of fits) for (const [expectCall, to, headers] of carried(text)) expectCall({ from, to, headers }).reaches("web@v2");
    for (const text of fitsNot) for (const [expectCall, to, headers] of carried(text)) expectCall({ from, to, headers }).reaches("web@v1");
    for (const [expectCall] of carried("x")) expectCall({ from, to: "http://www/" }).reaches("web@v1");
  }
});

test("all parts of a match must hold, any of several matches is enough, and the first rule wins", () => {
  const get = { ...anything, methods: ["GET"], headers: [{ name: "x-a", value: { kind: "exact", value: "1" } as const }] };
  const expectCall = www(
    rule("web@v2", { match: [get, { ...anything, path: { kind: "exact", value: "/b" } }] }),
    rule("web@v1", { match: [{ ...anything, path: { kind: "exact", value: "/b" } }] }),
  );
  expectCall({ from, to: "http://www/", headers: { "x-a": "1" } }).reaches("web@v2");
  expectCall({ from, to: "http://www/", headers: { "x-a": "1" }, method: "PUT" }).reaches("web@v1");
  expectCall({ from, to: "http://www/b" }).reaches("web@v2");
});

/** What path arrives for `path` when a rule that matches `match` rewrites to `to`. */
function rewritten(match: RouteMatch["path"], to: string, path: string): string | undefined {
  const expectCall = www(rule("web@v2", { match: match === undefined ? [] : [{ ...anything, path: match }] }, { rewrite: { path: to } }));
  return expectCall({ from, to: `http://www${path}` }).reaches("web@v2").shares[0]?.request.path;
}

test("a rewrite replaces what matched, and makes no double slash", () => {
  const api = { kind: "prefix", value: "/api" } as const;
  assert.deepEqual(
    ["/api", "/api/", "/api/x?q=1"].map((path) => rewritten(api, "/", path)),
    ["/", "/", "/x?q=1"],
  );
  assert.deepEqual(
    ["/api", "/api/x"].map((path) => rewritten(api, "/v2/", path)),
    ["/v2", "/v2/x"],
  );
  assert.deepEqual(
    ["/", "/x?q=1"].map((path) => rewritten(undefined, "/v2", path)),
    ["/v2/", "/v2/x?q=1"],
  );
  assert.deepEqual(
    ["/", "/x"].map((path) => rewritten({ kind: "prefix", value: "/" }, "/", path)),
    ["/", "/x"],
  );
  assert.equal(rewritten({ kind: "exact", value: "/e" }, "/f", "/e?q=1"), "/f?q=1");
  assert.equal(rewritten({ kind: "prefix", value: "/a.b+c" }, "/", "/a.b+c/x"), "/x", "a prefix is no pattern");
});

test("a rewrite by pattern, of the host", () => {
  const regex = { pattern: "^/user/([0-9]+)$", substitution: "/u?id=\\1" };
  const { shares } = www(rule("web@v2", {}, { rewrite: { host: "inner.example", regex } }))({ from, to: "http://www/user/7" }).reaches("web@v2");
  assert.deepEqual([shares[0]?.request.path, shares[0]?.request.authority], ["/u?id=7", "inner.example"]);
});

const redirecting = (path: RouteMatch["path"], redirect: Extract<RouteRule["action"], { kind: "redirect" }>["redirect"]) =>
  www({ ...rule("web"), match: [{ ...anything, ...(path === undefined ? {} : { path }) }], action: { kind: "redirect", redirect } });

test("a redirect's scheme, host, port and code; what is not said stays", () => {
  redirecting({ kind: "exact", value: "/old" }, { path: "/new", code: 303 })({ from, to: "http://www/old" }).redirects(303, "http://www/new");
  redirecting(undefined, { scheme: "https", code: 301 })({ to: "http://www.localhost:8080/x" }).redirects(301, "https://www.localhost:8080/x");
  redirecting(undefined, { host: "h.example", port: 8443, scheme: "https", code: 307 })({ from, to: "http://www/x?q" }).redirects(
    307,
    "https://h.example:8443/x?q",
  );
});

test("a redirect's path replaces the matched prefix, or the whole path of any other match, and makes no double slash", () => {
  const prefix = (value: string) => ({ kind: "prefix", value }) as const;
  const rows: readonly (readonly [RouteMatch["path"], string, Readonly<Record<string, string>>])[] = [
    [prefix("/old"), "/new", { "/old": "/new", "/old/": "/new/", "/old/x?q=/old": "/new/x?q=/old" }],
    [prefix("/old/"), "/new/", { "/old": "/new", "/old/x": "/new/x" }],
    [prefix("/old"), "/", { "/old": "/", "/old/": "/", "/old/x/y?q": "/x/y?q", "/old//x": "/x" }],
    [prefix("/"), "/new", { "/": "/new/", "/b": "/new/b", "/b?q=1": "/new/b?q=1", "/b/c/": "/new/b/c/" }],
    [prefix("/"), "/", { "/": "/", "/b": "/b" }],
    [prefix("/a.b+c"), "/", { "/a.b+c/x": "/x" }],
    [prefix("/old"), "/a\\1", { "/old/x": "/a\\1/x" }],
    [{ kind: "exact", value: "/old" }, "/new/", { "/old?q=1": "/new/?q=1" }],
    [{ kind: "regex", value: "/u/[0-9]+" }, "/users", { "/u/7?q=1": "/users?q=1" }],
    [undefined, "/gone", { "/": "/gone", "/b/c": "/gone" }],
  ];
  for (const [match, path, expected] of rows) {
    const expectCall = redirecting(match, { path, host: "new.example", code: 308 });
    for (const [asked, found] of Object.entries(expected)) expectCall({ from, to: `http://www${asked}` }).redirects(308, `http://new.example${found}`);
  }
});

test("a rewrite and a redirect of a prefix agree, and both are the old path with another beginning", () => {
  const segment = fc.constantFrom("a", "b.c", "d+", "(e)");
  const pathOf = (names: readonly string[], slash: boolean): string => `/${names.join("/")}${slash && names.length > 0 ? "/" : ""}`;
  const prefixes = fc.tuple(fc.array(segment, { maxLength: 3 }), fc.boolean()).map(([names, slash]) => pathOf(names, slash));
  const targets = fc.tuple(fc.array(fc.oneof(segment, fc.constant("\\1")), { maxLength: 3 }), fc.boolean()).map(([names, slash]) => pathOf(names, slash));
  const withoutSlash = (path: string): string => path.replace(/\/$/, "");
  fc.assert(
    fc.property(prefixes, targets, fc.array(segment, { maxLength: 2 }), (prefix, to, rest) => {
      const match = { kind: "prefix", value: prefix } as const;
      const expected = `${withoutSlash(to)}/${rest.join("/")}`;
      const asked = `${withoutSlash(prefix)}/${rest.join("/")}`;
      assert.equal(rewritten(match, to, asked), expected, `${asked} of ${prefix} to ${to}`);
      redirecting(match, { path: to, code: 302 })({ from, to: `http://www${asked}` }).redirects(302, `http://www${expected}`);
    }),
    { numRuns: runs(60) },
  );
});

test("headers are set, added to and removed, in both directions; a percent sign is itself", () => {
  const changes = { set: [{ name: "x-set", value: "100%" }], add: [{ name: "x-add", value: "2" }], remove: ["x-gone"] };
  const expectCall = www(rule("web@v2", { requestHeaders: changes, responseHeaders: changes }));
  const outcome = expectCall({ from, to: "http://www/", headers: { "x-set": "0", "x-add": "1", "x-gone": "1", "x-kept": "1" } }).reaches("web@v2");
  assert.deepEqual(outcome.shares[0]?.request.headers, { "x-set": "100%", "x-add": "1, 2", "x-kept": "1" });
  assert.deepEqual(outcome.responseHeaders, { "x-set": "100%", "x-add": "2" });
});

test("timeouts and retries: safe by default, the rule's own where it says", () => {
  const plain = www()({ from, to: "http://www/" }).reaches("web@v1");
  assert.deepEqual([plain.timeoutMs, plain.retryOn], [0, "connect-failure,refused-stream,reset-before-request"]);
  const said = www(rule("web@v2", {}, { timeoutMs: 1_500, retries: { attempts: 2, on: ["5xx", "reset"] } }))({ from, to: "http://www/" }).reaches("web@v2");
  assert.deepEqual([said.timeoutMs, said.retryOn], [1_500, "5xx,reset"]);
});

test("a split over apps and the outside: each hears its own name", () => {
  const destinations = [
    { to: destination("web"), weight: 5_000 },
    { to: destination("external:pay"), weight: 5_000 },
  ];
  const outcome = www({ ...rule("web"), action: { kind: "forward", destinations } })({ from, to: "http://www/" }).reaches({ "web@v1": 50, "external/pay": 50 });
  assert.deepEqual(
    outcome.shares.map(({ request }) => request.authority),
    ["www", "pay.example"],
  );
});

test("a request that fits no rule, and a rule that leads nowhere, are told so", () => {
  const routers = [
    router("www", [matching({ path: { kind: "prefix", value: "/a" } }), rule("nobody", { match: [{ ...anything, path: { kind: "exact", value: "/b" } }] })]),
  ];
  const { expectCall } = mesh({ ...two, routers });
  expectCall({ from, to: "http://www/c" }).answers(404, /no rule of router www matches/);
  expectCall({ from, to: "http://www/b" }).answers(503, /www#1 leads nowhere/);
});

test("TCP by name and by the gateway; a port that is not there is closed", () => {
  const db = service("db", { ports: [port("5432/tcp")] });
  const both = service("both", { ports: [port("80:8080/http"), port("7000:7001/tcp")], public: false });
  const { expectCall } = mesh({ services: [db, both] });
  expectCall({ from, to: "tcp://db:5432" }).reaches("db@v1");
  expectCall({ from, to: "tcp://db:80" }).isClosed();
  expectCall({ from, to: "tcp://both:7001" }).reaches("both@v1");
  expectCall({ from, to: "http://both/" }).reaches("both@v1");
  expectCall({ from, to: "http://both:81/" }).answers(404, /on 80, 8080/);
  expectCall({ to: "tcp://db.localhost:5432" }).reaches("db@v1");
  expectCall({ to: "tcp://both.localhost:7000" }).isClosed();
});

test("TCP is split by weight per connection", () => {
  const ports = [port("5432/tcp")];
  const { expectCall } = mesh({ services: [service("web@v1", { ports }), service("web@v2", { ports })], weights: [share("v1", 7_500), share("v2", 2_500)] });
  expectCall({ from, to: "tcp://web:5432" }).reaches({ "web@v1": 75, "web@v2": 25 });
});

test("the outside: what is declared leads to its addresses, anything else is closed, unless egress is allowed", () => {
  const externals = [external("db", ["localhost:5432", "10.0.0.7:5432"]), external("api", ["api.example:80"], { ports: [port("80/http")] })];
  const { expectCall, addresses } = mesh({ ...two, externals }, [capturePoint("caller"), capturePoint("open", { egress: true, address: "100.64.0.3" })]);
  const [db] = expectCall({ from, to: "tcp://db:5432" }).reaches("external/db").shares;
  assert.deepEqual(addresses(db?.cluster ?? ""), ["127.0.0.1:5432", "10.0.0.7:5432"]);
  expectCall({ from, to: "http://api/" }).reaches("external/api");
  expectCall({ from, to: "http://93.184.216.34/" }).isClosed();
  expectCall({ from, to: "http://100.64.0.9:8080/" }).isClosed();
  expectCall({ from: "open", to: "https://93.184.216.34:443/" }).reaches("anywhere");
  expectCall({ from: "open", to: "http://web/" }).reaches("web@v1");
});

test("only ready replicas, at the container's port", () => {
  const plan = running(two);
  assert.deepEqual(simulate(plan).addresses("web@v1.default:80"), ["100.64.0.9:8080"]);
  assert.deepEqual(simulate({ ...plan, endpoints: new Map() }).addresses("web@v1.default:80"), []);
});
