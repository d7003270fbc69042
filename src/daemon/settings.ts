/** Flags and environment, read once into complete settings. */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { type AgentSettings, defaultLimits } from "../agent/settings.ts";
import { findTools, isComplete } from "../dataplane/tools.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { type StatePaths, statePaths } from "../lib/state-paths.ts";

export const weirVersion = "0.1.0";

export interface DaemonSettings {
  readonly paths: StatePaths;
  /** Where the gateway listens. */
  readonly listen: { readonly address: string; readonly port: number };
  readonly agent: AgentSettings;
}

const usage = "usage: daemon [--state DIR] [--listen ADDRESS:PORT]";

/**
 * `--state` or WEIR_HOME and XDG_STATE_HOME; `--listen` or WEIR_LISTEN, else where the gateway listened last, else 127.0.0.1:8080; WEIR_ENVOY, else the Envoy that set-up brought.
 * `here` is the folder of the running program. Problems: `settings-invalid`, `tool-missing`.
 */
export function readSettings(args: readonly string[], env: NodeJS.ProcessEnv, here: string): Result<DaemonSettings> {
  const flags = readFlags(args);
  if (flags === undefined) return failed({ code: "settings-invalid", message: `${args.join(" ")} is not understood`, hint: usage });
  const { WEIR_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, HOME } = env;
  const home = flags.state ?? WEIR_HOME;
  const paths = statePaths(
    { WEIR_HOME: home === undefined || home === "" ? undefined : path.resolve(home), XDG_STATE_HOME, XDG_RUNTIME_DIR, HOME },
    process.getuid?.() ?? 0,
  );
  const listenText = flags.listen ?? (env["WEIR_LISTEN"] || lastListen(paths.stateDir) || "127.0.0.1:8080");
  const listen = parseListen(listenText);
  const root = rootOf(here);
  const tools = findTools([path.join(root, ".cache/tools/bin")], env["PATH"] ?? "");
  const problems: Problem[] = [];
  if (listen === undefined)
    problems.push({ code: "settings-invalid", message: `cannot listen on ${listenText}`, hint: "write ADDRESS:PORT, like 127.0.0.1:8080" });
  if (tools.missing.length > 0)
    problems.push({ code: "tool-missing", message: `this machine lacks ${tools.missing.join(", ")}`, hint: "`weir check` says how to get them" });
  if (listen === undefined || !isComplete(tools.found)) return { ok: false, problems };
  const agent: AgentSettings = {
    ...defaultLimits,
    stateDir: paths.stateDir,
    runDir: paths.runDir,
    tools: tools.found,
    envoy: env["WEIR_ENVOY"] || path.join(root, ".cache/envoy/1.40.0/envoy"),
    ...entries(here),
    concurrency: Math.max(1, Math.min(4, availableParallelism())),
    // Sockets of the session: buses, agents, container engines.
    hidden: XDG_RUNTIME_DIR === undefined || XDG_RUNTIME_DIR === "" ? [] : [XDG_RUNTIME_DIR],
  };
  return ok({ paths, listen, agent });
}

/** A daemon that is started again, by whomever, must not move the gateway: its address is written down. */
export function rememberListen({ paths, listen }: DaemonSettings): void {
  const host = listen.address.includes(":") ? `[${listen.address}]` : listen.address;
  writeFileSync(listenFile(paths.stateDir), `${host}:${listen.port}\n`, { mode: 0o600 });
}

function lastListen(stateDir: string): string | undefined {
  try {
    return readFileSync(listenFile(stateDir), "utf8").trim();
  } catch {
    return undefined;
  }
}

function listenFile(stateDir: string): string {
  return path.join(stateDir, "listen");
}

function readFlags(args: readonly string[]): { readonly state?: string | undefined; readonly listen?: string | undefined } | undefined {
  try {
    return parseArgs({ args: [...args], options: { state: { type: "string" }, listen: { type: "string" } } }).values;
  } catch {
    return undefined;
  }
}

/** Reads `127.0.0.1:8080` or `[::1]:8080`; undefined when it is neither. */
export function parseListen(text: string): DaemonSettings["listen"] | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  const address = parts?.[1] ?? parts?.[2];
  return address === undefined || port < 1 || port > 65_535 ? undefined : { address, port };
}

/** The project's folder: we run from `src/daemon` or from the bundle in `dist`. */
export function rootOf(here: string): string {
  return path.basename(here) === "daemon" ? path.resolve(here, "../..") : path.resolve(here, "..");
}

function entries(here: string): Pick<AgentSettings, "agentEntry" | "nodeEntry"> {
  if (path.basename(here) !== "daemon") return { agentEntry: path.join(here, "agent.js"), nodeEntry: path.join(here, "node.js") };
  const agent = path.resolve(here, "../agent");
  return { agentEntry: path.join(agent, "main.ts"), nodeEntry: path.join(agent, "node-main.ts") };
}
