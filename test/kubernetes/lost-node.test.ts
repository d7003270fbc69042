/** A node goes without a word, as a machine does that loses power: its connections are answered by nobody. And what must not be taken for that. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { applyCrds } from "../conformance/suite.ts";
import { create, execute, startTestCluster } from "./support/cluster.ts";
import { createApi, eventually, type Load, type Mesh, startMesh } from "./support/mesh.ts";
import { pod, service } from "./support/objects.ts";

let cluster: Cluster;
let mesh: Mesh;

/** Reads nothing for `pauseMs`, then everything, and says how much it was. */
const pauseMs = 25_000;
const slowReader = `require("net").createServer({ allowHalfOpen: true }, (socket) => {
  let count = 0;
  socket.pause();
  setTimeout(() => socket.on("data", (piece) => (count += piece.length)).on("end", () => socket.end(String(count))).resume(), ${pauseMs});
}).listen(8080)`;
const bytes = 64 * 1024 * 1024;

const group = "gateway.networking.k8s.io/v1";
const gateway = {
  apiVersion: group,
  kind: "Gateway",
  metadata: { name: "front" },
  spec: { gatewayClassName: "weir", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
};
const route = {
  apiVersion: group,
  kind: "HTTPRoute",
  metadata: { name: "front" },
  spec: { parentRefs: [{ name: "front" }], rules: [{ backendRefs: [{ name: "api", port: 80 }] }] },
};
const sleeper = { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"] };

before(
  async () => {
    cluster = await startTestCluster();
    await applyCrds(cluster);
    mesh = await startMesh(cluster);
    const slow = pod("slow", "node-2", { image: "node", labels: { app: "slow" }, command: ["/bin/node", "-e", slowReader] });
    const stranger = pod("stranger", "node-1", { ...sleeper, labels: { "weir.dev/mesh": "off" } });
    await createApi(cluster, [slow, service("slow", "slow", 80, 8080, "tcp"), stranger], "slow", "stranger");
    // The node that stays has the gateway.
    await cluster.kubectl(["cordon", "node-2"]);
    await create(cluster, [gateway, route]);
    await cluster.kubectl(["wait", "--for=condition=Programmed", "--timeout=120s", "gateway/front"]);
    await cluster.kubectl(["uncordon", "node-2"]);
  },
  { timeout: 300_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

const system = ["-n", "weir-system"];

/** The node of the control plane that leads. */
async function leadersNode(): Promise<string> {
  const holder = await cluster.kubectl([...system, "get", "lease", "weir-control", "-o", "jsonpath={.spec.holderIdentity}"]);
  return cluster.kubectl([...system, "get", "pod", holder.slice(0, holder.indexOf("_")), "-o", "jsonpath={.spec.nodeName}"]);
}

/** Ends leaders until one on this node leads. */
async function leadFrom(node: string): Promise<void> {
  await eventually(async () => {
    if ((await leadersNode()) === node) return;
    const others = [...system, "delete", "pod", "-l", "app.kubernetes.io/name=weir-control", `--field-selector=spec.nodeName!=${node}`];
    await cluster.kubectl(others);
    await cluster.kubectl([...system, "rollout", "status", "deployment/weir-control", "--timeout=60s"]);
    assert.equal(await leadersNode(), node);
  }, 120_000);
}

/** By address: names' own server may be on the node that is lost, and that is not ours to mend. */
const addressOf = (name: string): Promise<string> => cluster.kubectl(["get", "service", name, "-o", "jsonpath={.spec.clusterIP}"]);

/** How many answers came from each of the pods, by their names. */
async function answersBy(count: number): Promise<readonly string[]> {
  const ask = `(async () => { const seen = new Set();
    for (let i = 0; i < ${count}; i++) seen.add((await (await fetch("http://${await addressOf("api")}/", { headers: { host: "api" } })).json()).hostname);
    console.log([...seen].sort().join()); })()`;
  return (await execute(cluster, "web", "/bin/node", "-e", ask)).trim().split(",");
}

test("who does not read for a while keeps the connection", { timeout: 120_000 }, async () => {
  await eventually(async () => assert.deepEqual(await answersBy(20), ["api-1", "api-2"]));
  const send = `const socket = require("net").connect(80, process.argv[1], () => socket.end(Buffer.alloc(${bytes})));
    let text = ""; socket.on("data", (piece) => (text += piece)).on("close", () => console.log(text)).on("error", (error) => console.log(error.code))`;
  assert.equal((await execute(cluster, "web", "/bin/node", "-e", send, await addressOf("slow"))).trim(), String(bytes));
});

interface LoadWithLongest extends Load {
  readonly max: number;
}

test("the node of the leading control plane is lost and comes back: no request fails, in the mesh and through a gateway", { timeout: 400_000 }, async (t) => {
  await leadFrom("node-2");
  const front = `http://${await addressOf("front-weir")}/`;
  await eventually(async () => execute(cluster, "stranger", "/bin/node", "-e", `fetch("${front}").then((a) => process.exit(a.ok ? 0 : 1))`));
  const seconds = 75;
  const nft = async (rules: string): Promise<void> => {
    const done = await cluster.inNamespace(["nft", rules], "node-2");
    assert.equal(done.code, 0, done.stderr);
  };
  const from = async (pod: string, to: string): Promise<LoadWithLongest> => {
    const load = { url: "http://api/", connect: await addressOf(to), rate: 50, count: 50 * seconds, fresh: 0.33, timeoutMs: 30_000 };
    return JSON.parse(await execute(cluster, pod, "/bin/node", "/apps/load.mjs", JSON.stringify(load))) as LoadWithLongest;
  };
  const loaded = Promise.all([from("web", "api"), from("stranger", "front-weir")]);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const drop = ["input", "output", "forward"].map((hook) => `add chain inet lost ${hook} { type filter hook ${hook} priority -300; }`);
  const rules = ["input", "forward"].map((hook) => `add rule inet lost ${hook} ip saddr != 127.0.0.0/8 drop`);
  await nft(["add table inet lost", ...drop, ...rules, "add rule inet lost output ip daddr != 127.0.0.0/8 drop"].join("; "));
  try {
    // Longer than the 50 s after which Kubernetes itself gives a node up.
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  } finally {
    await nft("delete table inet lost");
  }
  for (const [index, result] of (await loaded).entries()) {
    t.diagnostic(`${index === 0 ? "mesh" : "gateway"}: ${result.ok} ok, ${result.failed} failed, p99 ${result.p99} ms, longest ${result.max} ms`);
    assert.deepEqual(result.failures, []);
    assert.equal(result.ok, 50 * seconds);
  }
  await eventually(async () => assert.deepEqual(await answersBy(20), ["api-1", "api-2"]));
});
