/**
 * A real Kubernetes cluster for tests, in namespaces of its own.
 *
 *   const cluster = await startCluster({ dir: "/tmp/cluster-1" });
 *   await cluster.kubectl(["get", "nodes"]);
 *   await cluster.stop();
 */
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { isBuilt } from "./build.ts";
import { removeCgroup } from "./cgroups.ts";
import { foldersOf } from "./folders.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { kubectl } from "./kubectl.ts";
import { containerdSocket, importImage } from "./node.ts";
import { nodeAddress } from "./places.ts";
import { readRecord } from "./record.ts";
import { type Ended, tryRun } from "./run.ts";
import { endSandbox, inside, networkOf, type Sandbox } from "./sandbox.ts";
import { type Say, sayWithTime } from "./say.ts";
import { startMachines } from "./start.ts";

export interface ClusterOptions {
  /** Folder of the cluster's own: missing, empty, or left by an earlier cluster, which is ended first. */
  readonly dir: string;
  /** How many nodes; 2 when it does not say. */
  readonly nodes?: number;
  /** OCI archives that every node gets beside the standard images. */
  readonly images?: readonly string[];
  /** Takes a line for a person who waits. */
  readonly say?: Say;
}

export interface ClusterNode {
  readonly name: string;
  readonly ip: string;
  /** Path of its network namespace. */
  readonly netns: string;
  readonly containerdSocket: string;
}

export interface Cluster {
  readonly dir: string;
  /** File with all rights, usable from the machine itself: its server is on 127.0.0.1. */
  readonly kubeconfig: string;
  readonly nodes: readonly ClusterNode[];
  /** Runs kubectl with all rights; answers its stdout, throws with its words when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Writes a kubeconfig for a user with these groups; answers its path. What they may do, RBAC says. */
  kubeconfigFor(user: string, groups?: readonly string[]): Promise<string>;
  /** Runs a program in the namespaces of the control plane, or of the node with this name, for two minutes or `timeoutMs`. Never rejects for an exit code. */
  inNamespace(words: readonly string[], node?: string, timeoutMs?: number): Promise<Ended>;
  /** Puts an OCI archive's images into the store of every node. */
  importImage(tar: string): Promise<void>;
  /** Ends the cluster and removes all that it made, its folder too. */
  stop(): Promise<void>;
}

/**
 * Starts a cluster; answers when all nodes are ready and its DNS answers. Throws with the last lines of the guilty daemon's log, and leaves nothing then;
 * with WEIR_TEST_KEEP set it leaves everything.
 */
export async function startCluster({ dir, nodes = 2, images = [], say = () => undefined }: ClusterOptions): Promise<Cluster> {
  if (process.getuid?.() !== 0) throw new Error("a test cluster needs root: kubelet and containerd do");
  if (!isBuilt()) throw new Error("Kubernetes is not built: npm run cluster -- build");
  await stopCluster(dir);
  try {
    const record = await startMachines(path.resolve(dir), nodes, images, sayWithTime(say));
    return clusterOf(path.resolve(dir), record.sandboxes);
  } catch (error) {
    if (process.env["WEIR_TEST_KEEP"] === undefined) await stopCluster(dir);
    throw error;
  }
}

/** The cluster that runs in `dir`, started by whomever; undefined when there is none. */
export function openCluster(dir: string): Cluster | undefined {
  const record = readRecord(dir);
  return record === undefined ? undefined : clusterOf(path.resolve(dir), record.sandboxes);
}

/** Ends the cluster that was started in `dir`, also after its starter crashed, and removes the folder. Does nothing when there is none. */
export async function stopCluster(dir: string): Promise<void> {
  const record = readRecord(dir);
  if (record === undefined) return;
  const gone = await Promise.all(record.sandboxes.map(endSandbox));
  if (gone.includes(false)) throw new Error(`some of the cluster in ${dir} does not end; nothing of it is removed`);
  await removeCgroup(record.cgroup);
  rmSync(dir, { recursive: true, force: true });
}

function clusterOf(dir: string, sandboxes: readonly Sandbox[]): Cluster {
  const { kubeconfig, pki } = foldersOf(dir);
  const [, ...nodes] = sandboxes;
  return {
    dir,
    kubeconfig,
    nodes: nodes.map((node, at) => ({ name: node.name, ip: nodeAddress(at + 1), netns: networkOf(node), containerdSocket: containerdSocket(node) })),
    kubectl: (args, input) => kubectl(kubeconfig, args, input),
    kubeconfigFor: (user, groups = []) =>
      writeKubeconfig(path.join(dir, `${user}.json`), { pkiDir: pki, server: serverOf(kubeconfig), file: `user-${user}`, user: { name: user, groups } }),
    inNamespace: async (words, node = "control", timeoutMs = 120_000) => tryRun(inside(findSandbox(sandboxes, node), words), { timeoutMs }),
    importImage: async (tar) => {
      await Promise.all(nodes.map((node) => importImage(node, tar)));
    },
    stop: () => stopCluster(dir),
  };
}

function findSandbox(sandboxes: readonly Sandbox[], name: string): Sandbox {
  const found = sandboxes.find((sandbox) => sandbox.name === name);
  if (found === undefined) throw new Error(`there is no ${name}, only ${sandboxes.map((sandbox) => sandbox.name).join(", ")}`);
  return found;
}

function serverOf(kubeconfig: string): string {
  const { clusters } = JSON.parse(readFileSync(kubeconfig, "utf8")) as { clusters: readonly { cluster: { server: string } }[] };
  return clusters[0]?.cluster.server ?? "";
}
