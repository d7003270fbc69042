/** One suite for every store; then what only a database can do wrong. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { suite, type TestContext, test } from "node:test";
import type { DeclaredBatch, DeclaredStore, Write } from "../model/declared.ts";
import type { Namespace } from "../model/names.ts";
import type { Config } from "../model/types.ts";
import { ChangeLog } from "./change-log.ts";
import { MemoryStore } from "./memory-store.ts";
import { openSqliteStore, type SqliteStore } from "./sqlite-store.ts";

const clock = { now: () => 1000 };

function config(name: string, value: string): Config {
  return { namespace: "default" as Namespace, name, data: { key: value } };
}
function put(name: string, value = "1", extra: { stack?: string; expected?: number } = {}): Write {
  return { op: "put", kind: "config", key: `default/${name}`, value: config(name, value), ...extra };
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-store-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
function open(file: string): SqliteStore {
  const store = openSqliteStore(file, clock);
  assert.ok(store.ok, JSON.stringify(store));
  return store.value;
}

function describeStore(name: string, make: (t: TestContext) => DeclaredStore): void {
  suite(name, () => {
    test("puts, replaces and deletes with one growing version", async (t) => {
      const store = make(t);
      assert.ok((await store.commit([put("a"), put("b", "1", { stack: "shop" })])).ok);
      assert.ok((await store.commit([put("a", "2")])).ok);
      const { version, objects } = store.snapshot.get();
      const a = objects.config.get("default/a");
      assert.deepEqual([version, a?.version, a?.generation, a?.value.data["key"], a?.createdAt], [2, 2, 2, "2", 1000]);
      assert.equal(objects.config.get("default/b")?.stack, "shop");
      assert.ok((await store.commit([{ op: "delete", kind: "config", key: "default/a" }])).ok);
      assert.deepEqual([...store.snapshot.get().objects.config.keys()], ["default/b"]);
      assert.equal(store.snapshot.get().version, 3);
    });

    test("a commit is all or nothing and names every conflict", async (t) => {
      const store = make(t);
      await store.commit([put("a")]);
      const before = store.snapshot.get();
      const result = await store.commit([
        put("new"),
        put("a", "2", { expected: 7 }),
        put("a", "3", { expected: 0 }),
        { op: "delete", kind: "config", key: "default/none" },
      ]);
      assert.ok(!result.ok);
      assert.deepEqual(
        result.problems.map((problem) => problem.code),
        ["conflict", "conflict", "not-found"],
      );
      assert.equal(store.snapshot.get(), before);
      assert.ok((await store.commit([put("a", "2", { expected: 1 })])).ok);
    });

    test("what did not change is the identical object, and an equal put is silent", async (t) => {
      const store = make(t);
      await store.commit([put("a"), put("b")]);
      const before = store.snapshot.get();
      await store.commit([put("a")]);
      assert.equal(store.snapshot.get(), before);
      await store.commit([put("b", "2")]);
      const after = store.snapshot.get();
      assert.equal(after.objects.config.get("default/a"), before.objects.config.get("default/a"));
      assert.equal(after.objects.service, before.objects.service);
    });

    test("a new owner is a new version, not a new generation", async (t) => {
      const store = make(t);
      await store.commit([put("a")]);
      await store.commit([put("a", "1", { stack: "shop" })]);
      const a = store.snapshot.get().objects.config.get("default/a");
      assert.deepEqual([a?.stack, a?.generation, a?.version], ["shop", 1, 2]);
    });

    test("a watch has no gaps, late and live", { timeout: 5000 }, async (t) => {
      const store = make(t);
      for (let i = 0; i < 50; i += 1) await store.commit([put("a", String(i))]);
      const stop = new AbortController();
      const seen: number[] = [];
      const watching = (async () => {
        for await (const batch of store.watch(10, stop.signal)) {
          seen.push(batch.version);
          if (batch.version === 50) await store.commit([put("b"), put("c")]);
          if (batch.version === 51) stop.abort();
        }
      })();
      await watching;
      assert.deepEqual(
        seen,
        Array.from({ length: 41 }, (_, i) => i + 11),
      );
    });

    test("a watch from an unknown version says so", async (t) => {
      const store = make(t);
      await store.commit([put("a")]);
      const stop = new AbortController();
      const first = await store.watch(99, stop.signal).next();
      assert.deepEqual(first.value, { kind: "expired", version: 1 } satisfies DeclaredBatch);
    });
  });
}

describeStore("memory", () => new MemoryStore(clock));
describeStore("sqlite", (t) => {
  const store = open(path.join(folder(t), "weir.db"));
  t.after(() => store.close());
  return store;
});

test("a commit that need not wait does the same", () => {
  const store = new MemoryStore(clock);
  const result = store.commitNow([put("a")]);
  assert.ok(result.ok);
  assert.equal(result.value, store.snapshot.get());
  assert.equal(store.commitNow([put("a", "2", { expected: 7 })]).ok, false);
});

test("the change log forgets old commits, and tells", async () => {
  const log = new ChangeLog(0, 2);
  const snapshot = (version: number) => ({ ...new MemoryStore(clock).snapshot.get(), version });
  for (let version = 1; version <= 5; version += 1) log.append({ snapshot: snapshot(version), changes: [] });
  const stop = AbortSignal.timeout(1000);
  assert.equal((await log.watch(1, stop).next()).value?.kind, "expired");
  const next = await log.watch(2, stop).next();
  assert.deepEqual([next.value?.kind, next.value?.version], ["changes", 3]);
});

test("a database keeps everything over a close, with mode 0600", (t) => {
  const file = path.join(folder(t), "weir.db");
  const first = open(file);
  first.commitNow([put("a", "1", { stack: "shop" })]);
  first.commitNow([put("b")]);
  first.commitNow([{ op: "delete", kind: "config", key: "default/b" }]);
  for (const suffix of ["", "-wal"]) assert.equal(statSync(file + suffix).mode & 0o777, 0o600, suffix);
  const before = first.snapshot.get();
  first.close();
  const second = open(file);
  t.after(() => second.close());
  assert.deepEqual(second.snapshot.get(), before);
  assert.equal(second.snapshot.get().version, 3, "versions do not start again");
});

test("one file has one daemon", (t) => {
  const file = path.join(folder(t), "weir.db");
  const store = open(file);
  t.after(() => store.close());
  const second = openSqliteStore(file, clock);
  assert.ok(!second.ok);
  assert.equal(second.problems[0]?.code, "store-locked");
});

test("a damaged file is an error and stays as it is", (t) => {
  const file = path.join(folder(t), "weir.db");
  writeFileSync(file, "this is no database, but it is somebody's only copy of something".repeat(40));
  const before = readFileSync(file);
  const result = openSqliteStore(file, clock);
  assert.ok(!result.ok);
  assert.equal(result.problems[0]?.code, "store-corrupt");
  assert.deepEqual(readFileSync(file), before);
});

test("a row that does not fit is an error without its content", async (t) => {
  const file = path.join(folder(t), "weir.db");
  const store = open(file);
  store.commitNow([{ op: "put", kind: "secret", key: "default/s", value: config("s", "hunter2") }]);
  store.close();
  const { DatabaseSync } = await import("node:sqlite");
  const raw = new DatabaseSync(file);
  raw.exec(`UPDATE objects SET value = '{"namespace":"default","name":"s","data":{"key":["hunter2"]}}'`);
  raw.close();
  const result = openSqliteStore(file, clock);
  assert.ok(!result.ok);
  assert.equal(result.problems[0]?.code, "store-corrupt");
  assert.match(result.problems[0]?.message ?? "", /secret default\/s.*data\.key/);
  assert.doesNotMatch(JSON.stringify(result), /hunter2/);
});

test("a newer Weir's file is refused", async (t) => {
  const file = path.join(folder(t), "weir.db");
  open(file).close();
  const { DatabaseSync } = await import("node:sqlite");
  const raw = new DatabaseSync(file);
  raw.exec("INSERT INTO migrations VALUES (99, 'tomorrow')");
  raw.close();
  const result = openSqliteStore(file, clock);
  assert.ok(!result.ok && result.problems[0]?.code === "store-newer");
});
