import type { DownRequest, RemoveResult } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connectIfRunning, connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { say } from "../output.ts";
import { printRemoved } from "./rm.ts";
import { stopEverything } from "./system.ts";
import { whileWaiting } from "./waiting.ts";

export const down: Command = {
  path: ["down"],
  summary: "take down what `up` and `run` made",
  args: [{ syntax: "[stack]", description: "one stack (default: everything in the namespace)" }],
  options: [{ flags: "--all", description: "everything in every namespace, and Weir's own processes" }],
  examples: ["down", "down shop", "down --all"],
  run,
};

async function run({ args, options, namespace }: Invocation): Promise<number> {
  const all = options.flag("all");
  const client = all ? await connectIfRunning().then((running) => running ?? connectToLook().catch(() => undefined)) : await connectToLook();
  if (client === undefined) {
    say("nothing runs here");
    return exitCode.ok;
  }
  const [stack] = args;
  const request: DownRequest = { all, ...(stack === undefined ? { namespace } : { stack }) };
  printRemoved(await whileWaiting("waits until everything is gone", client.post<RemoveResult>("/v1/down", request)));
  if (all) await whileWaiting("stops Weir's own processes", stopEverything(client, true));
  return exitCode.ok;
}
