/** One node: containerd, kubelet and kube-proxy in a sandbox of its own. */
import { copyFileSync } from "node:fs";
import path from "node:path";
import { apiServer, flags } from "./control-plane.ts";
import { type Daemon, startDaemon, until } from "./daemon.ts";
import type { Folders } from "./folders.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { fileSystemScript, nodeSearchPath, onNode, writeNodeFiles } from "./node-files.ts";
import { issue } from "./pki.ts";
import { nodeAddress, podRange } from "./places.ts";
import { run } from "./run.ts";
import { runScript, type Sandbox } from "./sandbox.ts";

/** What a node is started from. */
export interface NodePlan {
  readonly sandbox: Sandbox;
  /** 1, 2, … */
  readonly number: number;
  /** The node's own folder, outside. */
  readonly dir: string;
  readonly folders: Folders;
  /** The control group, which exists, below which the node's pods go. */
  readonly cgroup: string;
}

/** Path of a node's containerd socket as the machine sees it; short, because socket paths must be. */
export function containerdSocket({ init }: Sandbox): string {
  return `/proc/${init.pid}/root/run/containerd/containerd.sock`;
}

/** Makes the node's files and starts containerd; answers when that can be asked. */
export async function startContainerd(plan: NodePlan): Promise<Daemon> {
  const { sandbox, number, dir, folders } = plan;
  writeNodeFiles(dir, number);
  await Promise.all([runScript(sandbox, fileSystemScript(sandbox.name, dir)), writeAccess(plan)]);
  const containerd = startDaemon(sandbox, folders.logs, [`${onNode.bin}/containerd`, "--config", `${onNode.dir}/containerd.toml`], { PATH: nodeSearchPath });
  await until(`${containerd.name} ready`, 30_000, [containerd], async () => (await ctr(sandbox, "version")) !== "");
  return containerd;
}

/** Certificates and kubeconfigs of kubelet and kube-proxy. */
async function writeAccess({ sandbox: { name }, number, dir, folders }: NodePlan): Promise<void> {
  const pkiDir = folders.pki;
  copyFileSync(path.join(pkiDir, "ca.crt"), path.join(dir, "ca.crt"));
  const access = (file: string, user: { name: string; groups?: readonly string[] }): Promise<string> =>
    writeKubeconfig(path.join(dir, `${file}.conf`), { pkiDir, server: apiServer, file: `${name}-${file}`, user });
  const [serving] = await Promise.all([
    issue(pkiDir, `${name}-serving`, { name, at: [`DNS:${name}`, `IP:${nodeAddress(number)}`] }),
    access("kubelet", { name: `system:node:${name}`, groups: ["system:nodes"] }),
    access("proxy", { name: "system:kube-proxy" }),
  ]);
  copyFileSync(serving.cert, path.join(dir, "kubelet.crt"));
  copyFileSync(serving.key, path.join(dir, "kubelet.key"));
}

/** Starts kubelet and kube-proxy. The API server must run and know the node (`nodeObject`). */
export function startKubelet({ sandbox, number, folders, cgroup }: NodePlan): readonly Daemon[] {
  const env = { PATH: nodeSearchPath };
  const kubelet = flags({
    config: `${onNode.dir}/kubelet.yaml`,
    kubeconfig: `${onNode.dir}/kubelet.conf`,
    "hostname-override": sandbox.name,
    "node-ip": nodeAddress(number),
    "cgroup-root": `/${cgroup}`,
  });
  const proxy = flags({ config: `${onNode.dir}/proxy.yaml`, "hostname-override": sandbox.name });
  return [
    startDaemon(sandbox, folders.logs, [`${onNode.bin}/kubelet`, ...kubelet], env),
    startDaemon(sandbox, folders.logs, [`${onNode.bin}/kube-proxy`, ...proxy], env),
  ];
}

/** The node as it is made before its kubelet starts: with the pod range that its routes lead to. */
export function nodeObject(name: string, number: number): object {
  return { apiVersion: "v1", kind: "Node", metadata: { name }, spec: { podCIDR: podRange(number), podCIDRs: [podRange(number)] } };
}

/** Puts the images of an OCI archive into a node's store. */
export async function importImage(sandbox: Sandbox, tar: string): Promise<void> {
  await ctr(sandbox, "images", "import", tar);
}

function ctr(sandbox: Sandbox, ...words: readonly string[]): Promise<string> {
  return run(["ctr", "--address", containerdSocket(sandbox), "--namespace", "k8s.io", ...words]);
}
