/** The cluster agent's process: composition only. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { nodeId, nodeProxyId } from "../../model/spiffe.ts";
import { connectRpc } from "../../rpc/client.ts";
import { fileLog } from "../file-log.ts";
import { realClock as clock } from "../real-clock.ts";
import { type ClusterAgentParts, sdsSocketOf, startClusterAgent } from "./cluster-agent.ts";
import { startNodeCertificates } from "./node-certificates.ts";
import { readClusterSettings } from "./settings.ts";

const settings = readClusterSettings(process.argv.slice(2), process.env, import.meta.dirname);
const log = fileLog("cluster-agent");
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

/** A control plane on a socket of this machine asks for no certificate; one on the network is another matter. */
async function startParts(): Promise<Pick<ClusterAgentParts, "connectControl" | "onIdentities" | "identities">> {
  const { control, node } = settings;
  if (control.kind === "socket")
    return { connectControl: () => connectRpc({ clock, target: { path: control.path }, keepaliveMs: 10_000 }), onIdentities: () => undefined };
  const sdsSocket = sdsSocketOf(settings);
  mkdirSync(path.dirname(sdsSocket), { recursive: true, mode: 0o700 });
  const identity = { own: nodeId(control.trustDomain, node), proxyId: nodeProxyId(node) };
  const certificates = await startNodeCertificates({ ...identity, control, sdsSocket, clock, log, random: Math.random }, ending.signal);
  return { connectControl: certificates.connect, onIdentities: certificates.want, identities: certificates.held };
}

const ending = new AbortController();
const agent = startClusterAgent(settings, { ...(await startParts()), clock, log });
log.info("started", { node: settings.node, pid: process.pid });

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await agent.stop(settings.onExit);
  ending.abort();
  process.exit(0);
}
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
const { readyFile } = settings;
if (readyFile !== undefined) {
  const tell = (): void => writeFileSync(readyFile, `${process.pid}\n`);
  if (agent.keeper.looked.aborted) tell();
  else agent.keeper.looked.addEventListener("abort", tell);
}
