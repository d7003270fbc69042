/** The real agents, as processes in their nodes' namespaces. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync } from "node:fs";
import path from "node:path";
import type { Control } from "./control.ts";
import { type Lab, root, tools } from "./lab.ts";

export class Agents {
  readonly #lab: Lab;
  readonly #control: Control;
  readonly #running = new Map<string, ChildProcess>();

  constructor(lab: Lab, control: Control) {
    this.#lab = lab;
    this.#control = control;
  }

  /**
   * Starts the agent of a node. With a `name` of its own it is one more, as in another container: its run folder has the same path and is another one.
   */
  start(node: string, onExit: "keep" | "release", name = node): void {
    const folder = path.join(this.#lab.folder, node);
    mkdirSync(folder, { recursive: true });
    const run = path.join(folder, `run-${node}`);
    const log = openSync(path.join(folder, `${name}.log`), "a");
    const args = ["--node", node, "--control", `unix:${this.#control.socket(node)}`, "--run", run, "--state", path.join(folder, "state")];
    const more = ["--proc", this.#lab.proc(node), "--nri", path.join(folder, "no-nri.sock"), "--on-exit", onExit, "--concurrency", "1", "--drain-seconds", "2"];
    const main = path.join(root, "src/agent/cluster/main.ts");
    const alone = name === node ? [] : [tools.unshare, "-m", tools.sh, "-c", `${tools.mount} -t tmpfs none ${run} && exec "$@"`, "sh"];
    const argv = [
      `--net=${this.#lab.namespace(`node-${node}`)}`,
      "--",
      ...alone,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      main,
      ...args,
      ...more,
    ];
    this.#running.set(name, spawn(tools.nsenter, argv, { stdio: ["ignore", log, log], cwd: root }));
  }

  /** Ends an agent; answers how long that took, in milliseconds. */
  async stop(name: string, signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    const child = this.#running.get(name);
    if (child === undefined) return 0;
    this.#running.delete(name);
    const startedAt = performance.now();
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return performance.now() - startedAt;
  }
}
