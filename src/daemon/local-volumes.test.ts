import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { VolumeQuery } from "../api/context.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import { findVolumes, removeVolumes } from "./local-volumes.ts";

const query = (app: string, version?: string): VolumeQuery => ({
  namespace: "shop" as Namespace,
  app: app as AppName,
  ...(version === undefined ? {} : { version: version as VersionName }),
});

test("volumes are found by their app and version, and by nobody else's", (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), "weir-volumes-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const folder of ["shop/db@v1/0/data", "shop/db@v1/1/data", "shop/db@v2/0/data", "shop/db-x@v1/0/data", "other/db@v1/0/data"])
    mkdirSync(path.join(dir, folder), { recursive: true });
  const names = (...queries: readonly VolumeQuery[]) => findVolumes(dir, queries).map(({ name }) => path.relative(dir, name));
  assert.deepEqual(names(query("db", "v1")), ["shop/db@v1/0/data", "shop/db@v1/1/data"]);
  assert.deepEqual(names(query("db")), ["shop/db@v1/0/data", "shop/db@v1/1/data", "shop/db@v2/0/data"]);
  assert.deepEqual(names(query("db"), query("db", "v1")).length, 3, "each once");
  assert.deepEqual(names(query("none")), []);
  assert.deepEqual(findVolumes(path.join(dir, "nowhere"), [query("db")]), []);
  removeVolumes(findVolumes(dir, [query("db", "v1")]));
  assert.equal(existsSync(path.join(dir, "shop/db@v1")), false);
  assert.deepEqual(names(query("db"), query("db-x")), ["shop/db@v2/0/data", "shop/db-x@v1/0/data"]);
});
