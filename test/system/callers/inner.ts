/** The scenarios of `callers.test.ts`, inside namespaces of their own. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { captureRules, serving } from "../../../src/agent/cluster/pod-rules.ts";
import { compileWorld } from "../../../src/compile/compile.ts";
import { compileNode } from "../../../src/compile/node-plan.ts";
import { emitNodeProxy } from "../../../src/emit/envoy/node-proxy.ts";
import { createOwnCa } from "../../../src/identity/authority.ts";
import { bundlePem } from "../../../src/identity/bundle.ts";
import { createSigner } from "../../../src/identity/issue.ts";
import { createKeyPair } from "../../../src/identity/keys.ts";
import type { MeshPods } from "../../../src/model/mesh-pod.ts";
import { defaultTrustDomain } from "../../../src/model/spiffe.ts";
import { certified, publicKeyOf, someAuthority } from "../../support/certificates.ts";
import { identityOf } from "../../support/node-mesh.ts";
import { realClock } from "../../support/real.ts";
import { runningWorld } from "../../support/running-world.ts";
import { port, service, stack } from "../../support/stacks.ts";
import { Lab, pods, root, tools } from "../pod-capture/lab.ts";
import { NodeEnvoy } from "../support/node-envoy.ts";
import { endpointsAt, meshPod } from "./pods.ts";
import { type Server, startServer } from "./server.ts";

/** Callers on node a; the last one's certificate is never there. */
const callers = { web: "a1", api: "a2", batch: "a3", ghost: "a4" } as const;
type Caller = keyof typeof callers;
const friends = ["web", "api", "batch"] as const;

const http1 = 9180;
const http2 = 9182;
/** Of `ledger`: who answers is another of ours, and one with ledger's name from another root. */
const impostor = 9180;
const stranger = 9182;

const shop = stack({
  services: [
    service("cart", { ports: [port(`80:${http1}/http`), port(`81:${http2}/http2`)] }),
    service("ledger", { ports: [port(`80:${impostor}/http`), port(`81:${stranger}/http`)] }),
  ],
});

const lab = new Lab(process.env["LAB_FOLDER"] ?? "");
const authority = await someAuthority(realClock);
const node = new NodeEnvoy({
  folder: path.join(lab.folder, "proxy"),
  authority,
  identities: friends.map(identityOf),
  within: [tools.nsenter, `--net=${lab.namespace("node-a")}`, "--"],
});
let cart: Server;
let ledger: Server;

/** The node's configuration while `names` are its pods. */
function configuration(names: readonly Caller[]) {
  const world = runningWorld(shop, []);
  const { plan } = compileWorld({ ...world, endpoints: new Map([endpointsAt("cart", "b1"), endpointsAt("ledger", "b2")]) });
  const here = names.map((name) => ({ ...meshPod(callers[name], name), networkNamespace: lab.namespace(callers[name]) }));
  const joined = [...here, meshPod("b1", "cart"), meshPod("b2", "ledger")];
  const mesh: MeshPods = { trustDomain: defaultTrustDomain, joined: new Map(joined.map((pod) => [pod.address, pod])), pinned: new Map([["a", here]]) };
  const addresses = new Map(plan.hosts.flatMap(({ name, address }) => (address === undefined ? [] : [[name, address] as const])));
  return { resources: emitNodeProxy(compileNode(plan, mesh, "a")), addressOf: (name: string) => addresses.get(name) ?? assert.fail(name) };
}

const { addressOf } = configuration(friends);

interface Asking {
  readonly url: string;
  readonly count: number;
  readonly workers?: number;
  readonly http2?: boolean;
  readonly fresh?: boolean;
  readonly show?: string;
}

/** What a caller hears: answer → how often. */
async function ask(caller: Caller, asking: Asking): Promise<Readonly<Record<string, number>>> {
  const { line } = lab.spawn(callers[caller], [process.execPath, path.join(root, "test/system/apps/ask-many.mjs"), JSON.stringify(asking)]);
  return (JSON.parse(await line()) as { answers: Record<string, number> }).answers;
}

const capture = (caller: Caller): Promise<string> =>
  lab.run(callers[caller], `${lab.nft} -f - <<'END'\n${captureRules({ address: pods[callers[caller]].address, probePorts: [], mode: "strict" })}${serving}END`);

/** Every caller at the same time, each as in `askings`; every answer must name its caller. Answers how many there were. */
async function allAsk(askings: readonly Asking[]): Promise<number> {
  const counts = await Promise.all(
    friends.flatMap((caller) =>
      askings.map(async (asking) => {
        assert.deepEqual(await ask(caller, asking), { [`200 ${identityOf(caller)}`]: asking.count }, `${caller} at ${asking.url}`);
        return asking.count;
      }),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

before(async () => {
  await lab.start();
  const [cartSvid, impostorSvid] = await Promise.all(["cart", "impostor"].map(issued));
  const other = await certified(await createSigner(await createOwnCa(defaultTrustDomain, Date.now())), identityOf("ledger"));
  const roots = bundlePem(authority.bundle.get());
  assert.ok(cartSvid !== undefined && impostorSvid !== undefined);
  [cart, ledger] = await Promise.all([
    startServer(lab, "b1", pods.b1.address, roots, [
      { port: http1, codec: "HTTP1", ...cartSvid },
      { port: http2, codec: "HTTP2", ...cartSvid },
    ]),
    startServer(lab, "b2", pods.b2.address, roots, [
      { port: impostor, codec: "HTTP1", ...impostorSvid },
      { port: stranger, codec: "HTTP1", ...other },
    ]),
  ]);
  await node.start();
  await node.publish(configuration(friends).resources);
  await Promise.all(friends.map(capture));
});

after(async () => {
  for (const server of [cart, ledger]) server.stop();
  await node.stop();
  lab.stop();
});

/** A certificate of our authority, as another node would hold it. */
async function issued(app: string): Promise<{ readonly chain: string; readonly key: string }> {
  const keys = await createKeyPair();
  const [svid] = await authority.issue("b", [{ id: identityOf(app), spki: await publicKeyOf(keys) }]);
  return { chain: svid?.chain ?? "", key: keys.privatePem };
}

test("10,000 requests of three callers at the same time, over pooled connections: each is its own caller's", { timeout: 40_000 }, async (t) => {
  const asked = await allAsk([
    { url: `http://${addressOf("cart")}:80`, count: 1_667, workers: 8 },
    { url: `http://${addressOf("cart")}:81`, count: 1_667, workers: 16, http2: true },
  ]);
  const [one, two] = await Promise.all([cart.count(http1), cart.count(http2)]);
  t.diagnostic(`${asked} requests: ${one.requests} over ${one.connections} connections (HTTP/1.1), ${two.requests} over ${two.connections} (HTTP/2)`);
  assert.ok(asked >= 10_000);
  assert.equal(one.requests + two.requests, asked);
  assert.ok(one.connections <= one.requests / 20, `pooled: ${one.connections} connections`);
  assert.ok(two.connections <= two.requests / 20, `pooled: ${two.connections} connections`);
});

test("by the pod's own address the same identities", { timeout: 20_000 }, async () => {
  await allAsk([
    { url: `http://${pods.b1.address}:${http1}`, count: 60, fresh: true },
    { url: `http://${pods.b1.address}:${http2}`, count: 60, http2: true },
  ]);
});

test("a certificate that is renewed is shown in new connections, and no request fails", { timeout: 20_000 }, async () => {
  const url = `http://${pods.b1.address}:${http1}`;
  const serials = async () => Object.keys(await ask("web", { url, count: 3, fresh: true, show: "serial" }));
  const [before, ...others] = await serials();
  assert.deepEqual(others, []);
  const load = allAsk([{ url: `http://${addressOf("cart")}:80`, count: 500 }]);
  node.renew();
  let after = before;
  for (let i = 0; i < 50 && after === before; i += 1) [after] = await serials();
  assert.match(after ?? "", /^200 [0-9a-f]+$/);
  assert.notEqual(after, before);
  await load;
});

test("who is not whom the plan says is not called: another identity, another root", { timeout: 20_000 }, async () => {
  for (const [asked, of] of [
    [80, impostor],
    [81, stranger],
  ] as const) {
    for (const caller of friends) assert.deepEqual(await ask(caller, { url: `http://${addressOf("ledger")}:${asked}`, count: 3, workers: 1 }), { "503 ": 3 });
    const direct = await ask("web", { url: `http://${pods.b2.address}:${of}`, count: 5, workers: 1 });
    assert.deepEqual(
      Object.keys(direct).filter((answer) => answer.startsWith("200")),
      [],
    );
    assert.equal((await ledger.count(of)).requests, 0, `requests at ${of}`);
  }
});

test("a caller whose certificate is not there calls nobody, and holds up nobody", { timeout: 30_000 }, async (t) => {
  const before = (await cart.count(http1)).requests;
  await node.publish(configuration([...friends, "ghost"]).resources);
  await capture("ghost");
  const startedAt = Date.now();
  assert.deepEqual(await ask("ghost", { url: `http://${addressOf("cart")}:80`, count: 3, workers: 1 }), { "503 ": 3 });
  t.diagnostic(`three refusals took ${Date.now() - startedAt} ms`);
  const direct = await ask("ghost", { url: `http://${pods.b1.address}:${http1}`, count: 5, workers: 1 });
  assert.deepEqual(
    Object.keys(direct).filter((answer) => answer.startsWith("200")),
    [],
  );
  assert.equal((await cart.count(http1)).requests, before);
  await allAsk([{ url: `http://${addressOf("cart")}:80`, count: 50 }]);
  const warming = /cluster_manager.warming_clusters: (\d+)/.exec(await node.admin("/stats"))?.[1];
  assert.equal(warming, "0", "clusters that wait for the certificate");
});

test("a node proxy that starts while a certificate is missing serves everybody else", { timeout: 40_000 }, async (t) => {
  await node.stopEnvoy();
  const startedAt = Date.now();
  await node.startEnvoy();
  const { resources } = configuration([...friends, "ghost"]);
  await node.publish([]);
  await node.publish(resources, 15_000);
  t.diagnostic(`configured after ${Date.now() - startedAt} ms`);
  await allAsk([{ url: `http://${addressOf("cart")}:80`, count: 50 }]);
  node.want([...friends, "ghost" as const].map(identityOf));
  let answer = {};
  for (let i = 0; i < 100 && !Object.keys(answer).some((one) => one.startsWith("200")); i += 1) {
    answer = await ask("ghost", { url: `http://${addressOf("cart")}:80`, count: 1 });
    await realClock.sleep(50);
  }
  assert.deepEqual(answer, { [`200 ${identityOf("ghost")}`]: 1 }, "and the missing one when it has come");
});
