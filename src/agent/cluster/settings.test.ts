import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { readClusterSettings, xdsAddress } from "./settings.ts";

const here = import.meta.dirname;

test("flags win over variables, variables over what is the same everywhere", () => {
  const settings = readClusterSettings(
    ["--node", "one", "--on-exit", "release"],
    { WEIR_ON_EXIT: "keep", WEIR_CONTROL: "unix:/run/c.sock", NODE_NAME: "two" },
    here,
  );
  assert.equal(settings.node, "one");
  assert.equal(settings.onExit, "release");
  assert.deepEqual(settings.control, { kind: "socket", path: "/run/c.sock" });
  assert.equal(settings.proc, "/proc");
  assert.equal(settings.envoy, path.resolve(here, "../../../.cache/envoy/1.40.0/envoy"));
});

test("a control plane on the network is known by its identity", () => {
  const env = { NODE_NAME: "two", WEIR_CONTROL: "weir.weir-system:15012", WEIR_TRUST_DOMAIN: "example.com" };
  const settings = readClusterSettings([], env, here);
  assert.deepEqual(xdsAddress(settings, "/run/sds.sock"), {
    kind: "mtls",
    host: "weir.weir-system",
    port: 15_012,
    ownIdentity: "spiffe://example.com/node/two",
    serverIdentity: "spiffe://example.com/ns/weir-system/sa/weir-control",
    trustDomain: "spiffe://example.com",
    sdsSocket: "/run/sds.sock",
  });
  assert.throws(() => readClusterSettings([], { ...env, WEIR_TRUST_DOMAIN: "A b" }, here), /trust-domain/);
});

for (const args of [
  ["--control", "unix:/x"],
  ["--node", "a b"],
  ["--node", "a", "--on-exit", "maybe"],
  ["--node", "a"],
  ["--nonsense"],
  ["--node", "a", "--control", "unix:/x", "--concurrency", "0"],
])
  test(`refused: ${args.join(" ")}`, () => assert.throws(() => readClusterSettings(args, {}, here), /usage: cluster-agent/));
