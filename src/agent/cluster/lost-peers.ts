/**
 * Ends the connections of the node proxy, and of gateways on this node, to machines that went without a word. Linux tries for a quarter of an hour; requests
 * under way would hang so long.
 *
 * By what the kernel says of retransmissions, and not by TCP_USER_TIMEOUT: that one also ends connections to somebody who is there and does not read (a
 * zero window, `tcp_probe_timer` in net/ipv4/tcp_timer.c): an upload to a slow service, a database client that pauses.
 */
import { commandLine, runProgram } from "../../dataplane/shell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { nodeMark } from "./contract.ts";

/** How often something was sent again without an answer: the fifth time is some 6 s after the first (200 ms, then twice as long each time). */
const lostAfter = 5;
const lookMs = 2_000;
const timeoutMs = 10_000;

/** One connection, as `ss` writes addresses. */
export interface LostConnection {
  /** `10.0.0.1:40000` */
  readonly local: string;
  readonly peer: string;
}

export interface LostPeersOptions {
  /** Paths of programs. `ss` is of iproute2. */
  readonly tools: { readonly ss: string; readonly sh: string; readonly nsenter: string };
  /** Files of the network namespaces of gateways' pods on this node (`/proc/PID/ns/net`), as they are now. */
  readonly gateways: () => readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Where connections are looked at, and which of them. */
interface Place {
  /** What goes before a command, so that it runs there. */
  readonly enter: readonly string[];
  readonly filter: readonly string[];
}

const node: Place = { enter: [], filter: ["fwmark", "=", String(nodeMark)] };

/** Looks until `signal` aborts. Never throws: what cannot be done is logged, once. */
export async function watchLostPeers(options: LostPeersOptions, signal: AbortSignal): Promise<void> {
  const { tools, gateways, clock, log } = options;
  let told = "";
  while (!signal.aborted) {
    const places = [node, ...gateways().map((file): Place => ({ enter: [tools.nsenter, `--net=${file}`, "--"], filter: [] }))];
    const looks = await Promise.allSettled(places.map((place) => endLostConnections(options, place)));
    const problem = looks.flatMap((look) => (look.status === "rejected" ? [String(look.reason)] : []))[0] ?? "";
    if (problem !== "" && problem !== told) log.error("connections to lost machines cannot be ended: requests on them hang until Linux gives up", { problem });
    told = problem;
    await clock.sleep(lookMs, signal);
  }
}

/** Ends what is lost now. Throws when it cannot look, or when the kernel ends nothing (it needs CONFIG_INET_DIAG_DESTROY). */
async function endLostConnections({ tools, log }: LostPeersOptions, place: Place): Promise<void> {
  const lost = await findLost(tools, place);
  if (lost.length === 0) return;
  log.warn("ends connections to machines that do not answer", { count: lost.length, peers: [...new Set(lost.map(({ peer }) => peer))].slice(0, 10).join(" ") });
  const which = lost.map(({ local, peer }) => `( src ${local} and dst ${peer} )`).join(" or ");
  await runProgram([...place.enter, tools.ss, "-tnK", which], { timeoutMs });
  const peers = new Set((await findLost(tools, place)).map((one) => `${one.local} ${one.peer}`));
  const left = lost.filter((one) => peers.has(`${one.local} ${one.peer}`));
  if (left.length > 0) throw new Error(`${left.length} of ${lost.length} are still there`);
}

async function findLost(tools: LostPeersOptions["tools"], { enter, filter }: Place): Promise<readonly LostConnection[]> {
  const listening = commandLine(tools.ss, "-tnHO", "state", "listening");
  const list = commandLine(tools.ss, "-tnHOo", "state", "established", ...filter);
  // Of a busy node's thousands only those that have sent something again.
  const { output } = await runProgram([...enter, tools.sh, "-c", `${listening}; ${list} | grep -F 'timer:(on,'; echo end`], { timeoutMs });
  if (!output.endsWith("end")) throw new Error(`ss: ${output.slice(0, 200)}`);
  return lostConnections(output);
}

/**
 * Reads lines of `ss -tnHO state listening` and `ss -tnHOo state established`: connections whose retransmission timer (`on`; `persist` asks who does not
 * read) ran out often enough. Not those that came in at a port where somebody listens: how long a client may be away, its server decides.
 */
export function lostConnections(text: string): readonly LostConnection[] {
  const listening = new Set([...text.matchAll(/^\d+ +\d+ +\S+:(\d+) +\S+:\*/gm)].map(([, port]) => port));
  const rows = text.matchAll(/^\d+ +\d+ +(\S+:(\d+)) +(\S+:\d+) +timer:\(on,[^,)]*,(\d+)\)/gm);
  return [...rows].flatMap(([, local = "", port, peer = "", count]) => (Number(count) >= lostAfter && !listening.has(port) ? [{ local, peer }] : []));
}
