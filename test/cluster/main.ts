/** The cluster for a person:  npm run cluster -- build | up | status | kubectl ARGS | down  [--dir FOLDER] */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { buildPrograms } from "./build.ts";
import { type Cluster, openCluster, startCluster, stopCluster } from "./cluster.ts";
import { buildImages } from "./images.ts";
import { binDir } from "./places.ts";

const usage = `usage: npm run cluster -- COMMAND [--dir FOLDER]
  build          builds Kubernetes and the images, once
  up             starts two nodes
  status         shows nodes, pods and where things are
  kubectl ARGS   all that follows is kubectl's
  down           ends it and leaves nothing`;

const say = (line: string): void => console.error(`cluster: ${line}`);

/** `--dir` counts only before `kubectl`'s own arguments. */
function readArguments(words: readonly string[]): { readonly dir: string; readonly command: string; readonly rest: readonly string[] } {
  const given = words[0] === "--dir" ? words.slice(0, 2) : words[0] !== "kubectl" && words[1] === "--dir" ? words.slice(1, 3) : [];
  const [command = "", ...rest] = words.filter((word) => !given.includes(word));
  return { dir: path.resolve(given[1] ?? path.join(import.meta.dirname, "../../.cache/cluster/up")), command, rest };
}

async function main(): Promise<void> {
  const { dir, command, rest } = readArguments(process.argv.slice(2));
  switch (command) {
    case "build":
      return build();
    case "up": {
      await build();
      const cluster = await startCluster({ dir, say });
      console.log(`export KUBECONFIG=${cluster.kubeconfig}`);
      return;
    }
    case "status":
      return showStatus(running(dir));
    case "kubectl":
      process.exitCode = runKubectl(running(dir), rest);
      return;
    case "down":
      return stopCluster(dir);
    default:
      throw new Error(usage);
  }
}

async function build(): Promise<void> {
  await buildPrograms(say);
  await buildImages(say);
}

function running(dir: string): Cluster {
  const cluster = openCluster(dir);
  if (cluster === undefined) throw new Error(`no cluster runs in ${dir}`);
  return cluster;
}

/** On the caller's terminal, so that `exec -it` works. */
function runKubectl({ kubeconfig }: Cluster, words: readonly string[]): number {
  return spawnSync(path.join(binDir, "kubectl"), words, { stdio: "inherit", env: { ...process.env, KUBECONFIG: kubeconfig } }).status ?? 1;
}

async function showStatus(cluster: Cluster): Promise<void> {
  console.log(await cluster.kubectl(["get", "nodes", "-o", "wide"]));
  console.log(await cluster.kubectl(["get", "pods", "--all-namespaces", "-o", "wide"]));
  console.log(`kubeconfig  ${cluster.kubeconfig}\nlogs        ${cluster.dir}/logs`);
  for (const { name, netns, containerdSocket } of cluster.nodes) console.log(`${name.padEnd(11)} ${netns} ${containerdSocket}`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
