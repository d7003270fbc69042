/**
 * The networks of one machine, as scripts: the node's namespace, one namespace per workload, and the rules that make isolation real.
 * Pure text; `runScript` runs it in the node's namespaces.
 *
 * A workload's TCP goes to its own capture listener whatever address it wants; all else but DNS stays inside. In the node's namespace nothing is
 * forwarded, and a workload can open no connection to it (no SYN passes, so no connection tracking is needed there).
 */
import { commandLine } from "./shell.ts";
import type { Tools } from "./tools.ts";

/** The node's address as every workload sees it: its gateway and its DNS server. */
export const nodeAddress = "169.254.1.1";

/** What one workload's network is made from. */
export interface WorkloadNetworkPlan {
  readonly address: string;
  /** File that the namespace is mounted on. */
  readonly pin: string;
  /** The node's end of the cable, at most 15 characters. */
  readonly device: string;
  readonly capturePort: number;
}

/** The node's end of the cable of the workload at `address`: stable, unique, short enough for the kernel. */
export function deviceName(address: string): string {
  const [, b = "0", c = "0", d = "0"] = address.split(".");
  return `w${[b, c, d].map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

/** Script for the node's own namespace; runs once, first. */
export function nodeNetworkScript(tools: Tools): string {
  return `${commandLine(tools.ip, "-batch", "-")} <<'END'
link set lo up
addr add ${nodeAddress}/32 dev lo
END
echo 0 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv4/tcp_migrate_req 2>/dev/null || true
${commandLine(tools.nft, "-f", "-")} <<'END'
${nodeRules}
END
`;
}

/** Only DNS and answers to what the node asked enter from a workload; nothing is forwarded. */
const nodeRules = `table inet weir {
  chain input {
    type filter hook input priority 0; policy accept;
    iifname "w*" jump workload
  }
  chain workload {
    ip daddr ${nodeAddress} udp dport 53 accept
    ip daddr ${nodeAddress} tcp dport 53 accept
    meta l4proto tcp tcp flags & (syn | ack) != syn accept
    meta l4proto tcp reject with tcp reset
    drop
  }
  chain forwarding {
    type filter hook forward priority 0; policy drop;
  }
}`;

/** Rules inside a workload's namespace. Traffic with the node is not tracked: only what is captured needs the translation. */
export function workloadRules(address: string, port: number): string {
  return `table inet weir {
  chain raw_in {
    type filter hook prerouting priority -300; policy accept;
    iifname "eth0" notrack
  }
  chain raw_out {
    type filter hook output priority -300; policy accept;
    ip daddr ${nodeAddress} notrack
  }
  chain capture {
    type nat hook output priority -100; policy accept;
    meta l4proto tcp ip daddr != { 127.0.0.0/8, ${nodeAddress}, ${address} } dnat ip to ${address}:${port}
  }
  chain output {
    type filter hook output priority 0; policy accept;
    ip daddr { 127.0.0.0/8, ${nodeAddress}, ${address} } accept
    ip6 daddr ::1 accept
    reject
  }
}`;
}

/** Script that makes the networks of several workloads. Runs in the node's namespaces. */
export function addNetworksScript(tools: Tools, plans: readonly WorkloadNetworkPlan[]): string {
  const pins = plans.map((plan) => `: > ${commandLine(plan.pin)}\n${commandLine(tools.unshare, `--net=${plan.pin}`, "true")}`);
  const links = plans.flatMap((plan) => [
    `link add ${plan.device} type veth peer name eth0 netns ${plan.pin}`,
    `link set ${plan.device} up`,
    `route add ${plan.address}/32 dev ${plan.device} src ${nodeAddress}`,
  ]);
  const insides = plans.map(
    (plan) => `${commandLine(tools.nsenter, `--net=${plan.pin}`, "--", tools.sh, "-e")} <<'WORKLOAD'\n${insideScript(tools, plan)}WORKLOAD`,
  );
  return [...pins, `${commandLine(tools.ip, "-batch", "-")} <<'END'`, ...links, "END", ...insides, ""].join("\n");
}

/** Small ports need no privilege inside; connections of the past leave the tracking table soon, so that many short ones do not fill it. */
function insideScript(tools: Tools, plan: WorkloadNetworkPlan): string {
  return `echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6 2>/dev/null || true
${commandLine(tools.ip, "-batch", "-")} <<'END'
link set lo up
link set eth0 up
addr add ${plan.address}/32 dev eth0
route add ${nodeAddress} dev eth0
route add default via ${nodeAddress} dev eth0
END
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
echo 1 > /proc/sys/net/ipv4/tcp_migrate_req 2>/dev/null || true
${commandLine(tools.nft, "-f", "-")} <<'END'
${workloadRules(plan.address, plan.capturePort)}
END
for timeout in time_wait close_wait fin_wait last_ack; do echo 5 > /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_$timeout 2>/dev/null || true; done
`;
}

/** Script that takes networks away; never fails for what is not there. */
export function removeNetworksScript(tools: Tools, plans: readonly WorkloadNetworkPlan[]): string {
  return plans
    .map(
      (plan) =>
        `${commandLine(tools.ip, "link", "del", plan.device)} 2>/dev/null || true\n${commandLine(tools.umount, "-l", plan.pin)} 2>/dev/null || true\nrm -f ${commandLine(plan.pin)}\n`,
    )
    .join("");
}
