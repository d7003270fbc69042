/** The log of agent and node: one JSON line a record on stdout, which the starter turned to a file. */
import { writeSync } from "node:fs";
import type { Log, LogFields } from "../lib/log.ts";

/** A log whose records carry `name`. Writes at once: what was said before a crash is there. */
export function fileLog(name: string): Log {
  const write = (level: string, message: string, fields: LogFields | undefined): void => {
    try {
      writeSync(1, `${JSON.stringify({ at: new Date().toISOString(), level, name, message, ...fields })}\n`);
    } catch {
      // A full disk must not end the workloads.
    }
  };
  return {
    debug: () => undefined,
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}
