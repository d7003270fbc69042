/**
 * What the Envoy of one node of a real cluster holds with 50 pods that work: each has an identity of its own and calls some of 50 services on the other node,
 * again and again. `npm run bench:pods`, or `node bench/node-pods.ts CALLED-BY-EACH...` when the cluster is built. Prints resident memory for each number.
 */
import { readdirSync, readFileSync } from "node:fs";
import { type Cluster, stopCluster } from "../test/cluster/cluster.ts";
import { startTestCluster, tryKubectl } from "../test/kubernetes/support/cluster.ts";
import { startMesh } from "../test/kubernetes/support/mesh.ts";
import { pod, service } from "../test/kubernetes/support/objects.ts";

const bar = 150;
const pods = 50;
const services = 50;
const settleMs = 60_000;
const numbers = <Value>(length: number, make: (index: number) => Value): readonly Value[] => Array.from({ length }, (_, index) => make(index));

/** Calls its services in turn, ten requests a second, each on the connection that curl has or a new one. */
function caller(index: number, called: number): object {
  const urls = numbers(called, (i) => `http://s${(index + i * 7) % services}/`).join(" ");
  const command = ["sh", "-c", `while true; do for url in ${urls}; do curl -sS -m 5 -o /dev/null $url; sleep 0.1; done; done`];
  return pod(`c${index}`, "node-1", { command, labels: { set: "callers" }, spec: { serviceAccountName: `c${index}` } });
}

function resident(): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("/usr/local/bin/envoy\0-c\0/run/weir/node-node-1-")) continue;
      return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error("node-1 has no Envoy");
}

async function create(cluster: Cluster, items: readonly object[]): Promise<void> {
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

async function measure(cluster: Cluster): Promise<void> {
  console.log(`${"no pods".padEnd(48)} ${resident().toFixed(0).padStart(5)} MB`);
  await cluster.kubectl(["label", "namespace", "default", "weir.dev/mesh=on"]);
  const account = (name: string): object => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name } });
  await create(cluster, [...numbers(pods, (i) => account(`c${i}`)), ...numbers(10, (i) => account(`s${i}`))]);
  const server = (i: number): object =>
    pod(`s${i}`, "node-2", { image: "echo", labels: { app: `s${i}`, set: "servers" }, spec: { serviceAccountName: `s${i}` } });
  await create(cluster, [...numbers(10, server), ...numbers(services, (i) => service(`s${i}`, `s${i % 10}`, 80, 8080, "http"))]);
  for (const called of process.argv.slice(2).map(Number)) {
    await tryKubectl(cluster.kubeconfig, ["delete", "pod", "-l", "set=callers", "--wait=true"]);
    await create(
      cluster,
      numbers(pods, (i) => caller(i, called)),
    );
    await cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=300s", "pod", "-l", "set in (callers,servers)"]);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    console.log(`${`${pods} pods, each calls ${called} of ${services} services (bar: ${bar} MB)`.padEnd(48)} ${resident().toFixed(0).padStart(5)} MB`);
  }
}

const cluster = await startTestCluster();
try {
  const mesh = await startMesh(cluster);
  await measure(cluster).finally(() => mesh.stop());
} finally {
  await stopCluster(cluster.dir);
}
