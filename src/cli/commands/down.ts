import { existsSync, statSync } from "node:fs";
import path from "node:path";
import type { DownRequest, RemoveResult } from "../../api/contract.ts";
import type { Command, Invocation, Options } from "../command.ts";
import { connectIfRunning, connectToLook } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { printRemoved } from "./rm.ts";
import { stopEverything } from "./system.ts";
import { whileWaiting } from "./waiting.ts";

export const down: Command = {
  path: ["down"],
  summary: "take down what `up` and `run` made",
  args: [{ syntax: "[stack]", description: "one stack: its name, or a folder with its weir.yaml (default: everything in the namespace)" }],
  options: [
    { flags: "-f, --file <file>", description: "the stack that this file declares" },
    { flags: "--stack <name>", description: "the stack of this name, also where a folder has the same one" },
    { flags: "--all", description: "everything in every namespace; on one machine Weir's own processes, too" },
    { flags: "--volumes", description: "delete the data of versions with volumes, too" },
  ],
  where: "both",
  examples: ["down", "down examples/shop", "down --stack shop", "down --all"],
  run,
};

async function run({ args, options, place, namespace }: Invocation): Promise<number> {
  const all = options.flag("all");
  const stack = await stackToRemove(args[0], options);
  if (all && stack !== undefined)
    throw failure("all-or-one", `--all takes down everything, not only the stack ${stack}`, { hint: "leave one of them out", exit: exitCode.badInput });
  const need = { place, namespaces: [namespace], wide: all || stack !== undefined };
  const isHere = place.kind === "local";
  const client = all && isHere ? await connectIfRunning().then((running) => running ?? connectToLook(need).catch(() => undefined)) : await connectToLook(need);
  if (client === undefined) {
    say("nothing runs here");
    return exitCode.ok;
  }
  const request: DownRequest = { all, ...(options.flag("volumes") ? { volumes: true } : {}), ...(stack === undefined ? { namespace } : { stack }) };
  printRemoved(await whileWaiting("waits until everything is gone", client.post<RemoveResult>("/v1/down", request)));
  if (all && isHere) await whileWaiting("stops Weir's own processes", stopEverything(client, true));
  return exitCode.ok;
}

/** The stack that is meant; undefined: all that there is. */
async function stackToRemove(place: string | undefined, options: Options): Promise<string | undefined> {
  const ways = [place, options.text("file"), options.text("stack")].filter((way) => way !== undefined);
  if (ways.length > 1)
    throw failure("stacks-differ", `one command takes down one stack, not ${ways.join(" and ")}`, { hint: "name it once", exit: exitCode.badInput });
  const file = options.text("file") ?? (place !== undefined && isStackPlace(place) ? place : undefined);
  return file === undefined ? (options.text("stack") ?? place) : stackIn(file);
}

/** A file, or a folder with one; anything else is the name of a stack. */
function isStackPlace(place: string): boolean {
  const stats = statSync(place, { throwIfNoEntry: false });
  return stats?.isFile() === true || existsSync(path.join(place, "weir.yaml"));
}

async function stackIn(file: string): Promise<string> {
  const [{ readSource }, { stackNameOf }] = await Promise.all([import("./source.ts"), import("../../model/parse-stack.ts")]);
  const name = stackNameOf(readSource(file));
  if (name === undefined)
    throw failure("stack-unreadable", `${file} has mistakes, so it is not known which stack it declares`, {
      hint: "name the stack: weir down --stack NAME; all stacks: weir stack ls",
      exit: exitCode.badInput,
    });
  return name;
}
