/**
 * The rules in the node's own network namespace: nobody but the node proxy speaks with its source address, and the node's own processes, above all the
 * kubelet, have one address for all captured pods. Pure text.
 *
 * Why not the node's addresses for probes: connections from outside to a NodePort come with one of those, too (kube-proxy masquerades them), and would go
 * past the proxy. Only what a socket of the node itself sends is translated here (`meta skuid` matches nothing else).
 */
import { nodeMark, nodeSource, probeSource } from "./contract.ts";

/** nodeSource and probeSource. */
const range = "169.254.7.0/30";
const table = "inet weir_node";
const syn = "tcp flags & (fin | syn | rst | ack) == syn";
const mark = `0x${nodeMark.toString(16)}`;

/**
 * All rules of the node, in one transaction. The node proxy's own connections (by their mark) get its address on their way into captured pods, and only
 * there: one cluster of Envoy's has endpoints on this node and on others, and can have but one source address. `pods` are the addresses of the captured pods. */
export function nodeRules(pods: readonly string[]): string {
  const elements = pods.length === 0 ? "" : `\n    elements = { ${[...new Set(pods)].sort().join(", ")} }`;
  return `table ${table}
delete table ${table}
table ${table} {
  set captured {
    type ipv4_addr${elements}
  }
  chain arriving {
    type filter hook prerouting priority -310; policy accept;
    iifname "lo" accept
    ip saddr ${range} drop
    ip daddr ${range} tcp flags & (fin | syn | rst | ack) == syn drop
    ip daddr ${range} meta l4proto != { tcp, icmp } drop
  }
  chain sending {
    type filter hook output priority -310; policy accept;
    ip saddr ${nodeSource} meta mark & 0xff != ${mark} drop
    ip saddr ${probeSource} drop
  }
  chain names {
    type nat hook postrouting priority 90; policy accept;
    ${syn} meta mark & 0xff == ${mark} ip saddr != ${range} ip daddr @captured snat ip to ${nodeSource}
    ${syn} meta skuid 0-4294967294 meta mark & 0xff != ${mark} ip saddr != ${range} ip daddr @captured snat ip to ${probeSource}
  }
}
`;
}

/** Where pods share a bridge, a forged packet does not pass the node's own rules. Needs a kernel with rules for bridges. */
export const bridgeRules = `table bridge weir_node
delete table bridge weir_node
table bridge weir_node {
  chain arriving {
    type filter hook prerouting priority -310; policy accept;
    ip saddr ${range} drop
  }
}
`;

/** Takes the node's rules out. */
export const noNodeRules = `table ${table}\ndelete table ${table}\n`;
export const noBridgeRules = "table bridge weir_node\ndelete table bridge weir_node\n";
