/** The control plane of a cluster, as a process: reads settings, starts, ends when it is told to. */
import { fileLog } from "../../agent/file-log.ts";
import { realClock } from "../../agent/real-clock.ts";
import type { Problem } from "../../lib/problem.ts";
import { clusterAccess } from "../../providers/kubernetes/kubeconfig.ts";
import { startControlPlane } from "./control-plane.ts";
import { readControlSettings } from "./settings.ts";

const log = fileLog("control");
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

function giveUp(problems: readonly Problem[]): never {
  for (const { code, message, hint } of problems) log.error(message, { code, ...(hint === undefined ? {} : { hint }) });
  process.exit(1);
}

const settings = readControlSettings(process.argv.slice(2), process.env);
if (!settings.ok) giveUp(settings.problems);
const { kubeconfig } = settings.value;
const access = await clusterAccess({ env: process.env, ...(kubeconfig === undefined ? {} : { file: kubeconfig }) });
if (!access.ok) giveUp(access.problems);
const parts = { settings: settings.value, access: access.value, clock: realClock, log, random: Math.random };
const control = await startControlPlane(parts).catch((error: unknown) => {
  log.error("cannot start", { error: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});
log.info("serving", { port: control.port, trustDomain: settings.value.trustDomain });
const stop = (): void => void control.stop().then(() => process.exit(0));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
