/** Reads the logs of workloads: the last lines, from a moment on, and what comes, of several at once. Works with nobody but the files. */
import { createReadStream, statSync, watch } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Clock } from "../lib/clock.ts";
import { defaultLogLimits, logFileName, type StreamLetter } from "./log-writer.ts";

export interface LogRecord {
  readonly at: number;
  readonly workload: string;
  readonly stream: "stdout" | "stderr" | "weir";
  readonly line: string;
}

export interface LogQuery {
  readonly logDir: string;
  readonly workloads: readonly string[];
  /** Only so many of the last lines of all together; absent: all. */
  readonly tail?: number;
  /** Only lines not older (milliseconds since the epoch). */
  readonly since?: number;
}

const streams: Readonly<Record<StreamLetter, LogRecord["stream"]>> = { o: "stdout", e: "stderr", w: "weir" };

/** The log file of a workload. */
export function logFile(logDir: string, workload: string): string {
  return path.join(logDir, `${workload}.log`);
}

/** Reads one line of a log; undefined for a line that was cut by a crash. */
export function parseLogLine(workload: string, text: string): LogRecord | undefined {
  try {
    const [at, letter, line] = JSON.parse(text) as [number, StreamLetter, string];
    const stream = streams[letter];
    return typeof at === "number" && typeof line === "string" && stream !== undefined ? { at, workload, stream, line } : undefined;
  } catch {
    return undefined;
  }
}

/** What was written so far, oldest first. */
export async function readLogs(query: LogQuery): Promise<readonly LogRecord[]> {
  return (await readWithEnds(query)).records;
}

/** What was written so far, then, until `signal` aborts, what comes. Follows rotation; workloads that do not exist yet may come later. */
export async function* followLogs(query: LogQuery, signal: AbortSignal, clock: Clock): AsyncGenerator<LogRecord, void, void> {
  const { records, ends } = await readWithEnds(query);
  yield* records;
  const positions = new Map(ends);
  let changed = true;
  let wake = (): void => undefined;
  const watcher = watch(query.logDir, () => {
    changed = true;
    wake();
  });
  watcher.on("error", () => undefined);
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  try {
    while (!signal.aborted) {
      if (!changed) {
        const woken = new AbortController();
        wake = () => woken.abort();
        // A change can slip between the look and the watch: look again every second whatever happens.
        await clock.sleep(1_000, woken.signal);
      }
      changed = false;
      for (const workload of query.workloads) yield* news(query.logDir, workload, positions);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    watcher.close();
  }
}

interface Position {
  readonly inode: number;
  readonly offset: number;
}

async function readWithEnds(query: LogQuery): Promise<{ readonly records: readonly LogRecord[]; readonly ends: ReadonlyMap<string, Position> }> {
  const ends = new Map<string, Position>();
  const all: LogRecord[] = [];
  for (const workload of query.workloads) {
    const { records, end } = await readOne(query, workload);
    if (end !== undefined) ends.set(workload, end);
    for (const record of records) all.push(record);
  }
  all.sort((a, b) => a.at - b.at);
  return { records: query.tail === undefined ? all : all.slice(Math.max(0, all.length - query.tail)), ends };
}

/** Newest file first, and no further back than the query needs. */
async function readOne(query: LogQuery, workload: string): Promise<{ readonly records: readonly LogRecord[]; readonly end: Position | undefined }> {
  const base = logFile(query.logDir, workload);
  const stat = statSync(base, { throwIfNoEntry: false });
  const end = stat === undefined ? undefined : { inode: stat.ino, offset: stat.size };
  let records: LogRecord[] = [];
  for (let n = 0; n < defaultLogLimits.files; n += 1) {
    if (query.tail !== undefined && records.length >= query.tail) break;
    const older = await readFileLines(logFileName(base, n), workload, n === 0 ? end?.offset : undefined);
    if (older === undefined) break;
    const { since } = query;
    const wanted = since === undefined ? older : older.filter((record) => record.at >= since);
    records = [...wanted, ...records];
    if (wanted.length < older.length) break;
  }
  return { records: query.tail === undefined ? records : records.slice(Math.max(0, records.length - query.tail)), end };
}

async function readFileLines(file: string, workload: string, size: number | undefined): Promise<readonly LogRecord[] | undefined> {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  if (size === 0) return [];
  const records: LogRecord[] = [];
  const lines = createInterface({ input: createReadStream(file, { encoding: "utf8", ...(size === undefined ? {} : { end: size - 1 }) }), crlfDelay: Infinity });
  for await (const line of lines) {
    const record = parseLogLine(workload, line);
    if (record !== undefined) records.push(record);
  }
  return records;
}

/** What was added since `positions`, which it moves on. */
async function* news(logDir: string, workload: string, positions: Map<string, Position>): AsyncGenerator<LogRecord, void, void> {
  const base = logFile(logDir, workload);
  const stat = statSync(base, { throwIfNoEntry: false });
  if (stat === undefined) return;
  const before = positions.get(workload);
  if (before !== undefined && before.inode !== stat.ino) {
    const rotated = logFileName(base, 1);
    if (statSync(rotated, { throwIfNoEntry: false })?.ino === before.inode) yield* readFrom(rotated, workload, before.offset, () => undefined);
  }
  const offset = before?.inode === stat.ino ? before.offset : 0;
  positions.set(workload, { inode: stat.ino, offset });
  yield* readFrom(base, workload, offset, (moved) => positions.set(workload, { inode: stat.ino, offset: moved }));
}

/** Whole lines from an offset on; `moved` learns where the next begin. */
async function* readFrom(file: string, workload: string, offset: number, moved: (offset: number) => void): AsyncGenerator<LogRecord, void, void> {
  const handle = await open(file, "r");
  try {
    const buffer = Buffer.alloc(262_144);
    for (let at = offset; ; ) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
      if (end === -1) return;
      at += end + 1;
      moved(at);
      for (const line of buffer.toString("utf8", 0, end).split("\n")) {
        const record = parseLogLine(workload, line);
        if (record !== undefined) yield record;
      }
    }
  } finally {
    await handle.close();
  }
}
