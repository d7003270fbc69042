/**
 * What one node Envoy of a cluster holds: 50 pods with an identity each, and 50 services whose replicas are on other nodes, so that every service may be
 * called in every pod's name. Real configuration, real certificates; namespaces of its own. `node bench/node-proxy.ts [PODS] [SERVICES]`
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compileNode } from "../src/compile/node-plan.ts";
import { emitNodeProxy } from "../src/emit/envoy/node-proxy.ts";
import { someAuthority } from "../test/support/certificates.ts";
import { meshOf, pinnedPod, planWith, replicas } from "../test/support/node-mesh.ts";
import { realClock } from "../test/support/real.ts";
import { service } from "../test/support/stacks.ts";
import { NodeEnvoy } from "../test/system/support/node-envoy.ts";

const bar = 150;
const inside = process.env["BENCH_FOLDER"];

/** Again, where there are namespaces to make. */
function enter(): void {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-bench-"));
  const words = ["-U", "-r", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--", process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  try {
    const { status } = spawnSync("unshare", words, { stdio: "inherit", env: { ...process.env, BENCH_FOLDER: folder } });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeNamespaces(pods: readonly { readonly networkNamespace: string; readonly address: string }[]): void {
  const lines = pods.map(
    ({ networkNamespace, address }) =>
      `: > ${networkNamespace}; unshare --net=${networkNamespace} true; nsenter --net=${networkNamespace} -- sh -c "ip link set lo up; ip addr add ${address}/32 dev lo"`,
  );
  execFileSync("sh", ["-e"], { input: lines.join("\n"), stdio: ["pipe", "ignore", "inherit"] });
}

function status(pid: number | undefined, field: string): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;
}

async function measure(folder: string, podCount: number, serviceCount: number): Promise<void> {
  mkdirSync(path.join(folder, "ns"));
  const count = <Value>(length: number, make: (index: number) => Value): readonly Value[] => Array.from({ length }, (_, index) => make(index));
  const here = count(podCount, (i) => pinnedPod(`caller${i}-1`, "a", `10.1.${i >> 8}.${i & 255}`, { networkNamespace: path.join(folder, "ns", String(i)) }));
  const there = count(serviceCount, (i) => pinnedPod(`s${i}-1`, "b", `10.2.${i >> 8}.${i & 255}`));
  makeNamespaces(here);
  const services = there.map((_, i) => service(`s${i}`));
  const plan = planWith(
    services,
    there.map(({ address }, i) => replicas(`s${i}`, [{ address }])),
  );
  const resources = emitNodeProxy(compileNode(plan, meshOf([...here, ...there]), "a"));
  const node = new NodeEnvoy({
    folder: path.join(folder, "proxy"),
    authority: await someAuthority(realClock),
    identities: here.map(({ identity }) => identity),
  });
  const say = (what: string, value: number, unit: string): void => console.log(`${what.padEnd(64)} ${value.toFixed(unit === "s" ? 2 : 0).padStart(6)} ${unit}`);
  await node.start();
  await node.publish([]);
  await realClock.sleep(3_000);
  say("bare", status(node.pid, "VmRSS"), "MB");
  const startedAt = performance.now();
  await node.publish(resources, 120_000);
  say("until everything is acknowledged", (performance.now() - startedAt) / 1_000, "s");
  let warming = 1;
  while (warming > 0) {
    await realClock.sleep(100);
    warming = Number(/cluster_manager\.warming_clusters: (\d+)/.exec(await node.admin("/stats"))?.[1] ?? 1);
  }
  say("until every cluster has its certificates", (performance.now() - startedAt) / 1_000, "s");
  await realClock.sleep(3_000);
  say("configuration", resources.reduce((sum, { body }) => sum + body.length, 0) / 1_024, "KB");
  say(`${podCount} pods, ${serviceCount} services: resident (bar: ${bar} MB)`, status(node.pid, "VmRSS"), "MB");
  say("the most it was", status(node.pid, "VmHWM"), "MB");
  const memory = JSON.parse(await node.admin("/memory")) as { readonly allocated: string };
  say("of it allocated", Number(memory.allocated) / 1_048_576, "MB");
  await node.stop();
}

if (inside === undefined) enter();
else await measure(inside, Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 50));
