/** The process of a gateway's pod: composition only. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileLog } from "../file-log.ts";
import { realClock as clock } from "../real-clock.ts";
import { startGatewayAgent } from "./gateway-agent.ts";
import { readGatewaySettings } from "./gateway-settings.ts";
import { startNodeCertificates } from "./node-certificates.ts";

const settings = readGatewaySettings(process.argv.slice(2), process.env);
const log = fileLog("gateway");
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

const ending = new AbortController();
mkdirSync(settings.runDir, { recursive: true, mode: 0o700 });
const sdsSocket = path.join(settings.runDir, "sds.sock");
const { own, proxyId, control } = settings;
await startNodeCertificates({ own, proxyId, control, sdsSocket, clock, log, random: Math.random }, ending.signal);
const agent = await startGatewayAgent(settings, sdsSocket, { clock, log });
log.info("started", { id: own });

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await agent.stop();
  ending.abort();
  process.exit(0);
}
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
