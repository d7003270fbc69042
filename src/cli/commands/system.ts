/** Weir's own processes. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProxyView, ReplaceEnvoyResult, SystemView } from "../../api/contract.ts";
import { formatAge } from "../../lib/age.ts";
import type { Client } from "../client.ts";
import type { Command, Invocation } from "../command.ts";
import { connect, connectIfRunning, connectToLook, paths } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { out, printList, printValue, say } from "../output.ts";
import { wholeNumber } from "./names.ts";
import { whileWaiting } from "./waiting.ts";

const status: Command = {
  path: ["system", "status"],
  summary: "daemon, agent, proxies and the state of their configuration",
  namespaced: false,
  output: true,
  where: "machine",
  examples: ["system status", "system status -o json"],
  run: runStatus,
};

const stop: Command = {
  path: ["system", "stop"],
  summary: "stop everything; what is declared comes back with the next command",
  options: [{ flags: "--purge", description: "also forget everything that is declared" }],
  namespaced: false,
  where: "machine",
  examples: ["system stop", "system stop --purge"],
  run: runStop,
};

const replace: Command = {
  path: ["system", "replace-envoy"],
  summary: "new Envoy processes for old, without losing a request",
  namespaced: false,
  where: "machine",
  examples: ["system replace-envoy"],
  run: runReplace,
};

const logs: Command = {
  path: ["system", "logs"],
  summary: "the last lines of Weir's own logs",
  options: [{ flags: "-t, --tail <lines>", description: "of each file (default: 20)" }],
  namespaced: false,
  where: "machine",
  examples: ["system logs", "system logs --tail 100"],
  run: runLogs,
};

/** These commands are about this machine alone. */
const here = { place: { kind: "local" }, namespaces: [] } as const;

export const system: readonly Command[] = [status, stop, replace, logs];

async function runStatus({ format }: Invocation): Promise<number> {
  const view = await (await connectToLook(here)).get<SystemView>("/v1/system");
  if (format === "json" || format === "yaml") {
    await printValue(view, format);
    return exitCode.ok;
  }
  const now = Date.now();
  out(`daemon   pid ${view.pid}, version ${view.version}, since ${formatAge(now - view.startedAt)}\n`);
  out(`agent    ${view.agent.state}${view.agent.reason === undefined ? "" : `: ${view.agent.reason}`}\n`);
  out(`gateway  ${view.gatewayUrl}\nstate    ${view.stateDir}\n`);
  out(`runs     ${view.counts.services} services, ${view.counts.workloads} workloads\n\n`);
  await printList<ProxyView>(
    {
      items: view.proxies,
      columns: [
        { title: "PROXY", value: (proxy) => proxy.name },
        { title: "CONFIG", value: (proxy) => proxy.state },
        { title: "SINCE", value: (proxy) => formatAge(now - proxy.since) },
        { title: "PID", value: (proxy) => String(proxy.pid ?? "-") },
        { title: "ENVOY", value: (proxy) => proxy.version ?? "-" },
        { title: "RESTARTS", value: (proxy) => String(proxy.restarts) },
      ],
      name: (proxy) => proxy.name,
      note: (proxy) => proxy.rejected?.map(({ type, message }) => `refused ${type}: ${message}`).join("\n"),
      empty: "no proxy runs",
    },
    format,
  );
  return exitCode.ok;
}

async function runStop({ options }: Invocation): Promise<number> {
  const purge = options.flag("purge");
  // Also when only the agent runs: the daemon ends it.
  const client = (await connectIfRunning()) ?? (await connectToLook(here).catch(() => undefined));
  if (client === undefined) say("nothing runs here");
  else await whileWaiting("stops", stopEverything(client, purge));
  return exitCode.ok;
}

/** Ends the daemon, and with it everything it looks after; resolves when its process is gone. */
export async function stopEverything(client: Client, purge: boolean): Promise<void> {
  const { pid } = await client.get<SystemView>("/v1/system");
  await client.post("/v1/system/stop", { purge });
  for (let tries = 0; tries < 500 && isAlive(pid); tries += 1) await sleep(10);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function runReplace(): Promise<number> {
  const result = await whileWaiting("replaces Envoy", (await connect(here)).post<ReplaceEnvoyResult>("/v1/system/replace-envoy", {}));
  out(result.replaced.map((name) => `replaced ${name}\n`).join(""));
  return exitCode.ok;
}

function runLogs({ options }: Invocation): Promise<number> {
  const tail = wholeNumber(options.text("tail") ?? "20", "--tail");
  const { stateDir, logDir } = paths();
  for (const file of [...ownLogs(logDir, /^(daemon|agent|node).*\.(log|out)$/), ...ownLogs(path.join(stateDir, "agent"), /\.log$/)]) {
    const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-tail);
    if (lines.some((line) => line !== "")) out(`==> ${file}\n${lines.join("\n")}\n`);
  }
  return Promise.resolve(exitCode.ok);
}

function ownLogs(dir: string, pattern: RegExp): readonly string[] {
  try {
    return readdirSync(dir)
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => path.join(dir, name));
  } catch {
    return [];
  }
}
