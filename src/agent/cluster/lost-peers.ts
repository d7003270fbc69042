/**
 * Ends the node proxy's connections to machines that went without a word. Linux tries for a quarter of an hour; requests under way would hang so long.
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
  readonly tools: { readonly ss: string; readonly sh: string };
  readonly clock: Clock;
  readonly log: Log;
}

/** Looks until `signal` aborts. Never throws: what cannot be done is logged, once. */
export async function watchLostPeers(options: LostPeersOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  let told = "";
  while (!signal.aborted) {
    const problem = await endLostConnections(options).then(
      () => "",
      (error: unknown) => String(error),
    );
    if (problem !== "" && problem !== told) log.error("connections to lost machines cannot be ended: requests on them hang until Linux gives up", { problem });
    told = problem;
    await clock.sleep(lookMs, signal);
  }
}

/** Ends what is lost now. Throws when it cannot look, or when the kernel ends nothing (it needs CONFIG_INET_DIAG_DESTROY). */
async function endLostConnections({ tools, log }: LostPeersOptions): Promise<void> {
  const lost = await findLost(tools);
  if (lost.length === 0) return;
  log.warn("ends connections to machines that do not answer", { count: lost.length, peers: [...new Set(lost.map(({ peer }) => peer))].slice(0, 10).join(" ") });
  await runProgram([tools.ss, "-tnK", lost.map(({ local, peer }) => `( src ${local} and dst ${peer} )`).join(" or ")], { timeoutMs });
  const peers = new Set((await findLost(tools)).map((one) => `${one.local} ${one.peer}`));
  const left = lost.filter((one) => peers.has(`${one.local} ${one.peer}`));
  if (left.length > 0) throw new Error(`${left.length} of ${lost.length} are still there`);
}

async function findLost(tools: LostPeersOptions["tools"]): Promise<readonly LostConnection[]> {
  const list = commandLine(tools.ss, "-tnHOo", "state", "established", `fwmark = ${nodeMark}`);
  // Of a busy node's thousands only those that have sent something again.
  const { output } = await runProgram([tools.sh, "-c", `${list} | grep -F 'timer:(on,'; echo end`], { timeoutMs });
  if (!output.endsWith("end")) throw new Error(`ss: ${output.slice(0, 200)}`);
  return lostConnections(output);
}

/** Reads lines of `ss -tnHOo state established`: those whose retransmission timer (`on`; `persist` asks who does not read) ran out often enough. */
export function lostConnections(text: string): readonly LostConnection[] {
  const rows = text.matchAll(/^\d+ +\d+ +(\S+:\d+) +(\S+:\d+) +timer:\(on,[^,)]*,(\d+)\)/gm);
  return [...rows].flatMap(([, local = "", peer = "", count]) => (Number(count) >= lostAfter ? [{ local, peer }] : []));
}
