import type { ServiceView } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { out } from "../output.ts";
import { printServices } from "./services.ts";

export const ps: Command = {
  path: ["ps"],
  summary: "what runs, how much traffic it gets, what is wrong",
  options: [
    { flags: "-A, --all-namespaces", description: "of every namespace" },
    { flags: "-w, --watch", description: "again whenever something changes, until Ctrl-C" },
  ],
  output: true,
  examples: ["ps", "ps -A -o wide", "ps -o json", "ps --watch"],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const client = await connectToLook();
  const namespace = encodeURIComponent(invocation.options.flag("allNamespaces") ? "*" : invocation.namespace);
  if (!invocation.options.flag("watch")) {
    await printServices(await client.get<readonly ServiceView[]>(`/v1/services?namespace=${namespace}`), invocation.format);
    return exitCode.ok;
  }
  for await (const services of client.stream<readonly ServiceView[]>("GET", `/v1/services?namespace=${namespace}&watch=true`)) {
    // A terminal shows the newest state in place; a file gets one after the other.
    if (process.stdout.isTTY && invocation.format !== "json") out("\x1b[2J\x1b[H");
    await printServices(services, invocation.format);
  }
  return exitCode.ok;
}
