/** A cluster for the tests of one file, and what they ask it most. */
import { spawn } from "node:child_process";
import path from "node:path";
import { type Cluster, startCluster } from "../../cluster/cluster.ts";
import { type Ended, tryRun } from "../../cluster/run.ts";

const cache = path.resolve(import.meta.dirname, "../../../.cache/cluster");

/** Starts a cluster, saying on stderr how far it is. Its folder is always the same one: if we are killed, the next run finds what is left and ends it. */
export function startTestCluster(): Promise<Cluster> {
  return startCluster({ dir: path.join(cache, "test"), say: (line) => console.error(`cluster: ${line}`) });
}

/** Creates objects and waits until the pods with these names are ready. */
export async function create(cluster: Cluster, objects: readonly object[], ...pods: readonly string[]): Promise<void> {
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  if (pods.length > 0) await cluster.kubectl(["wait", "--for=condition=Ready", "--timeout=60s", ...pods.map((name) => `pod/${name}`)]);
}

/** Creates one object of the kinds that are questions, and answers it with its status filled in. */
export async function ask<T>(cluster: Cluster, question: object): Promise<T> {
  return JSON.parse(await cluster.kubectl(["create", "-o", "json", "-f", "-"], JSON.stringify(question))) as T;
}

/** Runs a program in a pod; throws when it fails. */
export function execute(cluster: Cluster, pod: string, ...words: readonly string[]): Promise<string> {
  return cluster.kubectl(["exec", pod, "--", ...words]);
}

/** Runs kubectl; never rejects for an exit code. */
export function tryKubectl(kubeconfig: string, args: readonly string[], input = ""): Promise<Ended> {
  return tryRun(["kubectl", ...args], { env: { KUBECONFIG: kubeconfig }, input });
}

/** A pod's address. */
export function addressOf(cluster: Cluster, pod: string): Promise<string> {
  return cluster.kubectl(["get", "pod", pod, "-o", "jsonpath={.status.podIP}"]);
}

/** The roots that the cluster's control plane publishes, as one PEM text. */
export function publishedRoots(cluster: Cluster): Promise<string> {
  return cluster.kubectl(["-n", "weir-system", "get", "configmap", "weir-trust", "-o", "jsonpath={.data.roots\\.pem}"]);
}

/** Calls `work` with a port of the loopback that leads to a pod's port. */
export async function portForward<T>(cluster: Cluster, pod: string, port: number, work: (port: number) => Promise<T>): Promise<T> {
  const child = spawn(path.join(cache, "bin/kubectl"), ["--kubeconfig", cluster.kubeconfig, "port-forward", `pod/${pod}`, `:${port}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    for await (const line of child.stdout.setEncoding("utf8")) {
      const local = /127\.0\.0\.1:(\d+) ->/.exec(String(line))?.[1];
      if (local !== undefined) return await work(Number(local));
    }
    throw new Error("kubectl port-forward ended");
  } finally {
    child.kill();
  }
}
