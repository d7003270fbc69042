/** What this machine offers, as JSON: `check.js [--gateway-runs]`. Tries everything for real and leaves nothing behind. */
import path from "node:path";
import { agentPaths } from "../agent/contract.ts";
import { agentStatus } from "../agent/lifecycle.ts";
import { checkMachine } from "../dataplane/check.ts";
import { statePaths } from "../lib/state-paths.ts";
import { parseListen, readSettings, rootOf } from "./settings.ts";

const root = rootOf(import.meta.dirname);
const settings = readSettings([], process.env, import.meta.dirname);
const paths = statePaths(process.env, process.getuid?.() ?? 0);
const status = await agentStatus(agentPaths(paths.stateDir, paths.runDir));
const facts = await checkMachine({
  toolFolders: [path.join(root, ".cache/tools/bin")],
  searchPath: process.env["PATH"] ?? "",
  envoy: process.env["WEIR_ENVOY"] || path.join(root, ".cache/envoy/1.40.0/envoy"),
  envoyVersion: "1.40.0",
  listen: (settings.ok ? settings.value.listen : parseListen("127.0.0.1:8080")) ?? { address: "127.0.0.1", port: 8080 },
  gatewayRuns: status?.proxies.gateway.pid !== undefined,
});
process.stdout.write(JSON.stringify(facts));
