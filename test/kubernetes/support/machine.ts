/** What the machine itself has, to prove that a cluster leaves none of it changed. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tryRun } from "../../cluster/run.ts";

const settings = ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"];

export interface Machine {
  readonly interfaces: readonly string[];
  readonly mounts: readonly string[];
  readonly rules: string;
  readonly settings: readonly string[];
  readonly namedNamespaces: readonly string[];
}

/** Looks at the machine. */
export async function lookAtMachine(): Promise<Machine> {
  return {
    interfaces: readdirSync("/sys/class/net").sort(),
    mounts: readFileSync("/proc/self/mounts", "utf8").split("\n").sort(),
    rules: (await tryRun(["nft", "list", "ruleset"])).stdout,
    settings: settings.map((name) => `${name} = ${readFileSync(`/proc/sys/${name}`, "utf8").trim()}`),
    namedNamespaces: listFolder("/run/netns"),
  };
}

/** The pid namespaces in which something runs. */
export function pidNamespaces(): ReadonlySet<string> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return new Set(pids.flatMap((pid) => readLink(`/proc/${pid}/ns/pid`)));
}

/** Processes that name `text` on their command line. */
export function processesNaming(text: string): readonly string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return pids.flatMap((pid) => {
    const words = readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
    return words.includes(text) ? [`${pid} ${words}`] : [];
  });
}

function listFolder(dir: string): readonly string[] {
  try {
    return readdirSync(dir).sort();
  } catch {
    return [];
  }
}

/** Processes end while we look. */
function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

function readLink(file: string): readonly string[] {
  try {
    return [readlinkSync(file)];
  } catch {
    return [];
  }
}
