import type { LogLine } from "../../api/contract.ts";
import type { Command, Invocation, Options } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { emphasis, out } from "../output.ts";
import { durationOption, namespacesOf, wholeNumber } from "./names.ts";

export const logs: Command = {
  path: ["logs"],
  summary: "what services and jobs say",
  args: [{ syntax: "[refs...]", description: "APP, APP@VERSION or JOB: its newest run (default: all of the namespace)" }],
  options: [
    { flags: "-f, --follow", description: "go on with what is said from now on, until Ctrl-C" },
    { flags: "-t, --tail <lines>", description: "so many lines of the past (default: 200)" },
    { flags: "--since <time>", description: "only what is younger, like 10m" },
    { flags: "--timestamps", description: "with the time of every line" },
  ],
  output: true,
  where: "both",
  examples: ["logs web -f", "logs web@v2 cart --tail 50", "logs migrate", "logs --since 5m -o json"],
  run,
};

const styles = ["cyan", "green", "yellow", "dim"] as const;

async function run({ args, options, place, namespace, format }: Invocation): Promise<number> {
  const query = new URLSearchParams({ namespace, tail: String(wholeNumber(options.text("tail") ?? "200", "--tail")), follow: String(options.flag("follow")) });
  const since = options.text("since");
  if (since !== undefined) query.set("since", String(Date.now() - durationOption(since, "since", 0)));
  for (const ref of args) query.append("ref", ref);
  const client = await connectToLook({ place, namespaces: namespacesOf(args, namespace) });
  const colours = new Map<string, (typeof styles)[number]>();
  for await (const line of client.stream<LogLine>("GET", `/v1/logs?${query.toString()}`)) {
    const isNew = !colours.has(line.workload);
    const style = colours.get(line.workload) ?? styles[colours.size % styles.length] ?? "dim";
    colours.set(line.workload, style);
    if (format === "json") out(`${JSON.stringify(line)}\n`);
    else if (format === "yaml") out(`---\n${(await import("../yaml.ts")).toYaml(line)}`);
    else if (format === "name") out(isNew ? `${line.workload}\n` : "");
    else out(`${timeOf(line, options)}${emphasis(style, line.workload)} ${line.line}\n`);
  }
  return exitCode.ok;
}

function timeOf(line: LogLine, options: Options): string {
  return options.flag("timestamps") ? `${new Date(line.at).toISOString()} ` : "";
}
