/**
 * The rules inside a pod's network namespace; pure text, one transaction each.
 *
 * Only the first packet of a connection (SYN) is ever looked at. Connection tracking begins in a namespace with its first rule, and takes the packets of
 * connections that were there before for new ones: a rule for all of TCP would redirect them in the middle.
 *
 * Destination NAT to the pod's own address, not `redirect` (which would lead to 127.0.0.1): so the listeners may have that address, and Envoy's hot
 * restart, which hands sockets over by address alone, can tell those of different pods apart.
 */
import { inboundPort, nodeSource, outboundPort, probeSource } from "./contract.ts";

/** What the rules of one pod depend on. */
export interface PodRulesPlan {
  readonly address: string;
  readonly probePorts: readonly number[];
  readonly mode: "strict" | "permissive";
}

const table = "inet weir";
/** In front of what replaces a table: also when there is none yet. */
const anew = `table ${table}\ndelete table ${table}\n`;
const capturePorts = `{ ${outboundPort}, ${inboundPort} }`;
const syn = "tcp flags & (fin | syn | rst | ack) == syn";

/**
 * Nobody reaches the capture ports but by these rules: a caller could otherwise pretend that its connection was redirected. `ct` also keeps connection
 * tracking on while no rule translates any more. What is not tracked has no `ct status`, so what comes to these ports always is.
 */
const guard = `  chain guard {
    type filter hook input priority 0; policy accept;
    tcp dport ${capturePorts} ct status & dnat == 0 reject with tcp reset
  }`;

/**
 * New connections that nobody translates are not tracked: tracking ends with the last rule of a pod, and a connection that is open then would stay in the table for days. A later one from the same port would be taken for it and pass untranslated when the pod is in the mesh again.
 * @param hooks where: what the pod sends (`output`), what comes to it (`prerouting`)
 * @param when a condition of nftables and a space; empty: always
 */
function untracked(hooks: readonly ("output" | "prerouting")[], when = ""): string {
  const chains = hooks.map(
    (hook) => `  chain untracked_${hook} {
    type filter hook ${hook} priority raw; policy accept;
    ${when}${syn} tcp dport != ${capturePorts} notrack
  }
`,
  );
  return chains.join("");
}

/**
 * While this set holds TCP somebody serves the pod. The kernel empties it when nobody has said so for `servingSeconds`: what the pod sends, and what comes to a
 * permissive pod, then goes its own way, as without a mesh. A strict pod still takes nothing in plaintext.
 */
const servingSet = `  set serving {
    type inet_proto
    flags timeout
  }`;
export const servingSeconds = 90;

/** Says that somebody serves a captured pod, from now on; to be said again in time. */
export const serving = `flush set ${table} serving\nadd element ${table} serving { tcp timeout ${servingSeconds}s }\n`;
/** Says that nobody does. */
export const notServing = `flush set ${table} serving\n`;

/**
 * Rules of a captured pod, in force with `serving`. Out: all TCP but what stays inside the pod. In: all TCP but what the node proxy sends, and what processes
 * of the node itself (the kubelet) send to probed ports. IPv6 goes to the same ports of the pod's IPv6 address: refused unless somebody listens there, never
 * let through.
 */
export function captureRules({ address, probePorts, mode }: PodRulesPlan): string {
  const whileServed = "meta l4proto @serving ";
  const whileOpen = untracked(mode === "strict" ? ["output"] : ["output", "prerouting"], "meta l4proto != @serving ");
  const held = mode === "strict" ? "" : whileServed;
  const ports = [...new Set(probePorts)].sort((a, b) => a - b);
  const probes = ports.length === 0 ? "" : `    ip saddr ${probeSource} tcp dport { ${ports.join(", ")} } return\n`;
  return `${anew}table ${table} {
${servingSet}
  chain outbound {
    type nat hook output priority -100; policy accept;
    oifname "lo" return
    ${whileServed}meta nfproto ipv4 ${syn} dnat ip to ${address}:${outboundPort}
    ${whileServed}meta nfproto ipv6 ${syn} redirect to :${outboundPort}
  }
  chain inbound {
    type nat hook prerouting priority -100; policy accept;
    iifname "lo" return
    ip saddr ${nodeSource} return
${probes}    ${held}meta nfproto ipv4 ${syn} dnat ip to ${address}:${inboundPort}
    ${held}meta nfproto ipv6 ${syn} redirect to :${inboundPort}
  }
${whileOpen}${guard}
}
`;
}

/**
 * Rules of a pod that is left: new connections go their own way, those that were redirected go on through Envoy. The empty chains are what keeps their
 * translation going.
 */
export function drainRules(): string {
  return `${anew}table ${table} {
  chain outbound {
    type nat hook output priority -100; policy accept;
  }
  chain inbound {
    type nat hook prerouting priority -100; policy accept;
  }
${untracked(["output", "prerouting"])}${guard}
}
`;
}

/**
 * What is in force before the first rules and after the last ones: nothing is tracked. The kernel begins to track a moment before rules of translation are in
 * force and goes on for a moment after they are out (it lets go of connection tracking after a grace period), and what it tracked then would stay for days.
 */
export function quietRules(): string {
  return `${anew}table ${table} {
${untracked(["output", "prerouting"])}}
`;
}

/** What `nft list tables` says of a pod that has rules of ours. */
export const ourTable = `table ${table}`;

/** Takes everything out. */
export function noRules(): string {
  return anew;
}

/**
 * Settings of the namespace, as a shell script: packets outside of the window are translated too (else the pod answers them with a reset), connections from
 * before the rules are not taken for tracked ones (a later connection from the same port would be taken for one of them, and pass untranslated), connections of
 * the past leave the table at once (while a pod leaves, what is not tracked must not meet the translation of an earlier connection from the same port), and
 * waiting connections of a listener that closes go to another one of the same address (an Envoy that takes over).
 */
export const podSettings = `cd /proc/sys/net
echo 1 > netfilter/nf_conntrack_tcp_be_liberal
echo 0 > netfilter/nf_conntrack_tcp_loose
for name in time_wait close; do echo 1 > netfilter/nf_conntrack_tcp_timeout_$name; done
for name in close_wait fin_wait last_ack; do echo 10 > netfilter/nf_conntrack_tcp_timeout_$name; done
echo 1 > ipv4/tcp_migrate_req
`;

/** What /proc/net/tcp and tcp6 of a pod's namespace say about the capture ports. */
export interface CaptureSockets {
  /** Somebody accepts connections on both ports. */
  readonly listening: boolean;
  /** Sockets that listen for what the pod sends: one for each worker of each Envoy. */
  readonly listeners: number;
  /** Redirected connections that may still carry something. */
  readonly open: number;
}

/** Reads the text of /proc/net/tcp, tcp6 or both. */
export function readSockets(text: string): CaptureSockets {
  const open = new Set(["01", "02", "03", "04", "05", "08"]);
  const listening: number[] = [];
  let count = 0;
  for (const [, port = "", state = ""] of text.matchAll(/^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /gm)) {
    const number = Number.parseInt(port, 16);
    if (number !== outboundPort && number !== inboundPort) continue;
    if (state === "0A") listening.push(number);
    else if (open.has(state)) count += 1;
  }
  return { listening: new Set(listening).size === 2, listeners: listening.filter((port) => port === outboundPort).length, open: count };
}
