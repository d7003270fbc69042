import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import type { ExecView } from "../../api/contract.ts";
import type { Ref } from "../../model/ref.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { appOrJobRef } from "./names.ts";

export const exec: Command = {
  path: ["exec"],
  summary: "run a command inside a workload, also a run of a job: its files, its network, its names",
  args: [{ syntax: "<ref>", description: "APP, APP@VERSION or JOB" }],
  options: [{ flags: "--workload <id>", description: "which replica, or which run (default: a ready one; the newest)" }],
  takesCommand: true,
  where: "both",
  examples: ["exec web -- sh", "exec web@v2 -- curl -s http://cart/", "exec migrate -- ps"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { rest, place } = invocation;
  if (rest.length === 0)
    throw failure("command-missing", "there is no command to run", { hint: "write it after --, like: weir exec web -- sh", exit: exitCode.badInput });
  const plan = await execPlanOf(invocation);
  switch (plan.kind) {
    case "program":
      return start(plan, rest);
    case "pod": {
      const { execInPod } = await import("../cluster/pod-streams.ts");
      return execInPod(place, plan, rest);
    }
    default:
      return plan satisfies never;
  }
}

/** How commands are started in the workload that the first argument and `--workload` mean. */
export async function execPlanOf({ args, options, place, namespace }: Invocation): Promise<ExecView> {
  const ref = appOrJobRef(args[0] ?? "", namespace);
  const workload = options.text("workload");
  const query = workload === undefined ? "" : `?workload=${encodeURIComponent(workload)}`;
  const client = await connectToLook({ place, namespaces: [ref.namespace] });
  return client.get<ExecView>(`/v1/exec/${ref.namespace}/${encodeURIComponent(refText(ref))}${query}`);
}

/** A ref as requests name it that say the namespace apart. */
export function refText({ kind, name, version }: Ref): string {
  return `${kind === "job" ? "job/" : ""}${name}${version === undefined ? "" : `@${version}`}`;
}

/** util-linux's `script`, which gives a command a terminal of its own. */
const scriptFile = "/usr/bin/script";

/**
 * The command as it is started inside. On a terminal it gets one of its own, of its own session: that of the caller belongs to
 * process ids which do not exist inside, so that shells could neither control jobs nor give the terminal back.
 */
export function commandInside(command: readonly string[], terminal: boolean): readonly string[] {
  if (!terminal) return command;
  return [scriptFile, "--quiet", "--return", "--command", command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" "), "/dev/null"];
}

/** The terminal (or pipe) is the command's own; so is its exit status, as a shell would tell it. */
function start(plan: Extract<ExecView, { kind: "program" }>, command: readonly string[]): Promise<number> {
  const [file = "", ...args] = plan.argv;
  const terminal = process.stdin.isTTY && process.stdout.isTTY && existsSync(scriptFile);
  const child = spawn(file, [...args, ...commandInside(command, terminal)], { stdio: "inherit", env: { ...plan.env, TERM: process.env["TERM"] ?? "dumb" } });
  // Ctrl-C is for the command.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(failure("exec-failed", `cannot start ${file}: ${error.message}`, { exit: exitCode.unavailable })));
    child.on("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
