import assert from "node:assert/strict";
import { test } from "node:test";
import { goldenCases, readCase } from "../../test/golden/golden.ts";
import { stackOf } from "../../test/support/parse.ts";
import { appMistakes, externalMistakes, type FieldMistake, jobMistakes, routerMistakes, versionMistakes } from "./declared-checks.ts";
import type { AppName, Namespace } from "./names.ts";
import type { DestinationRef, ExternalService, RouteRule, Router, Service } from "./types.ts";

const shop = stackOf(`
services:
  web: { image: web, command: serve, ports: ["80"], env: { A: b }, health: /healthz }
routers:
  www: { hosts: [shop.example], rules: [{ to: web }] }
externalServices:
  db: { address: "db.example:5432" }
`);
const [service, router, external] = [shop.services[0] as Service, shop.routers[0] as Router, shop.externals[0] as ExternalService];
const rule = router.rules[0] as RouteRule;
const shown = (mistakes: readonly FieldMistake[]) => mistakes.map(({ path: at, problem }) => `${at} ${problem.code}`);
const routerWith = (more: Partial<Router>, ruleWith: Partial<RouteRule> = {}): readonly string[] =>
  shown(routerMistakes({ ...router, ...more, rules: more.rules ?? [{ ...rule, ...ruleWith }] }));
const match = { methods: [], headers: [], query: [], cookies: [] };
const to = (more: Partial<DestinationRef>) => ({ kind: "app", namespace: "shop" as Namespace, name: "web", ...more }) as DestinationRef;
const forward = (...destinations: readonly DestinationRef[]) =>
  ({ kind: "forward", destinations: destinations.map((one) => ({ to: one, weight: 5_000 })) }) as const;

test("whatever a sound weir.yaml says is sound as objects, too", () => {
  const stacks = goldenCases().flatMap((name) => {
    const parsed = readCase(name);
    return parsed.ok ? [{ name, stack: parsed.value }] : [];
  });
  assert.ok(stacks.length >= 20, `only ${stacks.length}`);
  for (const { name, stack } of stacks) {
    const found = [
      ...stack.services.flatMap((one) => versionMistakes({ service: one, origin: "file", restarts: 0 })),
      ...stack.jobs.flatMap((job) => jobMistakes({ job, restarts: 0 })),
      ...stack.routers.flatMap(routerMistakes),
      ...stack.externals.flatMap(externalMistakes),
    ];
    assert.deepEqual(found, [], name);
  }
});

test("the words are those of weir.yaml", () => {
  const [mistake] = routerMistakes({ ...router, rules: [{ ...rule, match: [{ ...match, path: { kind: "regex", value: "(?=x)" } }] }] });
  assert.equal(mistake?.path, "spec.rules[0].match[0].path.value");
  assert.match(mistake?.problem.message ?? "", /^"\(\?=x\)" is not a regular expression: /);
  assert.equal(mistake?.problem.hint, "RE2's syntax: no look-around, no back-references");
  assert.equal(mistake?.problem.where, undefined);
});

test("routers: hosts, matches, destinations, rewrites, headers", () => {
  assert.deepEqual(routerWith({ hosts: ["not a host", "a.example", "a.example", "*.b.example"] }), ["spec.hosts[0] host-invalid", "spec.hosts[2] host-clash"]);
  const matches = [
    { ...match, path: { kind: "exact", value: "no-slash" } as const, methods: ["GETT"] },
    {
      ...match,
      headers: [{ name: "no name", value: { kind: "regex", value: "(" } as const }],
      query: [{ name: "q", value: { kind: "regex", value: "\\1" } as const }],
    },
  ];
  assert.deepEqual(routerWith({}, { match: matches }), [
    "spec.rules[0].match[0].path.value path-invalid",
    "spec.rules[0].match[0].methods[0] value-unknown",
    "spec.rules[0].match[1].headers[0].name header-invalid",
    "spec.rules[0].match[1].headers[0].value.value regex-invalid",
    "spec.rules[0].match[1].query[0].value.value regex-invalid",
  ]);
  assert.deepEqual(routerWith({}, { action: forward(to({ name: "web@v2" }), to({ name: "Web" }), to({}), to({}), to({ namespace: "" as Namespace })) }), [
    "spec.rules[0].action.destinations[0].to.name destination-invalid",
    "spec.rules[0].action.destinations[1].to.name name-invalid",
    "spec.rules[0].action.destinations[3].to duplicate-destination",
    "spec.rules[0].action.destinations[4].to.namespace name-invalid",
  ]);
  const rewrite = { path: "/x", regex: { pattern: "[", substitution: "" } };
  assert.deepEqual(routerWith({}, { match: [{ ...match, path: { kind: "regex", value: "/a.*" } }], action: { ...forward(to({})), rewrite } }), [
    "spec.rules[0].action.rewrite.regex.pattern regex-invalid",
    "spec.rules[0].action.rewrite rewrite-invalid",
    "spec.rules[0].action.rewrite rewrite-invalid",
  ]);
  assert.deepEqual(routerWith({}, { action: { kind: "redirect", redirect: { code: 302 } } }), ["spec.rules[0].action.redirect redirect-invalid"]);
  const changes = { add: [{ name: "Host", value: "x" }], set: [{ name: "x-a", value: "a\nb" }], remove: ["y z"] };
  assert.deepEqual(routerWith({}, { requestHeaders: changes }), [
    "spec.rules[0].requestHeaders.add[0].name header-invalid",
    "spec.rules[0].requestHeaders.set[0].value header-invalid",
    "spec.rules[0].requestHeaders.remove[0] header-invalid",
  ]);
});

test("jobs: their schedules", () => {
  const [job] = stackOf('jobs: {tick: {command: x, schedule: "@hourly"}}').jobs;
  assert.ok(job !== undefined);
  assert.deepEqual(shown(jobMistakes({ job: { ...job, schedule: { cron: "61 * * * *", timeZone: "Berlin" } }, restarts: 0 })), [
    "spec.schedule.cron schedule-invalid",
    "spec.schedule.timeZone time-zone-unknown",
  ]);
});

test("versions, apps, external services", () => {
  const version = (more: Partial<Service>) => shown(versionMistakes({ service: { ...service, ...more }, origin: "file", restarts: 0 }));
  assert.deepEqual(version({}), []);
  assert.deepEqual(
    version({
      image: "Not An Image",
      env: { "A B": { kind: "literal", value: "" } },
      mounts: [{ kind: "config", name: "c", path: "relative" }],
      stopSignal: "SIGNOW",
    }),
    ["spec.image image-invalid", "spec.env.A B env-invalid", "spec.mounts[0].path path-invalid", "spec.stopSignal value-unknown"],
  );
  assert.deepEqual(shown(appMistakes({ namespace: "shop" as Namespace, app: "web" as AppName, weights: { v1: 5_000, V2: 5_000 }, history: [] })), [
    "spec.weights.V2 name-invalid",
  ]);
  const externalWith = (host: string, port = 80) => shown(externalMistakes({ ...external, endpoints: [{ host, port }] }));
  for (const host of ["db.example", "10.0.0.1", "::1", "2001:db8::1", "localhost"]) assert.deepEqual(externalWith(host), [], host);
  for (const host of ["https://x", "a_b", "300.1.1.1", "[::1]", "", "Db.example"])
    assert.deepEqual(externalWith(host), ["spec.endpoints[0] address-invalid"], host);
});
