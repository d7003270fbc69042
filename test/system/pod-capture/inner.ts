/** The scenarios of `pod-capture.test.ts`, inside namespaces of their own. One lab for all of them: each begins where the one before ended. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { nodeSource, probeSource } from "../../../src/agent/cluster/contract.ts";
import { Agents } from "./agents.ts";
import { Control } from "./control.ts";
import { Lab, type PodName, pods } from "./lab.ts";

const lab = new Lab(process.env["LAB_FOLDER"] ?? "");
const control = new Control(lab);
const agents = new Agents(lab, control);

before(async () => {
  await lab.start();
  await control.listen();
  for (const node of ["a", "b"]) agents.start(node, "release");
});

after(async () => {
  await Promise.all(["a", "b", "next"].map((name) => agents.stop(name)));
  await control.close();
  lab.stop();
});

const reach = async (from: string, to: PodName, port = 8080, source?: string) => lab.ask(from, pods[to].address, port, source);

test("the pods reach each other before anything is captured", async () => {
  for (const [from, to] of [
    ["a1", "a2"],
    ["a1", "b1"],
    ["b1", "a3"],
    ["b2", "b1"],
    ["outside", "b1"],
  ] as const)
    assert.equal((await reach(from, to)).body?.pod, to, `${from} → ${to}`);
});

test("joining loses no new connection and leaves the old ones alone", { timeout: 60_000 }, async (t) => {
  const early = await lab.talk("a1", pods.b1.address);
  const loads = [lab.load("a1", pods.b1.address, 3), lab.load("outside", pods.a1.address, 3), lab.load("a2", pods.a1.address, 3)];
  await sleep(500);
  for (const name of ["a1", "b1", "a2", "a3"] as const) await control.join(name);
  for (const result of await Promise.all(loads)) {
    t.diagnostic(`${result.ok} new connections, ${result.failed} failed, slowest ${result.max} ms`);
    assert.equal(result.failed, 0, result.failures.join("\n"));
  }
  const { sent, heard, error } = await early.end();
  t.diagnostic(`a connection from before: ${heard} of ${sent} words`);
  assert.equal(error, undefined);
  assert.equal(heard, sent);
});

test("out through one Envoy and in through the other: the server sees the node proxy, whatever the layout", async () => {
  for (const [from, to] of [
    ["a1", "b1"],
    ["b1", "a1"],
    ["b1", "a3"],
    ["a2", "a3"],
    ["a1", "a2"],
  ] as const)
    assert.deepEqual((await reach(from, to)).body, { pod: to, from: nodeSource, at: pods[to].address }, `${from} → ${to}`);
  // Not in the mesh: from the node's own address.
  assert.equal((await reach("a1", "b2")).body?.from, "192.168.50.1");
});

test("a strict pod refuses plaintext and takes mTLS; a permissive one takes both", { timeout: 60_000 }, async () => {
  assert.equal((await reach("outside", "b1")).body?.from, nodeSource);
  await control.mode("b1", "strict");
  assert.match((await reach("outside", "b1")).error ?? "", /hang up|ECONNRESET/);
  assert.match((await reach("b2", "b1")).error ?? "", /hang up|ECONNRESET/);
  assert.equal((await reach("a1", "b1")).body?.from, nodeSource);
});

test("the kubelet's probes pass; other ports, and NodePorts that come in at the node, do not", { timeout: 60_000 }, async () => {
  await control.mode("a3", "strict");
  await control.mode("a1", "strict");
  for (const [node, to] of [
    ["node-a", "a1"],
    ["node-a", "a3"],
    ["node-b", "b1"],
  ] as const) {
    assert.equal((await reach(node, to, 8081)).body?.from, probeSource, `probe of ${to}`);
    assert.ok((await reach(node, to, 8080)).error, `plaintext from ${node} to ${to}`);
  }
  // What kube-proxy does for a NodePort: masqueraded to an address of the node.
  await lab.run(
    "node-b",
    `${nft()} -f - <<'END'
table ip kube {
  chain pre { type nat hook prerouting priority -100; tcp dport 30080 dnat to ${pods.b1.address}:8081; }
  chain post { type nat hook postrouting priority 100; ct status dnat masquerade; }
}
END`,
  );
  assert.ok((await lab.ask("outside", "192.168.50.2", 30_080)).error, "a NodePort leads past the proxy");
  await lab.run("node-b", `${nft()} delete table ip kube`);
});

test("nobody else speaks with the node proxy's address, and nobody enters the capture ports directly", { timeout: 60_000 }, async () => {
  assert.ok((await reach("node-a", "a2", 8080, nodeSource)).error, "a process of the node without the mark");
  const forging = [
    ["b2", "b1"],
    ["a4", "a1"],
    ["outside", "b1"],
  ] as const;
  const forge = async (from: string, to: PodName): Promise<void> => {
    await lab.run(from, `ip addr add ${nodeSource}/32 dev lo; ip addr add ${probeSource}/32 dev lo`);
    const [proxy, kubelet] = await Promise.all([reach(from, to, 8080, nodeSource), reach(from, to, 8081, probeSource)]);
    assert.ok(proxy.error, `${from} as the node proxy to ${to}`);
    assert.ok(kubelet.error, `${from} as the kubelet to ${to}`);
    await lab.run(from, `ip addr del ${nodeSource}/32 dev lo; ip addr del ${probeSource}/32 dev lo`);
  };
  await Promise.all(forging.map(([from, to]) => forge(from, to)));
  for (const port of [15_001, 15_006]) {
    assert.match((await lab.ask("a2", "127.0.0.1", port)).error ?? "", /ECONN/);
    assert.match((await lab.ask("a2", pods.a2.address, port)).error ?? "", /ECONN/);
  }
});

test("a dead control plane and a killed agent change nothing for the pods", { timeout: 60_000 }, async (t) => {
  const talking = await lab.talk("a1", pods.b1.address);
  const loading = lab.load("a1", pods.b1.address, 4);
  await sleep(300);
  await control.close();
  await agents.stop("a", "SIGKILL");
  agents.start("a", "keep");
  await sleep(1_200);
  await control.listen();
  const { failed, failures, ok } = await loading;
  t.diagnostic(`${ok} new connections, ${failed} failed`);
  assert.equal(failed, 0, failures.join("\n"));
  const { error, heard, sent } = await talking.end();
  assert.equal(error, undefined);
  assert.equal(heard, sent);
  await control.until("the new agent is there", () => control.report("a1")?.phase === "captured");
});

test("leaving loses no new connection, and redirected ones go on", { timeout: 60_000 }, async (t) => {
  await control.mode("b1", "permissive");
  const talking = await lab.talk("a1", pods.b1.address);
  const loads = [lab.load("a1", pods.b1.address, 3), lab.load("outside", pods.b1.address, 3)];
  await sleep(500);
  await control.leave("b1");
  await control.leave("a1");
  for (const { ok, failed, failures } of await Promise.all(loads)) {
    t.diagnostic(`${ok} new connections, ${failed} failed`);
    assert.equal(failed, 0, failures.join("\n"));
  }
  const { error, heard, sent } = await talking.end();
  t.diagnostic(`a redirected connection: ${heard} of ${sent} words`);
  assert.equal(error, undefined);
  assert.equal(heard, sent);
  assert.equal((await reach("outside", "b1")).body?.from, "192.168.50.254", "not by Envoy any more");
  await untilNoRules("b1");
  await control.forget("b1");
  await control.forget("a1");
});

test("a port that a connection had while the pod left is captured like any other when the pod joins again", { timeout: 60_000 }, async () => {
  const theirs = pods.b2.address;
  const port = "40123";
  await control.join("a1");
  const redirected = await lab.talk("a1", theirs);
  await control.leave("a1");
  const passing = await lab.hold("a1", theirs, port);
  await redirected.end();
  await untilNoRules("a1");
  // Nobody tracks any more how it ends.
  await passing.reset();
  await control.join("a1");
  assert.equal((await lab.ask("a1", theirs, 8080, "", port)).body?.from, "192.168.50.1", "by Envoy");
  await control.leave("a1");
  await control.forget("a1");
});

test("an upgrade: the new agent's Envoy listens beside the old one, which drains and ends; no new connection is lost", { timeout: 60_000 }, async (t) => {
  const loads = [lab.load("a2", pods.b1.address, 8), lab.load("outside", pods.a2.address, 8)];
  await sleep(300);
  agents.start("a", "release", "next");
  await control.proxies("a", 2);
  const ms = await agents.stop("a");
  await control.proxies("a", 1);
  for (const { ok, failed, failures, max } of await Promise.all(loads)) {
    t.diagnostic(`${ok} new connections, ${failed} failed, slowest ${max} ms; the old agent took ${Math.round(ms)} ms to go`);
    assert.equal(failed, 0, failures.join("\n"));
  }
});

test("an agent that is uninstalled leaves nothing behind", { timeout: 60_000 }, async () => {
  await agents.stop("next");
  for (const name of ["a2", "a3", "node-a"]) assert.equal(await lab.run(name, `${nft()} list ruleset`), "", `rules in ${name}`);
  assert.doesNotMatch(await lab.run("node-a", "ip addr show dev lo"), /169\.254/);
  assert.equal((await reach("b2", "a2")).body?.pod, "a2");
});

/** Its connections end, then tracking does, then nothing is left. */
async function untilNoRules(name: PodName): Promise<void> {
  for (let tries = 0; (await lab.run(name, `${nft()} list ruleset`)) !== ""; tries += 1) {
    assert.ok(tries < 50, `rules are left in ${name}`);
    await sleep(200);
  }
}

function nft(): string {
  return lab.nft;
}
