import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { envoyBootstrap } from "./bootstrap.ts";
import { runProgram } from "./shell.ts";

const envoy = path.resolve(import.meta.dirname, "../../.cache/envoy/1.40.0/envoy");

test("Envoy takes the bootstrap", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-bootstrap-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const bootstrap = envoyBootstrap({
    nodeId: "node",
    xds: { kind: "socket", path: `${folder}/xds.sock` },
    adminSocket: `${folder}/admin.sock`,
    maxHeapBytes: 1 << 30,
    maxDownstreamConnections: 1_000,
  });
  const file = path.join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  const result = await runProgram([envoy, "--mode", "validate", "-c", file, "-l", "error"], { timeoutMs: 20_000 });
  assert.equal(result.code, 0, result.output);
  writeFileSync(file, JSON.stringify({ ...bootstrap, nonsense: 1 }));
  assert.notEqual((await runProgram([envoy, "--mode", "validate", "-c", file, "-l", "error"], { timeoutMs: 20_000 })).code, 0, "and not just anything");
});

test("Envoy takes the bootstrap of a node whose control plane is reached by mTLS", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-bootstrap-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const host of ["weir.weir-system.svc", "10.0.0.1"]) {
    const bootstrap = envoyBootstrap({
      nodeId: "node/one",
      xds: {
        kind: "mtls",
        host,
        port: 15_012,
        ownIdentity: "spiffe://example.com/node/one",
        serverIdentity: "spiffe://example.com/ns/weir-system/sa/weir-control",
        trustDomain: "spiffe://example.com",
        sdsSocket: `${folder}/sds.sock`,
      },
      adminSocket: `${folder}/admin.sock`,
      maxHeapBytes: 1 << 30,
      maxDownstreamConnections: 1_000,
    });
    const file = path.join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify(bootstrap));
    const result = await runProgram([envoy, "--mode", "validate", "-c", file, "-l", "error"], { timeoutMs: 20_000 });
    assert.equal(result.code, 0, result.output);
  }
});
