/**
 * The API server is away for a minute while requests go on. When it comes back, all nodes are called not ready for some seconds, and so are all pods.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Cluster, stopCluster } from "../cluster/cluster.ts";
import { execute, startTestCluster } from "./support/cluster.ts";
import { callFromOutside, createApi, eventually, type Load, type Mesh, startMesh } from "./support/mesh.ts";
import { pod } from "./support/objects.ts";

let cluster: Cluster;
let mesh: Mesh;

before(
  async () => {
    cluster = await startTestCluster();
    mesh = await startMesh(cluster);
    await createApi(cluster, [pod("stranger", "node-2", { labels: { "weir.dev/mesh": "off" } })], "stranger");
    for (const name of ["api-1", "api-2"]) await eventually(async () => assert.notEqual(await strangerCalls(name), 0));
  },
  { timeout: 300_000 },
);

after(async () => {
  mesh?.stop();
  if (cluster !== undefined) await stopCluster(cluster.dir);
});

const strangerCalls = (name: string): Promise<number | null> => callFromOutside(cluster, name);

test("the API server is away for a minute: requests, identities and modes go on, and then changes, too", { timeout: 240_000 }, async (t) => {
  const seconds = 60;
  // Packets vanish, as they do when the machine of the API server is lost.
  const nft = (...words: readonly string[]) => cluster.inNamespace(["nft", ...words]);
  // Nothing can be started in a pod while there is no API server: the load runs by itself, and is asked afterwards.
  // By address: while nodes are called not ready, the cluster's DNS has no endpoints, with or without a mesh.
  const connect = await cluster.kubectl(["get", "service", "api", "-o", "jsonpath={.spec.clusterIP}"]);
  const load = JSON.stringify({ url: "http://api/", connect, rate: 50, count: 50 * (seconds + 5), fresh: 0.33 });
  const start = `require("child_process").spawn("/bin/node", ["/apps/load.mjs", process.argv[1]],
    { detached: true, stdio: ["ignore", require("fs").openSync("/load.json", "w"), "ignore"] }).unref()`;
  await execute(cluster, "web", "/bin/node", "-e", start, load);
  try {
    const away = await nft("add table inet away; add chain inet away in { type filter hook input priority 0; }; add rule inet away in tcp dport 6443 drop");
    assert.equal(away.code, 0, away.stderr);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  } finally {
    await nft("delete table inet away");
  }
  const result = await eventually(async () => {
    const text = await execute(cluster, "web", "/bin/node", "-p", 'require("fs").readFileSync("/load.json", "utf8")');
    return JSON.parse(text) as Load;
  });
  t.diagnostic(`${result.ok} ok, ${result.failed} failed, p99 ${result.p99} ms`);
  assert.deepEqual(result.failures, []);
  await cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=60s", "node/node-1", "node/node-2", "pod/api-1", "pod/api-2"]);
  for (const name of ["api-1", "api-2"]) assert.notEqual(await strangerCalls(name), 0);
  await cluster.kubectl(["label", "pod", "api-2", "weir.dev/mtls=permissive"]);
  await eventually(async () => assert.equal(await strangerCalls("api-2"), 0));
  await cluster.kubectl(["label", "pod", "api-2", "weir.dev/mtls-"]);
  await eventually(async () => assert.notEqual(await strangerCalls("api-2"), 0));
});
