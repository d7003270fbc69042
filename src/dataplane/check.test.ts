import assert from "node:assert/strict";
import { createServer } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { checkMachine } from "./check.ts";

const root = path.resolve(import.meta.dirname, "../..");
const options = {
  toolFolders: [path.join(root, ".cache/tools/bin")],
  searchPath: process.env["PATH"] ?? "",
  envoy: path.join(root, ".cache/envoy/1.40.0/envoy"),
  envoyVersion: "1.40.0",
  listen: { address: "127.0.0.1", port: 0 },
  gatewayRuns: false,
};

test("a machine that can do all says so, one fact a thing", async () => {
  const facts = await checkMachine(options);
  assert.deepEqual(
    facts.map((fact) => fact.name),
    ["programs", "user namespaces", "virtual networks", "capture rules", "sandbox", "Envoy", "gateway port"],
  );
  assert.deepEqual(
    facts.filter((fact) => !fact.ok),
    [],
  );
});

test("what is missing, wrong or taken comes with its fix", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const facts = await checkMachine({ ...options, envoy: "/nowhere/envoy", listen: { address: "127.0.0.1", port: address.port } });
  const bad = facts.filter((fact) => !fact.ok);
  assert.deepEqual(
    bad.map((fact) => fact.name),
    ["Envoy", "gateway port"],
  );
  assert.ok(bad.every((fact) => fact.fix !== undefined));
  assert.match(bad[1]?.detail ?? "", /another program listens there/);
  const other = await checkMachine({ ...options, envoyVersion: "9.9.9" });
  assert.match(other.find((fact) => fact.name === "Envoy")?.detail ?? "", /9\.9\.9 is wanted/);
});
