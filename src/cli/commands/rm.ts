import type { RemoveRequest, RemoveResult } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { out } from "../output.ts";
import { namespacesOf } from "./names.ts";
import { whileWaiting } from "./waiting.ts";

export const rm: Command = {
  path: ["rm"],
  summary: "remove apps, versions, jobs, routers, external services, configs, secrets",
  args: [{ syntax: "<refs...>", description: "APP, APP@VERSION, JOB, router/NAME, external/NAME, config/NAME, secret/NAME" }],
  where: "both",
  examples: ["rm hello", "rm web@v1 router/www"],
  run,
};

async function run({ args, place, namespace }: Invocation): Promise<number> {
  const request: RemoveRequest = { namespace, refs: args };
  const result = await whileWaiting(
    "waits until it is gone",
    (await connect({ place, namespaces: namespacesOf(args, namespace) })).post<RemoveResult>("/v1/rm", request),
  );
  printRemoved(result);
  return exitCode.ok;
}

/** One line for each thing that is gone. */
export function printRemoved(result: RemoveResult): void {
  out(result.removed.map((name) => `removed ${name}\n`).join(""));
}
