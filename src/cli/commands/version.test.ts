import assert from "node:assert/strict";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import { systemView } from "../../../test/support/views.ts";
import { version } from "../version.ts";

const daemon = await startCannedDaemon();

test("the versions of what runs, and of this program alone when nothing does", async () => {
  daemon.answers = { "GET /v1/system": { json: systemView({ version: "0.0.9" }) } };
  assert.equal((await daemon.weir(["version"])).stdout, `weir    ${version}\nnode    ${process.versions.node}\ndaemon  0.0.9\nenvoy   1.40.0\n`);
  const alone = await daemon.weir(["version", "-o", "json"], { env: { WEIR_HOME: `${daemon.home}/none` } });
  assert.deepEqual(
    { ...alone, stdout: JSON.parse(alone.stdout) as unknown },
    { code: 0, signal: null, stderr: "", stdout: { weir: version, node: process.versions.node } },
  );
});
