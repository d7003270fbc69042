/** What the kernel says about processes and sockets, read from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** One process for ever: a pid can be used again, a pid with its start time cannot. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: string;
}

/** Reads the state letter and start time out of `/proc/PID/stat`; the program's name may hold spaces and brackets. */
export function parseStat(text: string): { readonly state: string; readonly startTime: string } | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || state === "" || startTime === undefined ? undefined : { state, startTime };
}

/** Identifies a running process; undefined when there is none, or only its zombie. */
export function identify(pid: number): ProcessId | undefined {
  const stat = readOptional(`/proc/${pid}/stat`);
  const parsed = stat === undefined ? undefined : parseStat(stat);
  return parsed === undefined || parsed.state === "Z" || parsed.state === "X" ? undefined : { pid, startTime: parsed.startTime };
}

/** Says whether exactly this process still runs. */
export function isRunning(id: ProcessId): boolean {
  return identify(id.pid)?.startTime === id.startTime;
}

/** Children of all threads of a process. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      (readOptional(`/proc/${pid}/task/${task}/children`) ?? "")
        .split(" ")
        .filter((word) => word !== "")
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** The pids of one process from the outermost namespace that this /proc shows to its own. */
export function namespacePids(pid: number): readonly number[] {
  const line = /^NSpid:\s*(.*)$/m.exec(readOptional(`/proc/${pid}/status`) ?? "")?.[1];
  return line === undefined ? [] : line.split(/\s+/).map(Number);
}

/** Sends a signal to exactly this process. Answers whether it was there. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isRunning(id)) return false;
  try {
    return process.kill(id.pid, signal);
  } catch {
    return false;
  }
}

/** One row of `/proc/net/tcp`. Addresses are dotted. */
export interface TcpRow {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  /** 1 established, 2 and 3 opening, 4 and 5 closing by us, 6 time-wait, 8 closing by them, 10 listening. */
  readonly state: number;
}

/** Reads the text of `/proc/net/tcp` (IPv4 of a little-endian machine). */
export function parseTcp(text: string): readonly TcpRow[] {
  const rows: TcpRow[] = [];
  for (const match of text.matchAll(/^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) ([0-9A-F]{8}):([0-9A-F]{4}) ([0-9A-F]{2}) /gm)) {
    const [, local = "", localPort = "", remote = "", remotePort = "", state = ""] = match;
    rows.push({
      local: dotted(local),
      localPort: Number.parseInt(localPort, 16),
      remote: dotted(remote),
      remotePort: Number.parseInt(remotePort, 16),
      state: Number.parseInt(state, 16),
    });
  }
  return rows;
}

/** Connections from this namespace to `address` that may still carry something; answers to DNS questions do not count. */
export function openConnections(rows: readonly TcpRow[], address: string): number {
  const open = new Set([1, 2, 3, 4, 8]);
  return rows.filter((row) => row.remote === address && row.localPort !== 53 && open.has(row.state)).length;
}

/** Ports that something in the namespace of process `pid` accepts connections on, with the addresses it does so. */
export function listening(pid: number): readonly { readonly address: string; readonly port: number }[] {
  const four = parseTcp(readOptional(`/proc/${pid}/net/tcp`) ?? "").filter((row) => row.state === 10);
  const six = [...(readOptional(`/proc/${pid}/net/tcp6`) ?? "").matchAll(/^\s*\d+: ([0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A /gm)];
  return [
    ...four.map((row) => ({ address: row.local, port: row.localPort })),
    ...six.map((match) => ({ address: /^0+$/.test(match[1] ?? "") ? "::" : "::1", port: Number.parseInt(match[2] ?? "", 16) })),
  ];
}

function dotted(hex: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
}

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
