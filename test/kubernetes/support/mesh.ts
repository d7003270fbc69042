/** Weir on a test cluster, its processes in the cluster's own namespaces: what the images run, without the images. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { childrenOf } from "../../../src/dataplane/proc.ts";
import { type Cluster, wordsInside } from "../../cluster/cluster.ts";
import { network, root, searchPath } from "../../cluster/places.ts";

export interface Mesh {
  /** Where the parts' logs and folders are. */
  readonly dir: string;
  /** Kills the control plane, and starts another. */
  restartControl(): Promise<void>;
  /** Replaces a node's agent and Envoy as a DaemonSet with a surge does: the new ones work before the old ones are told to end. */
  replaceAgent(node: string): Promise<void>;
  /** Asks a node's Envoy: `/stats?filter=ssl`. */
  admin(node: string, path: string): Promise<string>;
  stop(): Promise<void>;
}

const port = 15_012;
const entry = (file: string): string => path.join(root, "src", file);

/** Starts a control plane and an agent on every node; resolves when their Envoys have their configuration. */
export async function startMesh(cluster: Cluster): Promise<Mesh> {
  const dir = path.join(cluster.dir, "weir");
  mkdirSync(dir, { recursive: true });
  await cluster.kubectl(["create", "namespace", "weir-system"]);
  for (const name of ["weir-control", "weir-node"]) await cluster.kubectl(["-n", "weir-system", "create", "serviceaccount", name]);
  const kubeconfig = path.join(dir, "control.json");
  writeFileSync(
    kubeconfig,
    readFileSync(cluster.kubeconfig, "utf8").replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, `https://${network.control}:${network.apiPort}`),
  );
  const startControl = (): ChildProcess => start(cluster, "control", dir, ["daemon/cluster/main.ts", "--kubeconfig", kubeconfig]);
  let control = startControl();
  const roots = path.join(dir, "roots.pem");
  writeFileSync(roots, await eventually(() => cluster.kubectl(["-n", "weir-system", "get", "configmap", "weir-trust", "-o", "jsonpath={.data.roots\\.pem}"])));
  const agents = new Map<string, Agent>();
  for (const { name } of cluster.nodes) agents.set(name, await startAgent(cluster, name, { dir, roots, number: 1 }));
  const admin = async (node: string, url: string): Promise<string> => {
    const answer = await cluster.inNamespace(
      ["curl", "-sS", "--unix-socket", path.join(agents.get(node)?.run ?? "", "admin.sock"), `http://envoy${url}`],
      node,
    );
    if (answer.code !== 0) throw new Error(answer.stderr);
    return answer.stdout;
  };
  const isLive = async (node: string): Promise<void> => {
    if ((await admin(node, "/ready")).trim() !== "LIVE") throw new Error(`the Envoy of ${node} is not live`);
  };
  for (const { name } of cluster.nodes) await eventually(() => isLive(name));
  return {
    dir,
    admin,
    async restartControl() {
      await end(control, "SIGKILL");
      control = startControl();
    },
    async replaceAgent(node) {
      const before = agents.get(node);
      agents.set(node, await startAgent(cluster, node, { dir, roots, number: (before?.number ?? 0) + 1 }));
      await eventually(() => isLive(node));
      await end(before?.child, "SIGTERM");
    },
    async stop() {
      for (const child of [...[...agents.values()].map((agent) => agent.child), control]) await end(child, "SIGTERM");
    },
  };
}

interface Agent {
  readonly child: ChildProcess;
  /** How many of its node there were before, and it. */
  readonly number: number;
  /** Its run folder, as the machine names it; the agent itself sees it as /run/weir, as it would an emptyDir of its pod. */
  readonly run: string;
}

/** A node's token is bound to the node, as one that is projected into a pod there. */
async function startAgent(
  cluster: Cluster,
  node: string,
  { dir, roots, number }: { readonly dir: string; readonly roots: string; readonly number: number },
): Promise<Agent> {
  const bound = ["--bound-object-kind", "Node", "--bound-object-name", node];
  const token = await cluster.kubectl(["-n", "weir-system", "create", "token", "weir-node", "--audience", "weir", ...bound]);
  const own = path.join(dir, node);
  const run = path.join(own, `run-${number}`);
  mkdirSync(run, { recursive: true });
  writeFileSync(path.join(own, "token"), token, { mode: 0o600 });
  const flags = [
    "--node",
    node,
    "--control",
    `${network.control}:${port}`,
    "--token",
    path.join(own, "token"),
    "--roots",
    roots,
    "--state",
    path.join(own, "state"),
  ];
  const script = `mkdir -p /run/weir && mount --bind "$0" /run/weir && exec "$@"`;
  const privately = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, run];
  return { child: start(cluster, node, dir, ["agent/cluster/main.ts", ...flags], privately), number, run };
}

function start(cluster: Cluster, machine: string, dir: string, [file = "", ...args]: readonly string[], before: readonly string[] = []): ChildProcess {
  const output = openSync(path.join(dir, `${machine}.log`), "a");
  try {
    const [program = "", ...words] = wordsInside(cluster, machine, [
      ...before,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      entry(file),
      ...args,
    ]);
    return spawn(program, words, { stdio: ["ignore", output, output], env: { PATH: searchPath } });
  } finally {
    closeSync(output);
  }
}

/** `nsenter` stays outside and does not hand signals on: its only child is the program. */
async function end(child: ChildProcess | undefined, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const [program] = childrenOf(child.pid);
  process.kill(program ?? child.pid, signal);
  await ended;
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
