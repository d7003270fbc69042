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

test("a control plane on the network must have a name to prove", () => {
  const env = { NODE_NAME: "two", WEIR_CONTROL: "weir.weir-system:15012" };
  assert.throws(() => readClusterSettings([], env, here), /control-identity/);
  const { control } = readClusterSettings([], { ...env, WEIR_CONTROL_IDENTITY: "spiffe://x/control" }, here);
  assert.deepEqual(xdsAddress(control, "/run/sds.sock"), {
    kind: "mtls",
    host: "weir.weir-system",
    port: 15_012,
    serverIdentity: "spiffe://x/control",
    sdsSocket: "/run/sds.sock",
  });
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
