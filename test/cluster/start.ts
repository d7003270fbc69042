/** Brings a cluster up: everything at the same time that does not need one another. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { makeCgroup } from "./cgroups.ts";
import { type ControlPlane, startApi, startControllers } from "./control-plane.ts";
import { type Daemon, until } from "./daemon.ts";
import { dnsObjects } from "./dns.ts";
import { type Folders, foldersOf } from "./folders.ts";
import { forwardToLoopback } from "./forward.ts";
import { standardImages } from "./images.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { apply, kubectl } from "./kubectl.ts";
import { connect } from "./network.ts";
import { importImage, type NodePlan, nodeObject, startContainerd, startKubelet } from "./node.ts";
import { onNode } from "./node-files.ts";
import { makeAuthority } from "./pki.ts";
import { network } from "./places.ts";
import { type ClusterRecord, claimFolder, writeRecord } from "./record.ts";
import { tryRun } from "./run.ts";
import { inside, type Sandbox, startSandbox } from "./sandbox.ts";
import type { Say } from "./say.ts";

/** Starts a cluster of `count` nodes in the folder `dir`; answers its record when all nodes are ready and its DNS answers. */
export async function startMachines(dir: string, count: number, images: readonly string[], say: Say): Promise<ClusterRecord> {
  const record = await startSandboxes(dir, count);
  const [control, ...nodes] = record.sandboxes;
  if (control === undefined) throw new Error("a cluster has a control plane");
  const folders = foldersOf(dir);
  for (const folder of [folders.pki, folders.logs]) mkdirSync(folder);
  await Promise.all([connect(control, nodes), makeAuthority(folders.pki)]);
  const plans = nodes.map((sandbox, at) => planNode(sandbox, at + 1, record, folders));
  say("namespaces and cables are there");
  const [plane, stores] = await Promise.all([startPlane(control, folders, plans, say), startStores(plans, images, say)]);
  await untilReady(folders.kubeconfig, nodes, [...plane, ...stores, ...plans.flatMap(startKubelet)], say);
  return record;
}

/** Each is written down as soon as it runs. */
async function startSandboxes(dir: string, count: number): Promise<ClusterRecord> {
  const cgroup = `weir-cluster-${createHash("sha256").update(dir).digest("hex").slice(0, 8)}`;
  let record: ClusterRecord = { cgroup, sandboxes: [] };
  claimFolder(dir, record);
  for (const name of ["control", ...Array.from({ length: count }, (_, at) => `node-${at + 1}`)]) {
    record = { cgroup, sandboxes: [...record.sandboxes, await startSandbox(name)] };
    writeRecord(dir, record);
  }
  return record;
}

function planNode(sandbox: Sandbox, number: number, record: ClusterRecord, folders: Folders): NodePlan {
  const plan = { sandbox, number, dir: path.join(folders.dir, sandbox.name), folders, cgroup: `${record.cgroup}/${sandbox.name}` };
  makeCgroup(plan.cgroup);
  return plan;
}

async function startPlane(sandbox: Sandbox, folders: Folders, plans: readonly NodePlan[], say: Say): Promise<readonly Daemon[]> {
  const port = await forwardToLoopback(sandbox, path.join(folders.logs, "control-forward.log"), network.control, network.apiPort);
  const user = { name: "admin", groups: ["system:masters"] };
  await writeKubeconfig(folders.kubeconfig, { pkiDir: folders.pki, server: `https://127.0.0.1:${port}`, file: "admin", user });
  const plane: ControlPlane = { sandbox, folders };
  const api = await startApi(plane);
  say("the API server is ready");
  await apply(folders.kubeconfig, [...plans.map((plan) => nodeObject(plan.sandbox.name, plan.number)), ...dnsObjects]);
  return [...api, ...(await startControllers(plane))];
}

async function startStores(plans: readonly NodePlan[], images: readonly string[], say: Say): Promise<readonly Daemon[]> {
  const tars = [...standardImages(), ...images];
  const start = async (plan: NodePlan): Promise<Daemon> => {
    const containerd = await startContainerd(plan);
    for (const tar of tars) await importImage(plan.sandbox, tar);
    return containerd;
  };
  const daemons = await Promise.all(plans.map(start));
  say("containerd has the images");
  return daemons;
}

async function untilReady(kubeconfig: string, nodes: readonly Sandbox[], daemons: readonly Daemon[], say: Say): Promise<void> {
  const ask = (...args: readonly string[]): Promise<string> => kubectl(kubeconfig, args);
  const readyNodes = '{.items[*].status.conditions[?(@.type=="Ready")].status}';
  const allTrue = nodes.map(() => "True").join(" ");
  await until("all nodes ready", 90_000, daemons, async () => (await ask("get", "nodes", "-o", `jsonpath=${readyNodes}`)) === allTrue);
  say("the nodes are ready");
  // Pods cannot be made before it.
  await until("the default ServiceAccount", 30_000, daemons, async () => (await ask("get", "serviceaccount", "default", "-o", "name")) !== "");
  await Promise.all(nodes.map((node) => until(`DNS from ${node.name}`, 60_000, daemons, () => resolves(node))));
  say("the DNS answers");
}

async function resolves(node: Sandbox): Promise<boolean> {
  const question = [`${onNode.tools}/root/bin/busybox`, "nslookup", "kubernetes.default.svc.cluster.local", network.dnsService];
  const { code, stdout } = await tryRun(inside(node, question), { timeoutMs: 5_000 });
  return code === 0 && stdout.includes(network.apiService);
}
