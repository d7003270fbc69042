/** Carries out `weir uninstall`. */
import { createInterface } from "node:readline/promises";
import { checkRights } from "../../install/cluster/connect.ts";
import { checkNothingDeclared } from "../../install/cluster/declared.ts";
import { findInstallation, uninstall } from "../../install/cluster/uninstall.ts";
import { uninstallRights } from "../../install/rights.ts";
import type { Invocation, Options } from "../command.ts";
import { durationOption } from "../commands/names.ts";
import { whileWaiting } from "../commands/waiting.ts";
import { exitCode } from "../exit-code.ts";
import { failure } from "../failure.ts";
import { say } from "../output.ts";
import { connectMeant, orFail } from "./connect.ts";

/** Asks, lets pods go, deletes. Answers the exit status; throws a `Failure`. */
export async function runUninstall({ options }: Invocation): Promise<number> {
  const timeoutMs = durationOption(options.text("timeout"), "timeout", 180_000);
  const cluster = await connectMeant(options);
  try {
    orFail(await checkRights(cluster.client, uninstallRights()));
    const objects = orFail(await findInstallation(cluster.client));
    if (objects.length === 0) {
      say(`Weir is not on ${cluster.label}`);
      return exitCode.ok;
    }
    if (!options.flag("force")) orFail(await checkNothingDeclared(cluster.client));
    await confirm(options, cluster.label);
    const settings = { clock: cluster.clock, timeoutMs, wait: options.flag("wait"), force: options.flag("force"), say };
    orFail(await whileWaiting("takes Weir off the cluster", uninstall(cluster.client, objects, settings)));
    say(`Weir is off ${cluster.label}`);
    return exitCode.ok;
  } finally {
    cluster.close();
  }
}

async function confirm(options: Options, label: string): Promise<void> {
  if (options.flag("yes")) return;
  const unconfirmed = failure("uninstall-unconfirmed", `Weir stays on ${label}: nobody said yes`, { hint: "weir uninstall --yes", exit: exitCode.badInput });
  if (!process.stdin.isTTY) throw unconfirmed;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`Take Weir off ${label}? All pods leave the mesh, its certificate authority is deleted. Write yes: `);
  lines.close();
  if (answer.trim() !== "yes") throw unconfirmed;
}
