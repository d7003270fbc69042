/**
 * A machine of the cluster: network, pid, mount, ipc and uts namespaces that one first process holds. When that process ends, the kernel ends all others
 * inside, and with them go interfaces, rules and mounts: there is nothing else to clean up, not even after a crash.
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { childrenOf, identify, isRunning, type ProcessId, signalProcess } from "../../src/dataplane/proc.ts";
import { searchPath } from "./places.ts";
import { run } from "./run.ts";

export interface Sandbox {
  readonly name: string;
  /** The first process. */
  readonly init: ProcessId;
}

const kinds = ["--mount", "--net", "--pid", "--ipc", "--uts"];

/** Starts an empty sandbox: loopback is up, mounts are private, the host name is `name`. */
export async function startSandbox(name: string): Promise<Sandbox> {
  const starter = spawn("unshare", [...kinds, "--fork", "--mount-proc", "--", "tini", "--", "sleep", "infinity"], {
    env: { PATH: searchPath },
    stdio: "ignore",
    detached: true,
  });
  starter.unref();
  const init = await firstChild(starter.pid ?? 0);
  const sandbox = { name, init };
  await runScript(sandbox, `ip link set lo up\nhostname ${name}\n`);
  return sandbox;
}

/** `unshare` stays outside and has one child, the first process inside, once it has become `tini`. */
async function firstChild(starter: number): Promise<ProcessId> {
  for (let tries = 0; tries < 500; tries += 1) {
    const [pid] = childrenOf(starter);
    const init = pid === undefined ? undefined : identify(pid);
    if (init !== undefined && childrenOf(init.pid).length > 0) return init;
    await sleep(10);
  }
  throw new Error("unshare made no namespaces: does this kernel allow them, and are we root?");
}

/** The command line that runs `words` inside. */
export function inside({ init }: Sandbox, words: readonly string[]): readonly string[] {
  return ["nsenter", "--target", String(init.pid), ...kinds, "--", ...words];
}

/** The network namespace, for whoever wants to enter only that. */
export function networkOf({ init }: Sandbox): string {
  return `/proc/${init.pid}/ns/net`;
}

/** Runs a shell script inside; throws with its output at the first line that fails. */
export async function runScript(sandbox: Sandbox, script: string): Promise<void> {
  await run(inside(sandbox, ["sh", "-eu"]), { input: script });
}

/** Ends everything inside; true when it is gone. */
export async function endSandbox({ init }: Sandbox): Promise<boolean> {
  signalProcess(init, "SIGKILL");
  for (let tries = 0; tries < 1_000 && isRunning(init); tries += 1) await sleep(10);
  return !isRunning(init);
}
