/** Writes what workloads say: one JSON line each, `[milliseconds since the epoch, "o" | "e" | "w", text]`; files of limited size and number. */
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

/** `o` stdout, `e` stderr, `w` Weir's own remarks about the workload. */
export type StreamLetter = "o" | "e" | "w";

export interface LogLimits {
  readonly fileBytes: number;
  /** Files kept, the one being written included. */
  readonly files: number;
}

export const defaultLogLimits: LogLimits = { fileBytes: 10_000_000, files: 5 };

/** A longer line is cut into several. */
const longestLine = 32_768;

/** Name of the `n`th file of a workload's log: 0 is the one being written. */
export function logFileName(base: string, n: number): string {
  return n === 0 ? base : `${base}.${n}`;
}

/** Appends lines to one log and rotates it. Synchronous: what is written survives the death of this process. */
export class LogWriter {
  readonly #base: string;
  readonly #limits: LogLimits;
  #file: number;
  #size: number;

  constructor(base: string, limits: LogLimits = defaultLogLimits) {
    this.#base = base;
    this.#limits = limits;
    this.#file = openSync(base, "a", 0o600);
    this.#size = statSync(base).size;
  }

  write(stream: StreamLetter, lines: readonly string[], at: number): void {
    if (lines.length === 0) return;
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify([at, stream, line])}\n`).join(""));
    if (this.#size > 0 && this.#size + bytes.length > this.#limits.fileBytes) this.#rotate();
    writeSync(this.#file, bytes);
    this.#size += bytes.length;
  }

  close(): void {
    closeSync(this.#file);
  }

  #rotate(): void {
    closeSync(this.#file);
    rmSync(logFileName(this.#base, this.#limits.files - 1), { force: true });
    for (let n = this.#limits.files - 2; n >= 0; n -= 1) {
      const from = logFileName(this.#base, n);
      if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, logFileName(this.#base, n + 1));
    }
    this.#file = openSync(this.#base, "a", 0o600);
    this.#size = 0;
  }
}

/** Cuts a stream of bytes into lines; the last one, without its end, waits for `flush`. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  push(piece: Buffer): readonly string[] {
    const parts = (this.#rest + this.#decoder.write(piece)).split("\n");
    this.#rest = parts.pop() ?? "";
    const lines = parts.flatMap((line) => cut(line.endsWith("\r") ? line.slice(0, -1) : line));
    while (this.#rest.length > longestLine) {
      lines.push(this.#rest.slice(0, longestLine));
      this.#rest = this.#rest.slice(longestLine);
    }
    return lines;
  }

  flush(): readonly string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    return rest === "" ? [] : cut(rest);
  }
}

function cut(line: string): readonly string[] {
  if (line.length <= longestLine) return [line];
  return Array.from({ length: Math.ceil(line.length / longestLine) }, (_, at) => line.slice(at * longestLine, (at + 1) * longestLine));
}
