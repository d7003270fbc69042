import { closeSync, existsSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import pino from "pino";
import type { Log, LogFields } from "../lib/log.ts";

const fileBytes = 10_000_000;
const files = 3;

/** A log in `file` (mode 0600), one JSON line a record, written at once; three files of 10 MB at most. */
export function openDaemonLog(file: string): Log {
  const logger = pino({ base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, level: process.env["WEIR_LOG_LEVEL"] ?? "info" }, rotating(file));
  const write = (level: "debug" | "info" | "warn" | "error", message: string, fields: LogFields | undefined): void => {
    try {
      logger[level](fields ?? {}, message);
    } catch {
      // A full disk must not end the daemon.
    }
  };
  return {
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
  };
}

function rotating(file: string): { write(text: string): void } {
  let descriptor = openSync(file, "a", 0o600);
  let size = statSync(file).size;
  return {
    write(text) {
      if (size + text.length > fileBytes) {
        closeSync(descriptor);
        for (let n = files - 1; n > 0; n -= 1) {
          const from = n === 1 ? file : `${file}.${n - 1}`;
          if (existsSync(from)) renameSync(from, `${file}.${n}`);
        }
        descriptor = openSync(file, "a", 0o600);
        size = 0;
      }
      size += writeSync(descriptor, text);
    },
  };
}
