import type { RemoveRequest, RemoveResult } from "../../api/contract.ts";
import type { Command, Invocation } from "../command.ts";
import { connect } from "../connect.ts";
import { exitCode } from "../exit-code.ts";
import { out, say } from "../output.ts";
import { namespacesOf } from "./names.ts";
import { serviceName } from "./services.ts";
import { whileWaiting } from "./waiting.ts";

export const rm: Command = {
  path: ["rm"],
  summary: "remove apps, versions, jobs, routers, external services, configs, secrets",
  args: [{ syntax: "<refs...>", description: "APP, APP@VERSION, JOB, router/NAME, external/NAME, config/NAME, secret/NAME" }],
  options: [{ flags: "--volumes", description: "delete the data of versions with volumes, too, also of those that are gone already" }],
  where: "both",
  examples: ["rm hello", "rm web@v1 router/www", "rm --volumes db"],
  run,
};

async function run({ args, options, place, namespace }: Invocation): Promise<number> {
  const request: RemoveRequest = { namespace, refs: args, ...(options.flag("volumes") ? { volumes: true } : {}) };
  const result = await whileWaiting(
    "waits until it is gone",
    (await connect({ place, namespaces: namespacesOf(args, namespace) })).post<RemoveResult>("/v1/rm", request),
  );
  printRemoved(result);
  return exitCode.ok;
}

/** One line for each thing that is gone, and for each volume that is left. */
export function printRemoved(result: RemoveResult): void {
  out(result.removed.map((name) => `removed ${name}\n`).join(""));
  const volumes = result.volumes ?? [];
  out(volumes.map(({ name, deleted }) => `${deleted ? "deleted" : "kept"} volume ${name}\n`).join(""));
  const kept = [...new Set(volumes.filter(({ deleted }) => !deleted).map(serviceName))];
  if (kept.length > 0) say(`their data is there when they come back; to delete it: weir rm --volumes ${kept.join(" ")}`);
}
