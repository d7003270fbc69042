/** The text of the networks; test/system runs it and tries to break out. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { addNetworksScript, deviceName, nodeAddress, nodeNetworkScript, removeNetworksScript, type WorkloadNetworkPlan, workloadRules } from "./network.ts";
import { runProgram } from "./shell.ts";
import { findTools, type Tools } from "./tools.ts";

const names = ["hostname", "ip", "mkfifo", "mount", "nft", "nsenter", "setpriv", "sh", "tini", "umount", "unshare"] as const;
const tools = Object.fromEntries(names.map((name) => [name, `/tools/${name}`])) as Tools;

function planAt(address: string): WorkloadNetworkPlan {
  return { address, pin: `/run/my state/ns/${address}`, device: deviceName(address), capturePort: 15_001 };
}

test("a device's name fits the kernel and is one address's alone", () => {
  const part = fc.integer({ min: 0, max: 255 });
  const addresses = fc.tuple(fc.integer({ min: 64, max: 127 }), part, part).map(([b, c, d]) => `100.${b}.${c}.${d}`);
  fc.assert(
    fc.property(addresses, addresses, (one, other) => {
      assert.match(deviceName(one), /^w[0-9a-f]{6}$/);
      assert.equal(deviceName(one) === deviceName(other), one === other);
    }),
  );
  assert.equal(deviceName("100.64.0.2"), "w400002");
});

test("every word that could have a space is quoted, and every script is one a shell takes", async () => {
  const plans = [planAt("100.64.0.2"), planAt("100.64.1.255")];
  for (const script of [nodeNetworkScript(tools), addNetworksScript(tools, plans), removeNetworksScript(tools, plans), addNetworksScript(tools, [])]) {
    const checked = await runProgram(["sh", "-n"], { input: script, timeoutMs: 5_000 });
    assert.equal(checked.code, 0, `${checked.output}\n${script}`);
    for (const line of script.split("\n").filter((one) => one.includes("my state") && !one.startsWith("link "))) assert.match(line, /'[^']*my state[^']*'/);
  }
});

test("each workload's network is made and taken away by its own names", () => {
  const plans = [planAt("100.64.0.2"), planAt("100.64.0.3")];
  const [added, removed] = [addNetworksScript(tools, plans), removeNetworksScript(tools, plans)];
  for (const { address, device, pin } of plans) {
    assert.ok(added.includes(`link add ${device} type veth peer name eth0 netns ${pin}`));
    assert.ok(added.includes(`route add ${address}/32 dev ${device} src ${nodeAddress}`));
    assert.ok(added.includes(`addr add ${address}/32 dev eth0`));
    assert.ok(removed.includes(`/tools/ip link del ${device}`));
    assert.ok(removed.includes(`rm -f '${pin}'`));
  }
  const lines = removed.trim().split("\n");
  assert.ok(
    lines.every((line) => line.endsWith("|| true") || line.startsWith("rm -f ")),
    "what is not there is no failure",
  );
});

test("the node forwards nothing, and lets in only DNS and answers", () => {
  const script = nodeNetworkScript(tools);
  assert.match(script, /echo 0 > \/proc\/sys\/net\/ipv4\/ip_forward/);
  assert.match(script, /hook forward priority 0; policy drop/);
  const chain = script.slice(script.indexOf("chain workload"), script.indexOf("chain forwarding"));
  const accepted = chain.split("\n").filter((line) => line.endsWith("accept"));
  assert.deepEqual(
    accepted.map((line) => line.trim()),
    [`ip daddr ${nodeAddress} udp dport 53 accept`, `ip daddr ${nodeAddress} tcp dport 53 accept`, "meta l4proto tcp tcp flags & (syn | ack) != syn accept"],
  );
  assert.match(chain, /drop\n {2}}\n/, "the rest ends here");
});

test("the kernel takes the rules of a workload", async (t) => {
  const { found } = findTools([path.resolve(import.meta.dirname, "../../.cache/tools/bin")], process.env["PATH"] ?? "");
  if (found.nft === undefined) return t.skip("no nft here");
  const nft = `${found.nft} -f - <<'END'\n${workloadRules("100.64.0.2", 15_001)}\nEND\n${found.nft} list ruleset`;
  const listed = await runProgram([found.unshare ?? "", "-U", "-r", "-n", "sh", "-e"], { input: nft, timeoutMs: 10_000 });
  assert.equal(listed.code, 0, listed.output);
  assert.match(listed.output, /dnat ip to 100\.64\.0\.2:15001/);
  assert.match(listed.output, /ip6 daddr ::1 accept\s+reject\s+\}/);
});
