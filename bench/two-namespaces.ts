/**
 * Two network namespaces joined by a cable, as two pods of one machine are: the caller's and the service's, with a sidecar and its capture rules in each.
 * Unprivileged; everything ends with the holder process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");

export const serviceAddress = "10.77.0.2";
/** Nobody captures this one. */
export const directPort = 8081;
/** What the caller's sidecar captures. */
export const capturedPort = 8080;
/** Where the caller's sidecar dials with mutual TLS; the service's sidecar captures it. */
export const tlsPort = 9443;
export const outboundPort = 15001;
export const inboundPort = 15006;

export interface TwoNamespaces {
  /** Words that run a command in the caller's namespace, or the service's. */
  readonly inCaller: readonly string[];
  readonly inService: readonly string[];
  end(): void;
}

const script = `set -e
ip link set lo up
unshare -n sh -c 'ip link set lo up; echo ready; exec sleep 3600' > ready 2>&1 </dev/null & service=$!
until grep -q ready ready; do sleep 0.05; done
ip link add eth0 type veth peer name eth0 netns $service
ip link set eth0 up
ip addr add 10.77.0.1/24 dev eth0
nft -f - <<N
table ip sidecar { chain out { type nat hook output priority -100; tcp dport ${capturedPort} redirect to :${outboundPort}; }; }
N
nsenter -t $service -n sh -e <<S
ip link set eth0 up
ip addr add ${serviceAddress}/24 dev eth0
nft -f - <<N
table ip sidecar { chain in { type nat hook prerouting priority -100; tcp dport ${tlsPort} redirect to :${inboundPort}; }; }
N
S
echo "$$ $service"
exec sleep 3600`;

/** Makes the namespaces. `dir` is a scratch folder. */
export async function makeNamespaces(dir: string): Promise<TwoNamespaces> {
  const env = { ...process.env, PATH: `${root}/.cache/tools/bin:${process.env["PATH"]}:/usr/sbin:/sbin` };
  const holder: ChildProcess = spawn("unshare", ["-Urn", "--kill-child", "--fork", "sh", "-c", script], {
    cwd: dir,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(holder.stdout ?? holder, "data")) as [Buffer];
  const [caller = "", service = ""] = line.toString().trim().split(" ");
  const enter = (pid: string) => ["nsenter", "-t", pid, "-U", "-n", "--preserve-credentials", "--"];
  return {
    inCaller: enter(caller),
    inService: enter(service),
    end: () => {
      for (const pid of [service, caller]) process.kill(Number(pid), "SIGKILL");
      holder.kill("SIGKILL");
    },
  };
}
