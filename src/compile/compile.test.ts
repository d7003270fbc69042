import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { capturePoint } from "../../test/support/running-world.ts";
import { runs } from "../../test/support/runs.ts";
import { destination, external, planOf, port, router, rule, service, stack } from "../../test/support/stacks.ts";
import { type AppName, appKey, defaultNamespace, type Namespace, objectKey, type VersionName, versionKey } from "../model/names.ts";
import type { Service, Stack } from "../model/types.ts";
import type { App, Endpoint, World } from "../model/world.ts";
import { compileWorld } from "./compile.ts";
import type { Host, HostPort, MeshPlan } from "./mesh-plan.ts";
import { localGateway, worldOfStack } from "./world-of-stack.ts";

const weight = (app: string, version: string, share: number) => ({
  app: app as AppName,
  namespace: defaultNamespace,
  version: version as VersionName,
  weight: share,
});

function hostOf(plan: MeshPlan, name: string): Host {
  const host = plan.hosts.find((one) => one.name === name);
  assert.ok(host, `no host ${name} among ${plan.hosts.map((one) => one.name).join(", ")}`);
  return host;
}

/** What a port answers: `BACKEND=WEIGHT` of its first route. */
function shares(answer: HostPort | undefined): readonly string[] {
  const action = answer?.kind === "http" ? answer.routes[0]?.action : undefined;
  const destinations = answer?.kind === "tcp" ? answer.destinations : action?.kind === "forward" ? action.destinations : [];
  return destinations.map(({ backend, weight, authority }) => `${backend}=${weight}${authority === undefined ? "" : ` as ${authority}`}`);
}

function problemsOf(said: Partial<Stack>): readonly string[] {
  return compileWorld(worldOfStack(stack(said))).problems.map(({ code, message }) => `${code}: ${message}`);
}

test("an app's name splits by weight, a version's name does not; a version at 0 gets nothing", () => {
  const services = [service("web@v1"), service("web@v2"), service("web@v3")];
  const plan = planOf({ services, weights: [weight("web", "v1", 9_000), weight("web", "v2", 1_000), weight("web", "v3", 0)] });
  assert.deepEqual(shares(hostOf(plan, "web").ports[0]), ["web@v1.default:80=9000", "web@v2.default:80=1000"]);
  assert.deepEqual(shares(hostOf(plan, "web-v3").ports[0]), ["web@v3.default:80=10000"]);
  assert.deepEqual(
    plan.hosts.map(({ name, domains }) => [name, ...domains]),
    [
      ["web", "web.localhost"],
      ["web-v1", "web-v1.localhost"],
      ["web-v2", "web-v2.localhost"],
      ["web-v3", "web-v3.localhost"],
    ],
  );
});

test("the container's port works by name where no other port has its number", () => {
  const ports = (...texts: readonly string[]) =>
    hostOf(planOf({ services: [service("web", { ports: texts.map(port) })] }), "web").ports.map((one) => one.ports);
  assert.deepEqual(ports("80:8080"), [[80, 8080]]);
  assert.deepEqual(ports("8080"), [[8080]]);
  assert.deepEqual(ports("80:8080", "8080:9000"), [[80], [8080, 9000]], "8080 is the second's own");
  assert.deepEqual(ports("80:8080", "81:8080"), [[80, 8080], [81]], "the first has the shared one");
});

test("a port that only some versions have is split among those", () => {
  const services = [service("web@v1"), service("web@v2", { ports: [port("80:8080"), port("9000/grpc")] })];
  const plan = planOf({ services, weights: [weight("web", "v1", 9_000), weight("web", "v2", 1_000)] });
  assert.deepEqual(
    hostOf(plan, "web").ports.map((one) => shares(one)),
    [["web@v1.default:80=9000", "web@v2.default:80=1000"], ["web@v2.default:9000=10000"]],
  );
});

test("a namespace stands in ids and in host names", () => {
  const plan = planOf({ services: [service("web", { namespace: "team-a" as Namespace })] });
  assert.deepEqual(hostOf(plan, "web").domains, ["web.team-a.localhost"]);
  assert.deepEqual(
    plan.backends.map(({ id }) => id),
    ["web@v1.team-a:80"],
  );
});

test("a rule's share of an app is split by the app's weights, exactly", () => {
  const services = [service("a@v1"), service("a@v2"), service("b")];
  const weights = [weight("a", "v1", 3_333), weight("a", "v2", 6_667)];
  const destinations = [
    { to: destination("a"), weight: 5_000 },
    { to: destination("a@v1"), weight: 2_500 },
    { to: destination("b"), weight: 2_500 },
  ];
  const plan = planOf({ services, weights, routers: [router("www", [{ ...rule("a"), action: { kind: "forward", destinations } }])] });
  assert.deepEqual(shares(hostOf(plan, "www").ports[0]), ["a@v1.default:80=4167", "a@v2.default:80=3333", "b@v1.default:80=2500"]);
});

test("an external service hears its own name, unless the rule says another", () => {
  const externals = [
    external("pay", ["pay.example:443"], { ports: [port("80/http")], tls: { serverName: "pay.example" } }),
    external("dev", ["localhost:5173"], { ports: [port("80/http")] }),
    external("db", ["localhost:5432"]),
  ];
  const plan = planOf({
    externals,
    routers: [router("www", [rule("external:pay", { match: [] }, { rewrite: { host: "x" } })]), router("plain", [rule("external:pay")])],
  });
  assert.deepEqual(shares(hostOf(plan, "pay").ports[0]), ["external/pay.default:80=10000 as pay.example"]);
  assert.deepEqual(shares(hostOf(plan, "dev").ports[0]), ["external/dev.default:80=10000 as localhost:5173"]);
  assert.deepEqual(shares(hostOf(plan, "db").ports[0]), ["external/db.default:5432=10000"]);
  assert.deepEqual(shares(hostOf(plan, "www").ports[0]), ["external/pay.default:80=10000"]);
  assert.deepEqual(shares(hostOf(plan, "plain").ports[0]), ["external/pay.default:80=10000 as pay.example"]);
});

test("what cannot be resolved is a problem with its place, and the rest of the plan stands", () => {
  const routers = [router("www", [rule("wbe"), rule("web@v9"), rule("external:db"), rule("db"), rule("web")])];
  const services = [service("web"), service("db", { ports: [port("5432/tcp")] })];
  const { plan, problems } = compileWorld(worldOfStack(stack({ services, routers })));
  assert.deepEqual(
    problems.map(({ code, message, where }) => [code, message, where?.line]),
    [
      ["destination-unknown", "there is no app wbe in namespace default", 10],
      ["destination-unknown", "app web has no version v9", 20],
      ["destination-unknown", "there is no external service db in namespace default", 30],
      ["destination-unknown", "db has no HTTP port", 40],
    ],
  );
  assert.match(problems[0]?.hint ?? "", /web/);
  const [answer] = hostOf(plan, "www").ports;
  assert.deepEqual(answer?.kind === "http" && answer.routes.map(({ action }) => action.kind === "forward" && action.destinations.length), [0, 0, 0, 0, 1]);
});

test("names, host names and ports that two want", () => {
  assert.deepEqual(problemsOf({ services: [service("web"), service("web-v1")] }), [
    "name-clash: the app web-v1 in namespace default cannot be called: version web@v1 has that name",
  ]);
  assert.deepEqual(problemsOf({ services: [service("web")], routers: [router("www", [rule("web")], { hosts: ["WEB.localhost", "a.example"] })] }), [
    "domain-clash: the gateway's host name WEB.localhost belongs to the app web; the router www cannot have it",
  ]);
  const tcp = (name: string, number: number) => service(name, { ports: [port(`${number}/tcp`)] });
  assert.deepEqual(problemsOf({ services: [tcp("a", 5432), tcp("b", 5432), tcp("c", 8080)] }), [
    "port-clash: port 5432 of the gateway belongs to a; b cannot be reached through it",
    "port-clash: port 8080 of the gateway belongs to HTTP; c cannot be reached through it",
  ]);
  const plan = compileWorld(worldOfStack(stack({ services: [tcp("a", 5432), tcp("b", 5432)] }))).plan;
  assert.deepEqual(
    plan.gatewayTcp.map(({ port, destinations }) => [port, destinations[0]?.backend]),
    [[5432, "a@v1.default:5432"]],
  );
});

const endpoint = (id: string, ready = true): Endpoint => ({ id, address: "100.64.0.9", ready });

test("only ready endpoints, and an entry for every version", () => {
  const world = worldOfStack(stack({ services: [service("web@v1"), service("web@v2")], externals: [external("db", ["localhost:1"])] }));
  const key = versionKey(defaultNamespace, "web" as AppName, "v1" as VersionName);
  const { plan } = compileWorld({ ...world, endpoints: new Map([[key, [endpoint("a"), endpoint("b", false)]]]) });
  assert.deepEqual(
    [...plan.endpoints].map(([id, list]) => [id, list.map((one) => one.id)]),
    [
      ["web@v1.default:80", ["a"]],
      ["web@v2.default:80", []],
    ],
  );
});

function withApp(world: World, name: string, change: (app: App) => App): World {
  const key = appKey(defaultNamespace, name as AppName);
  const app = world.apps.get(key);
  assert.ok(app);
  return { ...world, apps: new Map([...world.apps, [key, change(app)]]) };
}

test("what did not change is the same object as before", () => {
  const services = [service("a@v1"), service("a@v2"), service("b")];
  const routers = [router("to-a", [rule("a")]), router("to-b", [rule("b")])];
  const world = worldOfStack(stack({ services, routers, externals: [external("db", ["localhost:1"])] }), {
    addresses: new Map([["default/a", "100.100.0.1"]]),
  });
  const before = compileWorld(world);

  assert.equal(compileWorld({ ...world, revision: 2 }, before).plan.hosts, before.plan.hosts);
  const key = objectKey(defaultNamespace, "to-b");
  const retired = compileWorld({ ...world, routers: new Map([...world.routers].filter(([other]) => other !== key)) }, before);
  assert.deepEqual(
    before.plan.hosts.filter((host) => !retired.plan.hosts.includes(host)).map(({ name }) => name),
    ["to-b"],
  );

  const addressed = compileWorld(
    {
      ...world,
      addresses: new Map([
        ["default/a", "100.100.0.1"],
        ["default/b", "100.100.0.2"],
      ]),
    },
    before,
  );
  assert.deepEqual(
    addressed.plan.hosts.filter((host) => !before.plan.hosts.includes(host)).map(({ name }) => name),
    ["b"],
  );

  const moved = withApp(world, "a", (app) => ({
    ...app,
    weights: new Map([
      ["v1" as VersionName, 9_000],
      ["v2" as VersionName, 1_000],
    ]),
  }));
  const still = compileWorld(world, before);
  const after = compileWorld(moved, still);
  const changed = after.plan.hosts.filter((host, index) => host !== still.plan.hosts[index]).map(({ name }) => name);
  assert.deepEqual(changed, ["a", "to-a"]);
  assert.equal(after.plan.backends, before.plan.backends);
  assert.deepEqual(
    [...after.plan.endpoints.values()].filter((list) => list !== [...before.plan.endpoints.values()][0]),
    [],
    "nobody's endpoints changed",
  );
});

test("a capture point that says the same keeps its identity", () => {
  const world = { ...worldOfStack(stack({})), captures: [capturePoint("a-v1"), capturePoint("b-v1")] };
  const before = compileWorld(world);
  assert.equal(compileWorld({ ...world, captures: structuredClone(world.captures) }, before).plan.captures, before.plan.captures);
  const opened = compileWorld({ ...world, captures: [capturePoint("a-v1"), capturePoint("b-v1", { egress: true })] }, before).plan.captures;
  assert.deepEqual([opened[0] === before.plan.captures[0], opened[1]?.egress], [true, true]);
});

test("a router whose destination comes later finds it", () => {
  const routers = [router("www", [rule("late")])];
  const world = worldOfStack(stack({ services: [service("web")], routers }));
  const before = compileWorld(world);
  assert.equal(before.problems.length, 1);
  const late = worldOfStack(stack({ services: [service("web"), service("late")], routers }));
  assert.deepEqual(compileWorld({ ...late, routers: world.routers }, before).problems, []);
});

test("equal Worlds give equal plans, whatever the order of their maps", () => {
  const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"), { minLength: 1 });
  const versions = fc.uniqueArray(fc.constantFrom("v1", "v2", "v3"), { minLength: 1 });
  const services = fc.array(fc.tuple(names, versions), { minLength: 1, maxLength: 3 }).map((groups) => {
    const refs = new Set(groups.flatMap(([apps, tags]) => apps.flatMap((app) => tags.map((tag) => `${app}@${tag}`))));
    return [...refs].map((ref) => service(ref));
  });
  fc.assert(
    fc.property(services, fc.integer(), (list, seed) => {
      const world = worldOfStack(stack({ services: list, routers: [router("www", [rule("a")]), router("x", [rule("b@v1")])] }));
      const shuffled: World = {
        ...world,
        apps: shuffle(world.apps, seed, (app) => ({ ...app, versions: shuffle(app.versions, seed, (one: Service) => ({ ...one })) })),
        routers: shuffle(world.routers, seed, (one) => ({ ...one })),
      };
      const [one, other] = [compileWorld(world), compileWorld(shuffled)];
      assert.deepEqual(other, one);
      for (const host of one.plan.hosts) for (const answer of host.ports) if (answer.kind === "tcp") assertSum(answer.destinations.map((to) => to.weight));
      for (const { action } of one.plan.hosts.flatMap((host) => host.ports).flatMap((answer) => (answer.kind === "http" ? answer.routes : [])))
        if (action.kind === "forward" && action.destinations.length > 0) assertSum(action.destinations.map((to) => to.weight));
    }),
    { numRuns: runs(100) },
  );
  assert.equal(localGateway.domain, "localhost");
});

function assertSum(weights: readonly number[]): void {
  assert.equal(
    weights.reduce((a, b) => a + b, 0),
    10_000,
  );
}

function shuffle<Key, Value>(map: ReadonlyMap<Key, Value>, seed: number, change: (value: Value) => Value): ReadonlyMap<Key, Value> {
  const entries = [...map].map(([key, value]) => [key, change(value)] as const);
  return new Map(seed % 2 === 0 ? entries.reverse() : [...entries.slice(1), ...entries.slice(0, 1)]);
}
