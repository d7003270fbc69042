import type { ExecView, LogLine, ServiceView } from "../../api/contract.ts";
import type { Client } from "../client.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { execPlanOf } from "./exec.ts";
import { appRef } from "./names.ts";

export const attach: Command = {
  path: ["attach"],
  summary: "what one replica says from now on, as it says it, until Ctrl-C; `logs -f` shows all, with the past",
  args: [{ syntax: "<ref>", description: "APP or APP@VERSION" }],
  options: [
    { flags: "--workload <id>", description: "which replica (default: a ready one)" },
    { flags: "-i, --stdin", description: "hand on what is typed or piped in, to a container that reads it; Ctrl-P Ctrl-Q leaves its terminal" },
  ],
  where: "both",
  examples: ["attach web", "attach web@v2 --workload web-v2-7d9f-x2x7c", "attach repl -i"],
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
async function follow({ args, place, namespace }: Invocation, { workload }: ExecView, input: boolean): Promise<number> {
  if (input)
    throw failure("attach-without-input", `${workload} reads nothing: workloads of one machine have no stdin`, {
      hint: "leave out -i to see what it says; a command of your own: weir exec",
      exit: exitCode.badInput,
    });
  const ref = appRef(args[0] ?? "", namespace);
  const name = `${ref.name}${ref.version === undefined ? "" : `@${ref.version}`}`;
  const client = await connectToLook({ place, namespaces: [ref.namespace] });
  const query = new URLSearchParams({ namespace: ref.namespace, ref: name, follow: "true", tail: "0" });
  const gone = new AbortController();
  const watching = untilGone(client, ref.namespace, workload, gone);
  for await (const line of client.stream<LogLine>("GET", `/v1/logs?${query.toString()}`, { signal: gone.signal })) {
    if (line.workload !== workload) continue;
    if (line.stream === "weir") say(`weir: ${line.line}`);
    else (line.stream === "stdout" ? process.stdout : process.stderr).write(`${line.line}\n`);
  }
  gone.abort();
  await watching;
  say(`${workload} is gone`);
  return exitCode.ok;
}

/** What comes after a replica is another one: whoever looks at this one need not wait for ever. */
async function untilGone(client: Client, namespace: string, workload: string, gone: AbortController): Promise<void> {
  const path = `/v1/services?namespace=${encodeURIComponent(namespace)}&watch=true`;
  for await (const services of client.stream<readonly ServiceView[]>("GET", path, { signal: gone.signal }))
    if (!services.some(({ workloads }) => workloads.some(({ id }) => id === workload))) break;
  gone.abort();
}
