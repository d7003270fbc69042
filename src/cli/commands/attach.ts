import { setTimeout } from "node:timers/promises";
import type { ExecView, JobView, LogLine, ServiceView } from "../../api/contract.ts";
import type { Client } from "../client.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { execPlanOf, refText } from "./exec.ts";
import { appOrJobRef } from "./names.ts";

export const attach: Command = {
  path: ["attach"],
  summary: "what one replica, or a run of a job, says from now on, as it says it, until it ends or Ctrl-C; `logs -f` shows all, with the past",
  args: [{ syntax: "<ref>", description: "APP, APP@VERSION or JOB" }],
  options: [
    { flags: "--workload <id>", description: "which replica, or which run (default: a ready one; the newest)" },
    { flags: "-i, --stdin", description: "hand on what is typed or piped in, to a container that reads it; Ctrl-P Ctrl-Q leaves its terminal" },
  ],
  where: "both",
  examples: ["attach web", "attach web@v2 --workload web-v2-7d9f-x2x7c", "attach migrate", "attach repl -i"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const plan = await execPlanOf(invocation);
  const input = invocation.options.flag("stdin");
  if (plan.kind === "program") return follow(invocation, plan, input);
  const { attachToPod } = await import("../cluster/pod-streams.ts");
  return attachToPod(invocation.place, plan, input);
}

/** On one machine what workloads say goes into files, so that it is there although nobody looks: it is read from there. */
async function follow({ args, place, namespace }: Invocation, { workload, run }: ExecView, input: boolean): Promise<number> {
  if (input)
    throw failure("attach-without-input", `${workload} reads nothing: workloads of one machine have no stdin`, {
      hint: "leave out -i to see what it says; a command of your own: weir exec",
      exit: exitCode.badInput,
    });
  const ref = appOrJobRef(args[0] ?? "", namespace);
  const client = await connectToLook({ place, namespaces: [ref.namespace] });
  const query = new URLSearchParams({ namespace: ref.namespace, ref: refText(ref), workload, follow: "true", tail: "0" });
  const gone = new AbortController();
  const watching = untilGone(client, { namespace: ref.namespace, workload, run }, gone);
  for await (const line of client.stream<LogLine>("GET", `/v1/logs?${query.toString()}`, { signal: gone.signal })) {
    if (line.stream === "weir") say(`weir: ${line.line}`);
    else (line.stream === "stdout" ? process.stdout : process.stderr).write(`${line.line}\n`);
  }
  gone.abort();
  await watching;
  say(`${workload} is gone`);
  return exitCode.ok;
}

/** So long a last line can take from its file to here: logs are looked at every second at least. */
const lastLinesMs = 1_500;

interface Watched {
  readonly namespace: string;
  readonly workload: string;
  readonly run: string | undefined;
}

/** What comes after a replica is another one, after a run another run: whoever looks at this one need not wait for ever. */
async function untilGone(client: Client, watched: Watched, gone: AbortController): Promise<void> {
  for await (const isThere of presence(client, watched, gone.signal)) if (!isThere) break;
  if (!gone.signal.aborted) await setTimeout(lastLinesMs, undefined, { signal: gone.signal }).catch(() => undefined);
  gone.abort();
}

async function* presence(client: Client, { namespace, workload, run }: Watched, signal: AbortSignal): AsyncGenerator<boolean, void, void> {
  const query = `?namespace=${encodeURIComponent(namespace)}&watch=true`;
  if (run === undefined)
    for await (const services of client.stream<readonly ServiceView[]>("GET", `/v1/services${query}`, { signal }))
      yield services.some(({ workloads }) => workloads.some(({ id }) => id === workload));
  else
    for await (const jobs of client.stream<readonly JobView[]>("GET", `/v1/jobs${query}`, { signal }))
      yield jobs.some(({ runs }) => runs.some(({ name, state }) => name === run && state === "running"));
}
