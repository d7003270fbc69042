import type { DatabaseSync } from "node:sqlite";
import { failed, ok, type Result } from "../lib/problem.ts";

/** Applied in this order, each in its own transaction, each once. Never change one that was released: add another. */
const migrations: readonly string[] = [
  `CREATE TABLE objects (
     kind TEXT NOT NULL,
     key TEXT NOT NULL,
     stack TEXT,
     generation INTEGER NOT NULL,
     version INTEGER NOT NULL,
     created_at INTEGER NOT NULL,
     updated_at INTEGER NOT NULL,
     schema INTEGER NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (kind, key)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE state (version INTEGER NOT NULL) STRICT;
   INSERT INTO state VALUES (0);`,
];

/** Brings the tables of `database` up to date. Problem: `store-newer`, when a newer Weir wrote it. */
export function migrate(database: DatabaseSync, file: string): Result<null> {
  database.exec("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT");
  const done = Number(database.prepare("SELECT coalesce(max(number), 0) AS number FROM migrations").get()?.["number"]);
  if (done > migrations.length) {
    return failed({
      code: "store-newer",
      message: `${file} was written by a newer Weir`,
      hint: "use that version, or move the file away to start with nothing declared",
    });
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < done) continue;
    database.exec(`BEGIN IMMEDIATE; ${sql} INSERT INTO migrations VALUES (${index + 1}, datetime('now')); COMMIT`);
  }
  return ok(null);
}
