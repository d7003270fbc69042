/** The cluster agent's process: composition only. */
import { connectRpc, type RpcClient } from "../../rpc/client.ts";
import { fileLog } from "../file-log.ts";
import { realClock as clock } from "../real-clock.ts";
import { startClusterAgent } from "./cluster-agent.ts";
import { readClusterSettings } from "./settings.ts";

const settings = readClusterSettings(process.argv.slice(2), process.env, import.meta.dirname);
const log = fileLog("cluster-agent");
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

/** A connection without a certificate goes to a socket on this machine only; the identity room brings the other kind. */
function connectControl(): RpcClient {
  const { control } = settings;
  if (control.kind === "mtls") throw new Error("connections with certificates are not built in yet");
  return connectRpc({ clock, target: { path: control.path }, keepaliveMs: 10_000 });
}

const agent = startClusterAgent(settings, { connectControl, onIdentities: () => undefined, clock, log });
log.info("started", { node: settings.node, pid: process.pid });

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await agent.stop(settings.onExit);
  process.exit(0);
}
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
