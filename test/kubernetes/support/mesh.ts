/** Weir's own mesh on a test cluster, installed as users install it. */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../cluster/cluster.ts";
import { addressOf, create, execute, tryKubectl } from "./cluster.ts";
import { pod, service } from "./objects.ts";
import { buildImage, weirFor } from "./weir.ts";

export interface Mesh {
  /** Kills the control plane; resolves when another is ready. */
  restartControl(): Promise<void>;
  /** Replaces the agents and Envoys of all nodes, as an update does. */
  replaceAgents(): Promise<void>;
  /** Removes what is outside of the cluster. */
  stop(): void;
}

const system = ["-n", "weir-system"];

/** Installs Weir, with further `options` of `weir install`; resolves when it works on every node. */
export async function startMesh(cluster: Cluster, ...options: readonly string[]): Promise<Mesh> {
  const weir = weirFor(cluster.kubeconfig);
  await cluster.importImage(await buildImage());
  const installed = await weir("install", "--wait", "--timeout", "120s", ...options);
  if (installed.code !== 0) throw new Error(installed.stderr);
  const rolledOut = async (what: string): Promise<void> => void (await cluster.kubectl([...system, "rollout", "status", what, "--timeout=120s"]));
  return {
    async restartControl() {
      const pods = ["delete", "pod", "-l", "app.kubernetes.io/name=weir-control"];
      await cluster.kubectl([...system, ...pods, "--grace-period=0", "--force"]);
      await rolledOut("deployment/weir-control");
    },
    async replaceAgents() {
      await cluster.kubectl([...system, "rollout", "restart", "daemonset/weir-node"]);
      await rolledOut("daemonset/weir-node");
    },
    stop: () => rmSync(weir.home, { recursive: true, force: true }),
  };
}

/** What load.mjs says at its end. */
export interface Load {
  readonly ok: number;
  readonly failed: number;
  readonly failures: readonly string[];
  /** Answers by `x-version`. */
  readonly versions: Readonly<Record<string, number>>;
  readonly p99: number;
}

/** Sends requests from a pod, `rate` in a second and a third of them on fresh connections, in loads of 30 s until `work` is done; answers what all of them say. */
export async function loadWhile(cluster: Cluster, from: string, { url, rate }: { readonly url: string; readonly rate: number }, work: () => Promise<void>) {
  const options = JSON.stringify({ url, rate, count: 30 * rate, fresh: 0.33 });
  const loads: Load[] = [];
  const ended = new AbortController();
  const load = async (): Promise<void> => {
    while (!ended.signal.aborted) loads.push(JSON.parse(await execute(cluster, from, "/bin/node", "/apps/load.mjs", options)) as Load);
  };
  await Promise.all([load(), work().finally(() => ended.abort())]);
  return { ok: loads.reduce((sum, { ok }) => sum + ok, 0), failures: loads.flatMap(({ failures }) => failures), p99: Math.max(...loads.map(({ p99 }) => p99)) };
}

/** What the pod `stranger`, which is outside the mesh, gets from a pod's own address: curl's exit code. */
export async function callFromOutside(cluster: Cluster, name: string): Promise<number | null> {
  const url = `http://${await addressOf(cluster, name)}:8080/`;
  return (await tryKubectl(cluster.kubeconfig, ["exec", "stranger", "--", "curl", "-sS", "-m", "5", "-o", "/dev/null", url])).code;
}

/** Tries until it works; throws the last error after a minute. */
export async function eventually<T>(work: () => Promise<T>, ms = 60_000): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > until) throw error;
      await sleep(100);
    }
  }
}

/**
 * Puts the namespace `default` into the mesh, with a pod `web` on the first node that does nothing, and `api` behind a Service, one pod on each node.
 * `more` objects are made with them, and the pods named in `alsoReady` are waited for, too.
 */
export async function createApi(cluster: Cluster, more: readonly object[], ...alsoReady: readonly string[]): Promise<void> {
  for (const name of ["web", "api"]) await cluster.kubectl(["create", "serviceaccount", name]);
  await cluster.kubectl(["label", "namespace", "default", "weir.dev/mesh=on"]);
  const api = { image: "echo", labels: { app: "api" }, spec: { serviceAccountName: "api" } };
  const caller = { image: "node", command: ["/bin/node", "-e", "setInterval(() => {}, 1e6)"], spec: { serviceAccountName: "web" } };
  const own = [pod("api-1", "node-1", api), pod("api-2", "node-2", api), pod("web", "node-1", caller), service("api", "api", 80, 8080, "http")];
  await create(cluster, [...own, ...more], "api-1", "api-2", "web", ...alsoReady);
}
