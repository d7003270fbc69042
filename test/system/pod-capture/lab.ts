/**
 * Two "nodes" with "pods", as network namespaces: node a is laid out like the ptp plugin (and one pod like Calico, on a cable without addresses), node b
 * like the bridge plugin. Runs inside namespaces made for the test, which take everything with them.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { quote, runScript } from "../../../src/dataplane/shell.ts";
import { findTools, isComplete, type Tools } from "../../../src/dataplane/tools.ts";

export const root = path.resolve(import.meta.dirname, "../../..");
const app = path.join(root, "test/system/apps/pod.mjs");
const load = path.join(root, "test/system/apps/load.mjs");

const { found, missing } = findTools([path.join(root, ".cache/tools/bin")], process.env["PATH"] ?? "");
if (!isComplete(found)) throw new Error(`missing: ${missing.join(", ")}`);
export const tools: Tools = found;

export interface LabPod {
  readonly name: PodName;
  readonly node: string;
  readonly uid: string;
  readonly address: string;
  readonly layout: "ptp" | "calico" | "bridge";
}

const pod = (name: PodName, address: string, layout: LabPod["layout"], number: number): LabPod => ({
  name,
  node: name.charAt(0),
  address,
  layout,
  uid: `0000000${number}-1111-4222-8333-444444444444`,
});

export type PodName = "a1" | "a2" | "a3" | "a4" | "b1" | "b2";

export const pods: Readonly<Record<PodName, LabPod>> = {
  a1: pod("a1", "10.1.0.2", "ptp", 1),
  a2: pod("a2", "10.1.0.3", "ptp", 2),
  a3: pod("a3", "10.1.0.9", "calico", 3),
  a4: pod("a4", "10.1.0.4", "ptp", 6),
  b1: pod("b1", "10.2.0.2", "bridge", 4),
  b2: pod("b2", "10.2.0.3", "bridge", 5),
};

export const allPods: readonly LabPod[] = Object.values(pods);

/** Where everything of the test is. */
export class Lab {
  readonly nft = tools.nft;
  readonly folder: string;

  readonly #servers: (() => void)[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  namespace(name: string): string {
    return path.join(this.folder, "ns", name);
  }

  /** What the agent of a node sees as /proc when it looks for pods. */
  proc(node: string): string {
    return path.join(this.folder, `proc-${node}`);
  }

  /** Makes the networks, and starts a server in each pod. */
  async start(): Promise<void> {
    mkdirSync(path.join(this.folder, "ns"), { recursive: true });
    await runScript(tools.sh, this.#script(), 20_000);
    for (const node of ["a", "b"]) this.#showProcess(node, "1", "0::/init.scope", this.namespace(`node-${node}`));
    await Promise.all(allPods.map((one) => this.#startPod(one)));
  }

  stop(): void {
    for (const end of this.#servers) end();
  }

  /** Runs a program in a namespace; its stdout line by line. */
  spawn(namespace: string, argv: readonly string[]): { child: ChildProcessByStdio<Writable, Readable, null>; line: () => Promise<string> } {
    const child = spawn(tools.nsenter, [`--net=${this.namespace(namespace)}`, "--", ...argv], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const line = async (): Promise<string> => {
      const next = await lines.next();
      return next.done === true ? "{}" : next.value;
    };
    return { child, line };
  }

  /** One new connection, one request. */
  async ask(
    from: string,
    host: string,
    port: number,
    source = "",
    localPort = "",
  ): Promise<{ body?: { pod: string; from: string; at: string }; error?: string }> {
    const { line } = this.spawn(from, [process.execPath, app, "ask", host, String(port), source, localPort]);
    return JSON.parse(await line()) as { body?: { pod: string; from: string; at: string }; error?: string };
  }

  /** One connection that goes on until `end` is called; that answers how it went. */
  async talk(from: PodName, host: string): Promise<{ end: () => Promise<{ sent: number; heard: number; error?: string }> }> {
    const { child, line } = this.spawn(from, [process.execPath, app, "talk", host, "9090"]);
    const first = await line();
    if (!first.includes("connected")) throw new Error(`cannot talk: ${first}`);
    return {
      end: async () => {
        child.stdin.end();
        return JSON.parse(await line()) as { sent: number; heard: number; error?: string };
      },
    };
  }

  /** One connection from a port of its own that says nothing, until `reset` is called. */
  async hold(from: PodName, host: string, localPort: string): Promise<{ reset: () => Promise<void> }> {
    const { child, line } = this.spawn(from, [process.execPath, app, "hold", host, "8080", localPort]);
    const first = await line();
    if (!first.includes("connected")) throw new Error(`cannot hold: ${first}`);
    return {
      reset: async () => {
        child.stdin.end();
        await once(child, "exit");
      },
    };
  }

  /** New connections at a constant rate for some seconds. */
  async load(from: string, host: string, seconds: number): Promise<{ ok: number; failed: number; failures: readonly string[]; max: number }> {
    const options = { url: `http://${host}:8080/`, rate: 100, count: 100 * seconds, fresh: 1, timeoutMs: 15_000 };
    const { line } = this.spawn(from, [process.execPath, load, JSON.stringify(options)]);
    return JSON.parse(await line()) as { ok: number; failed: number; failures: readonly string[]; max: number };
  }

  /** What a script prints in a namespace. */
  run(namespace: string, script: string): Promise<string> {
    return runScript(tools.sh, `${tools.nsenter} --net=${quote(this.namespace(namespace))} -- ${tools.sh} -e <<'INSIDE'\n${script}\nINSIDE\n`);
  }

  async #startPod(one: LabPod): Promise<void> {
    const { child, line } = this.spawn(one.name, [process.execPath, app, "serve", one.name]);
    this.#servers.push(() => child.kill("SIGKILL"));
    await Promise.race([line(), once(child, "exit")]);
    const uid = one.layout === "bridge" ? one.uid.replaceAll("-", "_") : one.uid;
    const cgroup =
      one.layout === "bridge"
        ? `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid}.slice/cri-containerd-abc.scope`
        : `4:memory:/kubepods/burstable/pod${uid}/abc\n0::/`;
    this.#showProcess(one.node, String(child.pid), cgroup, this.namespace(one.name));
  }

  /** As real as the agent looks: its cgroup, its namespace. */
  #showProcess(node: string, pid: string, cgroup: string, namespace: string): void {
    const folder = path.join(this.proc(node), pid);
    mkdirSync(path.join(folder, "ns"), { recursive: true });
    writeFileSync(path.join(folder, "cgroup"), `${cgroup}\n`);
    symlinkSync(`net:[${statSync(namespace).ino}]`, path.join(folder, "ns/net"));
  }

  #script(): string {
    const make = (name: string): string => `: > ${this.namespace(name)}\n${tools.unshare} --net=${this.namespace(name)} true\n`;
    const within = (name: string, script: string): string =>
      `${tools.nsenter} --net=${this.namespace(name)} -- ${tools.sh} -e <<'IN_${name}'\n${script}\nIN_${name}\n`;
    const nodes = ["a", "b"].map((node, index) => {
      const other = node === "a" ? "10.2.0.0/24 via 192.168.50.2" : "10.1.0.0/24 via 192.168.50.1";
      const mine = node === "a" ? "10.1.0.0/24" : "10.2.0.0/24";
      const bridge = node === "b" ? "ip link add cni0 type bridge; ip addr add 10.2.0.1/24 dev cni0; ip link set cni0 up" : "true";
      return `${make(`node-${node}`)}ip link add wire-${node} type veth peer name eth0 netns ${this.namespace(`node-${node}`)}
ip link set wire-${node} master lan up
${within(
  `node-${node}`,
  `ip link set lo up; ip link set eth0 up; ip addr add 192.168.50.${index + 1}/24 dev eth0; ip route add default via 192.168.50.254; ip route add ${other}
echo 1 > /proc/sys/net/ipv4/ip_forward
${bridge}`,
)}ip route add ${mine} via 192.168.50.${index + 1}`;
    });
    const inner = allPods.map((one, index) => `${make(one.name)}${within(`node-${one.node}`, this.#cable(one, index))}${within(one.name, podScript(one))}`);
    const strict = ["a", "b"].map((node) => within(`node-${node}`, "for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 > $file; done"));
    const before = `ip link set lo up
ip link add lan type bridge; ip addr add 192.168.50.254/24 dev lan; ip link set lan up
: > ${this.namespace("outside")}; ${tools.mount} --bind /proc/self/ns/net ${this.namespace("outside")}
`;
    return [before, ...nodes, ...inner, ...strict].join("\n");
  }

  #cable({ name, layout, address }: LabPod, index: number): string {
    const cable = `ip link add v${index} type veth peer name eth0 netns ${this.namespace(name)}; ip link set v${index} up`;
    switch (layout) {
      case "ptp":
        return `${cable}; ip addr add 10.1.0.1/32 dev v${index}; ip route add ${address}/32 dev v${index} src 10.1.0.1`;
      case "calico":
        return `${cable}; ip route add ${address}/32 dev v${index} scope link; echo 1 > /proc/sys/net/ipv4/conf/v${index}/proxy_arp`;
      case "bridge":
        return `${cable}; ip link set v${index} master cni0`;
      default:
        return layout satisfies never;
    }
  }
}

function podScript({ layout, address }: LabPod): string {
  const up = "ip link set lo up; ip link set eth0 up";
  switch (layout) {
    case "ptp":
      return `${up}; ip addr add ${address}/24 dev eth0; ip route del 10.1.0.0/24; ip route add 10.1.0.1 dev eth0; ip route add 10.1.0.0/24 via 10.1.0.1; ip route add default via 10.1.0.1`;
    case "calico":
      return `${up}; ip addr add ${address}/32 dev eth0; ip route add 169.254.1.1 dev eth0; ip route add default via 169.254.1.1`;
    case "bridge":
      return `${up}; ip addr add ${address}/24 dev eth0; ip route add default via 10.2.0.1`;
    default:
      return layout satisfies never;
  }
}
