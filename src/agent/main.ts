/** The agent process: composition only. Outlives the daemon; one per state folder. */
import { rmSync } from "node:fs";
import { Agent } from "./agent.ts";
import type { Desired } from "./contract.ts";
import { fileLog } from "./file-log.ts";
import { rememberAgent, takeLock } from "./lifecycle.ts";
import { makeFolders } from "./node.ts";
import { realClock as clock } from "./real-clock.ts";
import { decodeSettings } from "./settings.ts";
import { serveUnix } from "./unix-http.ts";

const { settings, paths } = decodeSettings(process.argv[2]);
const log = fileLog("agent");
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

if (!(await takeLock(settings.stateDir))) {
  log.info("another agent has this state folder");
  process.exit(0);
}
makeFolders(settings.stateDir, settings.runDir, paths.egressDir, paths.agentDir, paths.logDir);
rememberAgent(paths);

const agent = new Agent({ settings, paths, clock, log });
const servers = await Promise.all([
  serveUnix(paths.outsideSocket, {
    "GET /resolve": async ({ url }) => ({ addresses: await agent.resolveOutside(url.searchParams.get("name") ?? "") }),
  }),
  serveUnix(paths.agentSocket, {
    "PUT /desired": ({ body }) => agent.setDesired(body as Desired),
    "GET /status": () => agent.status.get(),
    "GET /watch": ({ signal }) => agent.status.watch(signal),
    "GET /exec": ({ url }) => agent.exec(url.searchParams.get("workload") ?? ""),
    "POST /envoy/replace": ({ body }) =>
      agent.replaceEnvoys((body as { proxies?: readonly ("node" | "gateway")[] } | undefined)?.proxies ?? ["gateway", "node"]),
    "POST /stop": () => {
      setImmediate(() => void stop());
      return {};
    },
  }),
]);
agent.start();
log.info("serving", { pid: process.pid });

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await agent.stop();
  for (const server of servers) server.close();
  for (const file of [paths.agentSocket, paths.outsideSocket]) rmSync(file, { force: true });
  log.info("stopped");
  process.exit(0);
}
process.on("SIGTERM", () => void stop());
process.on("SIGINT", () => void stop());
