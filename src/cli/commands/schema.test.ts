import assert from "node:assert/strict";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";

const daemon = await startCannedDaemon();

test("the schema is JSON, names every section, allows no other, and needs no daemon", async () => {
  const { code, stdout } = await daemon.weir(["schema"]);
  assert.equal(code, 0);
  const schema = JSON.parse(stdout) as { readonly $schema: string; readonly properties: object; readonly additionalProperties: unknown };
  assert.match(schema.$schema, /2020-12/);
  assert.deepEqual(Object.keys(schema.properties).sort(), [
    "configs",
    "externalServices",
    "jobs",
    "namespace",
    "namespaces",
    "routers",
    "secrets",
    "services",
    "stack",
    "weir",
  ]);
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(daemon.requests, []);
});
