import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../lib/clock.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import { type Declared, type DeclaredSnapshot, type Kind, kinds, type LocalStore } from "../model/declared.ts";
import { valueSchemas } from "../model/declared-schemas.ts";
import type { Commit } from "./commit.ts";
import { MemoryStore } from "./memory-store.ts";
import { migrate } from "./migrations.ts";

/** Layout of the values in the rows. A row with another number needs a migration. */
const valueSchemaVersion = 1;

export interface SqliteStore extends LocalStore {
  close(): void;
}

/**
 * Opens (or creates, mode 0600) the database `file`. Commits are on disk when they return (WAL, synchronous=FULL).
 * The file stays locked while it is open: a second opener gets `store-locked`, and the kernel lets go of the lock when the process dies.
 * Problems: `store-locked`, `store-corrupt`, `store-newer`, `store-unreadable`. A file that cannot be read is never replaced.
 */
export function openSqliteStore(file: string, clock: Pick<Clock, "now">): Result<SqliteStore> {
  let database: DatabaseSync | undefined;
  try {
    closeSync(openSync(file, "a", 0o600));
    chmodSync(file, 0o600);
    database = new DatabaseSync(file, { timeout: 1000 });
    const snapshot = prepare(database, file);
    if (snapshot.ok) return ok(wrap(database, snapshot.value, clock));
    database.close();
    return snapshot;
  } catch (error) {
    database?.close();
    return failed(openProblem(file, error));
  }
}

function prepare(database: DatabaseSync, file: string): Result<DeclaredSnapshot> {
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  const check = database.prepare("PRAGMA quick_check(1)").get();
  const verdict = String(check?.["quick_check"]);
  if (verdict !== "ok") return failed(corrupt(file, verdict));
  const migrated = migrate(database, file);
  return migrated.ok ? read(database, file) : migrated;
}

function openProblem(file: string, error: unknown): Problem {
  const { errcode, message } = error as { errcode?: number; message: string };
  const primary = (errcode ?? 0) & 0xff;
  if (primary === 5 || primary === 6) {
    return { code: "store-locked", message: `${file} is in use by another daemon`, hint: "one state folder has one daemon; `weir system status` shows it" };
  }
  if (primary === 11 || primary === 26) return corrupt(file, message);
  return { code: "store-unreadable", message: `cannot open ${file}: ${message}`, hint: "check the folder's owner, permissions and free space" };
}

function corrupt(file: string, why: string): Problem {
  return {
    code: "store-corrupt",
    message: `${file} is damaged: ${why}`,
    hint: "nothing was changed; put back a copy of it, or move it away to start with nothing declared",
  };
}

interface Row {
  readonly kind: string;
  readonly key: string;
  readonly stack: string | null;
  readonly generation: number;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly schema: number;
  readonly value: string;
}

/** Reads and checks every row. */
function read(database: DatabaseSync, file: string): Result<DeclaredSnapshot> {
  const objects = Object.fromEntries(kinds.map((kind) => [kind, new Map<string, Declared>()])) as Record<Kind, Map<string, Declared>>;
  const problems: Problem[] = [];
  for (const row of database.prepare("SELECT * FROM objects ORDER BY kind, key").all() as unknown as Iterable<Row>) {
    const object = parseRow(row);
    if (typeof object === "string") problems.push(corrupt(file, `${row.kind} ${row.key}: ${object}`));
    else objects[object.kind].set(object.key, object);
  }
  const version = database.prepare("SELECT version FROM state").get()?.["version"];
  if (typeof version !== "number") problems.push(corrupt(file, "the version is missing"));
  if (problems.length > 0 || typeof version !== "number") return { ok: false, problems };
  return ok({ version, objects: objects as unknown as DeclaredSnapshot["objects"] });
}

/** One row as an object, or why it is none. Never shows the value: it may be a secret's. */
function parseRow(row: Row): Declared | string {
  const kind = kinds.find((known) => known === row.kind);
  if (kind === undefined) return "of a kind this Weir does not know";
  if (row.schema !== valueSchemaVersion) return `written in layout ${row.schema}, this Weir reads ${valueSchemaVersion}`;
  let raw: unknown;
  try {
    raw = JSON.parse(row.value);
  } catch {
    return "is not JSON";
  }
  const value = valueSchemas[kind].safeParse(raw);
  if (!value.success) return `does not fit: ${value.error.issues.map((issue) => `${issue.path.join(".")} (${issue.code})`).join(", ")}`;
  return {
    kind,
    key: row.key,
    ...(row.stack === null ? {} : { stack: row.stack }),
    generation: row.generation,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    value: value.data,
  };
}

function wrap(database: DatabaseSync, start: DeclaredSnapshot, clock: Pick<Clock, "now">): SqliteStore {
  const put = database.prepare(
    "INSERT INTO objects (kind, key, stack, generation, version, created_at, updated_at, schema, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) " +
      "ON CONFLICT (kind, key) DO UPDATE SET stack = excluded.stack, generation = excluded.generation, version = excluded.version, " +
      "created_at = excluded.created_at, updated_at = excluded.updated_at, schema = excluded.schema, value = excluded.value",
  );
  const remove = database.prepare("DELETE FROM objects WHERE kind = ? AND key = ?");
  const setVersion = database.prepare("UPDATE state SET version = ?");
  const persist = (commit: Commit): void => {
    database.exec("BEGIN IMMEDIATE");
    try {
      for (const { kind, key, object } of commit.changes) {
        if (object === undefined) remove.run(kind, key);
        else
          put.run(
            kind,
            key,
            object.stack ?? null,
            object.generation,
            object.version,
            object.createdAt,
            object.updatedAt,
            valueSchemaVersion,
            JSON.stringify(object.value),
          );
      }
      setVersion.run(commit.snapshot.version);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  };
  const memory = new MemoryStore(clock, start, persist);
  return {
    snapshot: memory.snapshot,
    commit: (writes) => memory.commit(writes),
    commitNow: (writes) => memory.commitNow(writes),
    watch: (from, signal) => memory.watch(from, signal),
    close: () => database.close(),
  };
}
