import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { runProgram } from "../../dataplane/shell.ts";
import { bridgeRules, noBridgeRules, nodeRules, noNodeRules } from "./node-rules.ts";
import { captureRules, drainRules, noRules, notServing, quietRules, readSockets, serving } from "./pod-rules.ts";

const nft = path.resolve(import.meta.dirname, "../../../.cache/tools/bin/nft");

test("the rules of a captured pod", () => {
  const rules = captureRules({ address: "10.1.0.2", probePorts: [9000, 80, 80], mode: "strict" });
  assert.match(rules, /^table inet weir\ndelete table inet weir\n/, "replaces what is there, in one transaction");
  assert.match(rules, /ip saddr 169\.254\.7\.2 tcp dport \{ 80, 9000 \} return/);
  assert.ok(!captureRules({ address: "10.1.0.2", probePorts: [], mode: "strict" }).includes("169.254.7.2"));
  const translating = rules.split("\n").filter((line) => /dnat ip|redirect/.test(line));
  assert.equal(translating.length, 4);
  for (const line of translating) assert.match(line, /tcp flags & \(fin \| syn \| rst \| ack\) == syn/, "connections from before must not be touched");
});

test("while nobody serves a pod it sends as without a mesh; what it takes, only a permissive one does", () => {
  const translated = (mode: "strict" | "permissive", chain: string): readonly string[] => {
    const text = new RegExp(`chain ${chain} \\{[^}]*\\}`).exec(captureRules({ address: "10.1.0.2", probePorts: [], mode }))?.[0] ?? "";
    return text.split("\n").filter((line) => /dnat ip|redirect/.test(line));
  };
  for (const line of [...translated("strict", "outbound"), ...translated("permissive", "outbound"), ...translated("permissive", "inbound")])
    assert.match(line, /^ +meta l4proto @serving /);
  for (const line of translated("strict", "inbound")) assert.doesNotMatch(line, /serving/);
});

test("what is left while a pod drains keeps translating", () => {
  const rules = drainRules();
  assert.ok(!/dnat ip|redirect/.test(rules));
  assert.match(rules, /type nat hook output/);
  assert.match(rules, /type nat hook prerouting/);
  assert.match(rules, /ct status/);
});

test("new connections that nobody translates are not tracked: tracking ends before they do", () => {
  const loose = (rules: string): readonly string[] => rules.split("\n").filter((line) => line.endsWith(" notrack"));
  const captured = (mode: "strict" | "permissive"): string => captureRules({ address: "10.1.0.2", probePorts: [], mode });
  assert.deepEqual([loose(drainRules()).length, loose(captured("permissive")).length, loose(captured("strict")).length], [2, 2, 1]);
  for (const line of loose(captured("permissive"))) assert.match(line, /^ +meta l4proto != @serving /);
  assert.equal(loose(quietRules()).length, 2);
  assert.doesNotMatch(quietRules(), /\bct\b|type nat/, "nothing that needs connection tracking");
  for (const line of [...loose(drainRules()), ...loose(captured("strict"))])
    assert.match(line, /tcp dport != \{ 15001, 15006 \} notrack$/, "the guard of the capture ports asks the tracking");
});

test("the kernel takes all rules, one after the other, and nothing stays", async () => {
  const texts = [
    quietRules(),
    captureRules({ address: "10.1.0.2", probePorts: [80, 9000], mode: "permissive" }),
    captureRules({ address: "10.1.0.2", probePorts: [], mode: "strict" }),
    serving,
    notServing,
    serving,
    serving,
    drainRules(),
    quietRules(),
    noRules(),
    noRules(),
    nodeRules([]),
    nodeRules(["10.1.0.2", "10.1.0.3", "10.1.0.2"]),
    bridgeRules,
    noNodeRules,
    noBridgeRules,
  ];
  const script = texts.map((text) => `"$0" -f - <<'END'\n${text}END\n`).join("");
  const done = await runProgram(["unshare", "-U", "-r", "-n", "sh", "-ec", `${script}"$0" list ruleset`, nft], { timeoutMs: 10_000 });
  assert.equal(done.code, 0, done.output);
  assert.equal(done.output, "");
});

test("the capture ports in /proc/net/tcp", () => {
  const row = (port: string, state: string): string =>
    `   0: 0200010A:${port} 0100010A:D431 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1\n`;
  const six = `   0: 00000000000000000000000000000000:3A99 00000000000000000000000000000000:0000 0A 0\n`;
  assert.deepEqual(readSockets("  sl  local_address rem_address   st\n"), { listening: false, listeners: 0, open: 0 });
  assert.deepEqual(readSockets(row("3A99", "0A")), { listening: false, listeners: 1, open: 0 });
  assert.deepEqual(readSockets(row("3A9E", "0A") + six + row("3A99", "0A")), { listening: true, listeners: 2, open: 0 });
  assert.deepEqual(readSockets(row("3A99", "01") + row("3A9E", "08") + row("3A9E", "06") + row("1F90", "01")), { listening: false, listeners: 0, open: 2 });
});

test("the kernel forgets that somebody serves a pod when nobody says so any more", async () => {
  const texts = [captureRules({ address: "10.1.0.2", probePorts: [], mode: "strict" }), serving, serving];
  const script = texts.map((text) => `"$0" -f - <<'END'\n${text}END\n`).join("");
  const done = await runProgram(["unshare", "-U", "-r", "-n", "sh", "-ec", `${script}"$0" list set inet weir serving`, nft], { timeoutMs: 10_000 });
  assert.match(done.output, /tcp timeout 1m30s expires 1m2\d/, done.output);
});
