import { spawnSync } from "node:child_process";
import path from "node:path";
import type { SystemView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connectIfRunning } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { emphasis, out, printValue } from "../output.ts";
import { proxyChecks } from "./proxies.ts";

/** One fact about this machine or about what runs. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do, when it is not ok. */
  readonly fix?: string;
  /** It may be well or not: whoever asks may not see it. */
  readonly unseen?: true;
}

export const check: Command = {
  path: ["check"],
  summary: "what this machine, or a cluster, offers and what is wrong, with the fix for each",
  output: true,
  where: "both",
  examples: ["check", "check -o json"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { format, place } = invocation;
  const checks = place.kind === "local" ? await checksHere() : await checksOfCluster(invocation);
  if (format === "json" || format === "yaml") await printValue(checks, format);
  else out(checks.map(line).join(""));
  return checks.every(({ ok }) => ok) ? exitCode.ok : exitCode.failed;
}

async function checksHere(): Promise<readonly Check[]> {
  const client = await connectIfRunning();
  const system = await client?.get<SystemView>("/v1/system");
  return [...machineChecks(), ...(system === undefined ? [] : proxyChecks(system))];
}

async function checksOfCluster(invocation: Invocation): Promise<readonly Check[]> {
  const { checkCluster } = await import("../cluster/run-check.ts");
  return checkCluster(invocation);
}

/** The agent knows what it needs: it looks, in a process of its own. */
function machineChecks(): readonly Check[] {
  const found = spawnSync(process.execPath, [path.join(import.meta.dirname, "check.js")], { encoding: "utf8", timeout: 30_000 });
  try {
    return JSON.parse(found.stdout) as readonly Check[];
  } catch {
    throw failure("check-failed", `the checks did not run: ${found.stderr || String(found.error ?? found.signal)}`);
  }
}

function line({ name, ok, detail, fix, unseen }: Check): string {
  const sign = unseen === true ? emphasis("dim", "?   ") : ok ? emphasis("green", "ok  ") : emphasis("red", "FAIL");
  return `${sign} ${name}: ${detail}\n${ok || fix === undefined ? "" : `     fix: ${fix}\n`}`;
}
