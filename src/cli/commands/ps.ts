import { styleText } from "node:util";
import type { ServiceView, SystemView } from "../../api/contract.ts";
import type { Client } from "../client.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { type Format, out, say } from "../output.ts";
import { proxyWarnings } from "./proxies.ts";
import { printServices } from "./services.ts";

export const ps: Command = {
  path: ["ps"],
  summary: "what runs, how much traffic it gets, what is wrong",
  options: [
    { flags: "-A, --all-namespaces", description: "of every namespace" },
    { flags: "-w, --watch", description: "again whenever something changes, until Ctrl-C" },
  ],
  output: true,
  where: "both",
  examples: ["ps", "ps -A -o wide", "ps -o json", "ps --watch"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { format, place } = invocation;
  const wide = invocation.options.flag("allNamespaces");
  const client = await connectToLook({ place, namespaces: [invocation.namespace], wide });
  const namespace = encodeURIComponent(wide ? "*" : invocation.namespace);
  if (!invocation.options.flag("watch")) {
    const [services, warnings] = await Promise.all([client.get<readonly ServiceView[]>(`/v1/services?namespace=${namespace}`), warningsFor(client, format)]);
    await print(services, warnings, format);
    return exitCode.ok;
  }
  for await (const services of client.stream<readonly ServiceView[]>("GET", `/v1/services?namespace=${namespace}&watch=true`)) {
    const warnings = await warningsFor(client, format);
    // A terminal shows the newest state in place; a file gets one after the other.
    if (process.stdout.isTTY && isTable(format)) out("\x1b[2J\x1b[H");
    await print(services, warnings, format);
  }
  return exitCode.ok;
}

function isTable(format: Format): boolean {
  return format === "table" || format === "wide";
}

/** What is wrong with the proxies, for people. That it is not known is no reason to show no services. */
async function warningsFor(client: Client, format: Format): Promise<readonly string[]> {
  if (!isTable(format)) return [];
  try {
    return proxyWarnings(await client.get<SystemView>("/v1/system"), Date.now());
  } catch {
    return [];
  }
}

async function print(services: readonly ServiceView[], warnings: readonly string[], format: Format): Promise<void> {
  await printServices(services, format);
  for (const warning of warnings) say(styleText("yellow", warning, { stream: process.stderr }));
}
