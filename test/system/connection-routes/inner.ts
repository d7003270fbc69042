/** The scenarios of `connection-routes.test.ts`, inside namespaces of their own. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { captureRules, serving } from "../../../src/agent/cluster/pod-rules.ts";
import { compileWorld } from "../../../src/compile/compile.ts";
import { compileNode } from "../../../src/compile/node-plan.ts";
import { emitNodeProxy } from "../../../src/emit/envoy/node-proxy.ts";
import { bundlePem } from "../../../src/identity/bundle.ts";
import { createKeyPair } from "../../../src/identity/keys.ts";
import type { GatewayTarget } from "../../../src/model/gateway.ts";
import type { MeshPods } from "../../../src/model/mesh-pod.ts";
import { type AppKey } from "../../../src/model/names.ts";
import type { ServiceRoute } from "../../../src/model/service-route.ts";
import { defaultTrustDomain } from "../../../src/model/spiffe.ts";
import { publicKeyOf, someAuthority } from "../../support/certificates.ts";
import { identityOf } from "../../support/node-mesh.ts";
import { eventually, realClock } from "../../support/real.ts";
import { runningWorld } from "../../support/running-world.ts";
import { destination, port, service, stack } from "../../support/stacks.ts";
import { endpointsAt, meshPod } from "../callers/pods.ts";
import { type Server, startServer } from "../callers/server.ts";
import { Lab, pods, root, tools } from "../pod-capture/lab.ts";
import { NodeEnvoy } from "../support/node-envoy.ts";

const callers = { web: "a1", api: "a2" } as const;
type Caller = keyof typeof callers;
const friends = ["web", "api"] as const;
const backends = { one: "b1", two: "b2" } as const;

const plain = 9180;
const secure = 9182;
const ports = [port(`80:${plain}/tcp`), port(`443:${secure}/tcp`)];
const shop = stack({ services: [service("db", { ports }), service("one", { ports }), service("two", { ports })] });

const lab = new Lab(process.env["LAB_FOLDER"] ?? "");
const authority = await someAuthority(realClock);
const node = new NodeEnvoy({
  folder: path.join(lab.folder, "proxy"),
  authority,
  identities: friends.map(identityOf),
  within: [tools.nsenter, `--net=${lab.namespace("node-a")}`, "--"],
});
const servers: Server[] = [];

function targetOf(number: number, shares: Readonly<Record<string, number>>, refused = 0): GatewayTarget {
  return { destinations: Object.entries(shares).map(([name, weight]) => ({ to: { ...destination(name), port: number }, weight })), refused };
}

/** The node's configuration with routes in front of `db`, whose own pod is `b1`. */
function configuration(routes: readonly ServiceRoute[]) {
  const endpoints = new Map([endpointsAt("db", "b1"), endpointsAt("one", "b1"), endpointsAt("two", "b2")]);
  const { plan } = compileWorld({ ...runningWorld(shop, []), endpoints, serviceRoutes: new Map([["default/db" as AppKey, routes]]) });
  const here = friends.map((name) => ({ ...meshPod(callers[name], name), networkNamespace: lab.namespace(callers[name]) }));
  const joined = [...here, meshPod("b1", "one"), meshPod("b2", "two")];
  const mesh: MeshPods = { trustDomain: defaultTrustDomain, joined: new Map(joined.map((pod) => [pod.address, pod])), pinned: new Map([["a", here]]) };
  const address = plan.hosts.find(({ name }) => name === "db")?.address;
  return { resources: emitNodeProxy(compileNode(plan, mesh, "a")), address };
}

const publish = (...routes: readonly ServiceRoute[]): Promise<void> => node.publish(configuration(routes).resources);
const url = (number: number, scheme = "http"): string => `${scheme}://${configuration([]).address ?? ""}:${number}`;

const program = path.join(root, "test/system/apps/ask-many.mjs");

/** What a caller hears: answer → how often. Every request is a connection of its own. */
async function ask(caller: Caller, asking: object): Promise<Readonly<Record<string, number>>> {
  const { line } = lab.spawn(callers[caller], [process.execPath, program, JSON.stringify({ workers: 4, fresh: true, ...asking })]);
  return (JSON.parse(await line()) as { answers: Record<string, number> }).answers;
}

/** One connection of a caller that stays, and what it hears when it asks again. */
function keep(caller: Caller, asking: object): { readonly again: () => Promise<string>; readonly end: () => void } {
  const { child, line } = lab.spawn(callers[caller], [process.execPath, program, JSON.stringify({ workers: 1, stdin: true, ...asking })]);
  return { again: () => (child.stdin.write("\n"), line()), end: () => child.kill("SIGKILL") };
}

before(async () => {
  await lab.start();
  const roots = bundlePem(authority.bundle.get());
  for (const [app, pod] of Object.entries(backends)) {
    const keys = await createKeyPair();
    const [svid] = await authority.issue("b", [{ id: identityOf(app), spki: await publicKeyOf(keys) }]);
    const shown = { chain: svid?.chain ?? "", key: keys.privatePem };
    const served = [
      { port: plain, codec: "HTTP1" as const, ...shown },
      { port: secure, codec: "TLS" as const, ...shown },
    ];
    servers.push(await startServer(lab, pod, pods[pod].address, roots, served));
  }
  await node.start();
  await publish();
  for (const caller of friends)
    await lab.run(
      callers[caller],
      `${lab.nft} -f - <<'END'\n${captureRules({ address: pods[callers[caller]].address, probePorts: [], mode: "strict" })}${serving}END`,
    );
});

after(async () => {
  for (const server of servers) server.stop();
  await node.stop();
  lab.stop();
});

test("connections go by weight, each as its caller; what is refused is closed", { timeout: 40_000 }, async () => {
  await publish({ kind: "tcp", port: 80, target: targetOf(80, { one: 5_000, two: 3_000 }, 2_000) });
  const answers = await ask("web", { url: url(80), count: 400, show: "pod" });
  const { "200 b1": one = 0, "200 b2": two = 0, ...failed } = answers;
  const refused = Object.values(failed).reduce((sum, count) => sum + count, 0);
  assert.equal(one + two + refused, 400);
  // Within about five standard deviations.
  for (const [count, share] of [
    [one, 200],
    [two, 120],
    [refused, 80],
  ] as const)
    assert.ok(Math.abs(count - share) < 50, JSON.stringify(answers));
  const heard = await Promise.all(
    friends.map(async (caller) => Object.keys(await ask(caller, { url: url(80), count: 40 })).filter((one) => one.startsWith("200"))),
  );
  assert.deepEqual(
    heard,
    friends.map((caller) => [`200 ${identityOf(caller)}`]),
  );
});

const byName: ServiceRoute = {
  kind: "tls",
  port: 443,
  servers: [
    { domain: "a.example", target: targetOf(443, { one: 10_000 }) },
    { domain: "*.example", target: targetOf(443, { two: 10_000 }) },
  ],
};

test("TLS goes by its server name and passes through; other names, none, and what is no TLS are closed", { timeout: 40_000 }, async () => {
  await publish(byName);
  const secured = url(443, "https");
  for (const [name, pod] of [
    ["a.example", "b1"],
    ["b.example", "b2"],
    ["c.b.example", "b2"],
  ] as const) {
    assert.deepEqual(await ask("web", { url: secured, count: 10, https: name, show: "pod" }), { [`200 ${pod}`]: 10 }, name);
    assert.deepEqual(await ask("web", { url: secured, count: 2, https: name }), { [`200 ${name}`]: 2 }, "the service sees the name itself");
  }
  for (const wrong of [{ https: "example" }, { https: "a.other" }, { https: "" }]) {
    const answers = await ask("web", { url: secured, count: 3, ...wrong });
    assert.deepEqual(
      Object.keys(answers).filter((one) => one.startsWith("200")),
      [],
      JSON.stringify(wrong),
    );
  }
  const clear = await ask("web", { url: url(443), count: 3 });
  assert.deepEqual(
    Object.keys(clear).filter((one) => one.startsWith("200")),
    [],
  );
});

test("callers at the same time: the called side sees each as itself", { timeout: 40_000 }, async () => {
  const seen = (): readonly string[] => servers.flatMap((server) => server.callers());
  const before = seen().length;
  const counts = { web: 150, api: 100 } as const;
  const asked = friends.map((caller) => ask(caller, { url: url(443, "https"), count: counts[caller], https: "b.example" }));
  assert.deepEqual(
    await Promise.all(asked),
    friends.map((caller) => ({ "200 b.example": counts[caller] })),
  );
  await eventually(() => seen().length === before + 250, "all connections are in the log", 10_000);
  const since = Map.groupBy(seen(), (one) => one);
  assert.deepEqual([...since.keys()].sort(), friends.map(identityOf).sort());
  assert.equal(since.get(identityOf("api"))?.length, counts.api, "nobody else was taken for it");
});

test("connections stay while routes of other ports and other names come and go", { timeout: 40_000 }, async (t) => {
  await publish();
  const other = keep("api", { url: url(80), show: "pod" });
  t.after(other.end);
  assert.equal(await other.again(), "200 b1");
  await publish(byName);
  const named = keep("web", { url: url(443, "https"), https: "a.example", show: "pod" });
  t.after(named.end);
  assert.equal(await named.again(), "200 b1");
  await publish({ ...byName, servers: [...byName.servers.slice(0, 1), { domain: "*.example", target: targetOf(443, { one: 10_000 }) }] });
  assert.deepEqual(await ask("web", { url: url(443, "https"), count: 3, https: "b.example", show: "pod" }), { "200 b1": 3 });
  assert.deepEqual([await named.again(), await other.again()], ["200 b1", "200 b1"]);
  await publish();
  assert.equal(await other.again(), "200 b1");
  assert.deepEqual(await ask("web", { url: url(443, "https"), count: 3, https: "any.other", show: "pod" }), { "200 b1": 3 }, "the service's own again");
});
