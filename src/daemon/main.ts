/** The daemon process: reads settings, starts, ends when it is told to. `kill -9` loses nothing: see docs/architecture.md. */
import path from "node:path";
import { realClock } from "../agent/real-clock.ts";
import type { Problem } from "../lib/problem.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { startDaemon, storeFile } from "./daemon.ts";
import { openDaemonLog } from "./daemon-log.ts";
import { readSettings, rememberListen } from "./settings.ts";
import { secureFolders } from "./state-dir.ts";

function giveUp(problems: readonly Problem[]): never {
  for (const { code, message, hint } of problems) process.stderr.write(`${code}: ${message}${hint === undefined ? "" : `\n  ${hint}`}\n`);
  process.exit(1);
}

process.umask(0o077);
const settings = readSettings(process.argv.slice(2), process.env, import.meta.dirname);
if (!settings.ok) giveUp(settings.problems);
const { paths } = settings.value;
const folders = secureFolders([paths.stateDir, paths.runDir, paths.logDir]);
if (!folders.ok) giveUp(folders.problems);
rememberListen(settings.value);
const store = openSqliteStore(storeFile(paths.stateDir), realClock);
if (!store.ok) giveUp(store.problems);
const log = openDaemonLog(path.join(paths.logDir, "daemon.log"));
process.on("uncaughtException", (error) => log.error("unexpected", { error: error.stack }));
process.on("unhandledRejection", (error) => log.error("unexpected", { error: error instanceof Error ? error.stack : String(error) }));
const daemon = await startDaemon(settings.value, store.value, log);
if (!daemon.ok) giveUp(daemon.problems);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, daemon.value.stop);
await daemon.value.ended;
process.exit(0);
