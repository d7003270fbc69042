/** Carries out what `pod-rules.ts` and `node-rules.ts` say: pins, rules, addresses. All I/O of the node's networks is here. */
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { commandLine, runProgram, runScript } from "../../dataplane/shell.ts";
import type { Tools } from "../../dataplane/tools.ts";
import { nodeSource } from "./contract.ts";
import { bridgeRules, noBridgeRules, nodeRules, noNodeRules } from "./node-rules.ts";
import { type CaptureSockets, ourTable, podSettings, readSockets } from "./pod-rules.ts";

/** A namespace that stays while it is pinned. */
export interface Pin {
  readonly uid: string;
  readonly path: string;
  readonly inode: number;
}

/** What the keeper of the pods needs done. Methods throw an Error that says why something failed. */
export interface PodNetwork {
  /** Pins the namespace at `source` (`/proc/PID/ns/net`). The name holds the inode, so a pod's new sandbox gets a new path. */
  pin(uid: string, source: string): Promise<Pin>;
  /** Pins of this mount namespace, from whoever made them. */
  pins(): readonly Pin[];
  unpin(pin: Pin): Promise<void>;
  /** Whether rules of ours are in a namespace, from whoever put them in. */
  hasRules(pin: Pin): Promise<boolean>;
  /** Replaces the rules in a namespace at once. */
  apply(pin: Pin, rules: string): Promise<void>;
  /** Sets what rules cannot. Never throws. */
  prepare(pin: Pin): Promise<void>;
  sockets(pin: Pin): Promise<CaptureSockets>;
  /** The first global IPv4 address in the namespace at `source`; undefined when there is none. */
  addressOf(source: string): Promise<string | undefined>;
  /** Puts the node's own address and rules in. Answers what could not be done but is not needed everywhere. */
  prepareNode(captured: readonly string[]): Promise<string | undefined>;
  /** Takes the node's own rules and address out. Never throws. */
  releaseNode(): Promise<void>;
}

const timeoutMs = 10_000;
/** Rows of the capture ports (in hexadecimal), without those in TIME_WAIT and CLOSE: a busy pod has thousands of them. */
const showSockets = "grep -hsE '^ *[0-9]+: [0-9A-F]+:(3A99|3A9E) [0-9A-F]+:[0-9A-F]+ 0[^67] ' /proc/net/tcp /proc/net/tcp6; echo end";

/** Works on the namespaces of this machine. `folder` holds the pins; it is made (0700). Needs CAP_SYS_ADMIN and CAP_NET_ADMIN over all of them. */
export function podNetwork(tools: Tools, folder: string): PodNetwork {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  const nft = async (rules: string, pin?: Pin): Promise<string> => {
    const enter = pin === undefined ? [] : [tools.nsenter, `--net=${pin.path}`, "--"];
    const done = await runProgram([...enter, tools.nft, "-f", "-"], { input: rules, timeoutMs });
    if (done.code !== 0) throw new Error(`nft: ${done.output.slice(0, 300)}`);
    return done.output;
  };
  return {
    pin: (uid, source) => makePin(tools, folder, uid, source),
    pins: () => listPins(folder),
    async unpin(pin) {
      await runProgram([tools.umount, "-l", pin.path], { timeoutMs });
      rmSync(pin.path, { force: true });
    },
    async hasRules(pin) {
      return (await nft("list tables\n", pin)).includes(ourTable);
    },
    apply: async (pin, rules) => void (await nft(rules, pin)),
    async prepare(pin) {
      await runProgram([tools.nsenter, `--net=${pin.path}`, "--", tools.sh], { input: podSettings, timeoutMs });
    },
    async sockets(pin) {
      const done = await runProgram([tools.nsenter, `--net=${pin.path}`, "--", tools.sh, "-c", showSockets], { timeoutMs });
      // Silence of a program that could not look must not count as "no connection"; a very long answer is cut off.
      if (!done.output.endsWith("end") && done.output.length < 60_000) throw new Error(`the pod's connections cannot be counted: ${done.output.slice(0, 200)}`);
      return readSockets(done.output);
    },
    async addressOf(source) {
      const done = await runProgram([tools.nsenter, `--net=${source}`, "--", tools.ip, "-4", "-o", "addr", "show", "scope", "global"], { timeoutMs });
      return /inet ([\d.]+)\//.exec(done.output)?.[1];
    },
    async prepareNode(captured) {
      // Of host scope: the kernel must not choose it by itself, for instance on cables without an address of their own (Calico).
      await runScript(tools.sh, `${commandLine(tools.ip, "addr", "replace", `${nodeSource}/32`, "dev", "lo", "scope", "host")}\n`);
      await nft(nodeRules(captured));
      return nft(bridgeRules).then(
        () => undefined,
        (error: unknown) => `the kernel has no rules for bridges: pods on one bridge could forge the node proxy's address (${String(error)})`,
      );
    },
    async releaseNode() {
      await nft(noBridgeRules).catch(() => undefined);
      await nft(noNodeRules).catch(() => undefined);
      await runProgram([tools.ip, "addr", "del", `${nodeSource}/32`, "dev", "lo"], { timeoutMs });
    },
  };
}

async function makePin(tools: Tools, folder: string, uid: string, source: string): Promise<Pin> {
  // Mounted first, looked at afterwards: the process behind the source may end, and its number be used again, at any moment.
  const fresh = path.join(folder, `.${uid}`);
  writeFileSync(fresh, "");
  const script = `${commandLine(tools.umount, "-l", fresh)} 2>/dev/null || true\n${commandLine(tools.mount, "--bind", source, fresh)}\n`;
  await runScript(tools.sh, script, timeoutMs);
  const inode = statSync(fresh).ino;
  if (inode === statSync("/proc/self/ns/net").ino) {
    await runScript(tools.sh, `${commandLine(tools.umount, "-l", fresh)}\n`, timeoutMs);
    throw new Error("it is the node's own network");
  }
  const pin: Pin = { uid, inode, path: path.join(folder, `${uid}-${inode}`) };
  const isThere = isPinned(pin.path, inode);
  if (!isThere) {
    writeFileSync(pin.path, "");
    await runScript(tools.sh, `${commandLine(tools.mount, "--bind", fresh, pin.path)}\n`, timeoutMs);
  }
  await runScript(tools.sh, `${commandLine(tools.umount, "-l", fresh)}\n`, timeoutMs);
  rmSync(fresh, { force: true });
  return pin;
}

/** A file of an agent in another mount namespace has the name but no mount. */
function isPinned(file: string, inode: number): boolean {
  return statSync(file, { throwIfNoEntry: false })?.ino === inode;
}

function listPins(folder: string): readonly Pin[] {
  return readdirSync(folder).flatMap((name) => {
    const [, uid, digits] = /^([0-9a-f][0-9a-f-]*)-(\d+)$/.exec(name) ?? [];
    const file = path.join(folder, name);
    if (uid === undefined || !isPinned(file, Number(digits))) return [];
    return [{ uid, path: file, inode: Number(digits) }];
  });
}
