/** The node process: composition only. It runs as root of its own user, mount, network and pid namespaces; see `node-process.ts`. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Envoy } from "../dataplane/envoy.ts";
import { nodeAddress, nodeNetworkScript } from "../dataplane/network.ts";
import { runScript } from "../dataplane/shell.ts";
import { Cell } from "../lib/cell.ts";
import type { Desired } from "./contract.ts";
import { startDns } from "./dns.ts";
import { fileLog } from "./file-log.ts";
import { makeFolders, Node, type NodeStatus } from "./node.ts";
import { realClock as clock } from "./real-clock.ts";
import { decodeSettings, privateDir } from "./settings.ts";
import { callUnix, HttpProblem, serveUnix } from "./unix-http.ts";
import { writeSharedFiles } from "./workload-files.ts";

const { settings, paths } = decodeSettings(process.argv[2]);
const identity = JSON.parse(process.argv[3] ?? "{}") as { readonly uid: number; readonly gid: number };
const log = fileLog("node");
const dir = privateDir(paths);
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));

makeFolders(paths.logDir, paths.agentDir, paths.egressDir);
writeSharedFiles(dir, nodeAddress, readOptional("/etc/nsswitch.conf"));
await runScript(settings.tools.sh, nodeNetworkScript(settings.tools));

const inherited = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"].flatMap((name) =>
  process.env[name] === undefined ? [] : [[name, process.env[name]] as const],
);
const node = new Node({
  tools: settings.tools,
  dir,
  uid: identity.uid,
  gid: identity.gid,
  // Sockets that give everything away, and the store with its secrets.
  hidden: [settings.stateDir, settings.runDir, ...settings.hidden],
  defaultEnv: Object.fromEntries(inherited),
  logDir: paths.logDir,
  volumeDir: paths.volumeDir,
  outcomeDir: path.join(paths.agentDir, "runs"),
  addressFile: path.join(paths.agentDir, "addresses.json"),
  clock,
  log,
});
const envoy = new Envoy({
  nodeId: "node",
  program: settings.envoy,
  dir: paths.agentDir,
  xds: { kind: "socket", path: paths.xdsSocket },
  adminSocket: paths.nodeAdmin,
  concurrency: settings.concurrency,
  maxHeapBytes: settings.maxHeapBytes,
  maxDownstreamConnections: settings.maxConnections,
  drainSeconds: settings.drainSeconds,
  parentSeconds: settings.parentSeconds,
  clock,
  log,
});
const dns = await startDns({
  address: nodeAddress,
  port: 53,
  view: () => node.view,
  resolveOutside: async (name) =>
    (await callUnix<{ readonly addresses: readonly string[] }>(paths.outsideSocket, "GET", `/resolve?name=${encodeURIComponent(name)}`)).addresses,
  log,
});

const status = (): NodeStatus => ({ generation: node.generation.get(), envoy: envoy.state.get(), workloads: node.statuses.get() });
const shown = new Cell<NodeStatus>(status());
const forever = new AbortController();
for (const part of [node.statuses, node.generation, envoy.state]) {
  void (async () => {
    for await (const _ of part.watch(forever.signal)) shown.set(status());
  })();
}

async function stop(): Promise<void> {
  forever.abort();
  await Promise.all([node.stop(3_000), envoy.stop()]);
  await dns.close();
  log.info("stopped");
  process.exit(0);
}

let applied = false;
await serveUnix(paths.nodeSocket, {
  "PUT /desired": async ({ body }) => {
    const desired = body as Desired;
    await node.apply(desired);
    // Only now: what its configuration names must be there.
    if (!applied) envoy.start();
    applied = true;
    return { generation: desired.generation };
  },
  "GET /watch": ({ signal }) => shown.watch(signal),
  "GET /exec": ({ url }) => {
    const workload = node.find(url.searchParams.get("workload") ?? "");
    const argv = workload?.enter([]);
    if (workload === undefined || argv === undefined) throw new HttpProblem(404, "it does not run");
    return { argv, env: workload.environment() };
  },
  "POST /envoy/replace": async () => {
    await envoy.replace();
    return {};
  },
  "POST /stop": () => {
    setImmediate(() => void stop());
    return {};
  },
});
log.info("serving");

function readOptional(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
