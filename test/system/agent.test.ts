/** The node agent with real namespaces and real Envoys, as whoever runs this; root runs all of it once more as an ordinary user. */
import assert from "node:assert/strict";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { followLogs, readLogs } from "../../src/agent/logs.ts";
import { realClock as clock } from "../../src/agent/real-clock.ts";
import { callUnix } from "../../src/agent/unix-http.ts";
import { namespacePids } from "../../src/dataplane/proc.ts";
import { echoPort, TestAgent, useAgent, workload } from "./support/agent.ts";
import { request } from "./support/http.ts";
import { apps, execute, freePort, processesOf, root } from "./support/weir.ts";

const echo = [process.execPath, `${apps}/echo.mjs`];
const idle = ["sleep", "3600"];

function echoReplica(id: string, version = "v1") {
  return workload(id, echo, { ports: echoPort, env: { VERSION: version } });
}

test("traffic goes through Envoy, inside by name and outside by host; workloads see nothing else", { timeout: 120_000 }, async (t) => {
  const agent = await useAgent(t);
  const files = [
    { path: "/etc/weir-test/config", content: "config text", mode: 0o644 },
    { path: "/weir-test-new/secret", content: "secret text", mode: 0o400 },
  ];
  const startedAt = Date.now();
  await agent.want(echoReplica("echo@v1-0"), workload("caller@v1-0", idle, { files }));
  const status = await agent.untilReady("echo-v1-0");
  t.diagnostic(`ready after ${Date.now() - startedAt} ms`);
  await agent.untilReady("caller-v1-0");
  await agent.settled();
  const inside = (script: string) => agent.exec("caller-v1-0", "sh", "-c", script);
  const neighbour = status.workloads.find((one) => one.id === "echo-v1-0")?.network?.address ?? "";

  await t.test("by name", async () => {
    for (const url of ["http://echo/", "http://echo:8080/", "http://echo.default.svc.cluster.local/"]) {
      const answer = await inside(`curl -s -m 5 -o /dev/null -w '%{http_code}' ${url}`);
      assert.equal(answer.stdout, "200", `${url}: ${answer.stderr}`);
    }
    assert.equal((await request(agent.port, `echo.localhost:${agent.port}`)).status, 200);
  });

  await t.test("outside names do not exist", async () => {
    assert.notEqual((await inside("getent hosts example.com")).code, 0);
    assert.notEqual((await inside("curl -s -m 3 http://9.9.9.9/")).stdout, "anything");
  });

  await t.test("a neighbour's port is out of reach but through the own capture listener", async () => {
    // Captured: the node proxy answers (with an error: nobody has this name), not the neighbour.
    const captured = await inside(`curl -s -m 3 -o /dev/null -w '%{http_code}' http://${neighbour}:8080/`);
    assert.ok(["404", "502", "503", "000"].includes(captured.stdout), captured.stdout);
    assert.equal((await inside(`curl -s -m 3 http://169.254.1.1:9901/`)).code, 7, "the node itself is closed");
    const udp = await inside("timeout 2 bash -c 'echo x > /dev/udp/8.8.8.8/53'");
    assert.notEqual(udp.code, 0, "UDP does not leave");
  });

  await t.test("no power over its own namespaces, no sight of others", async () => {
    assert.match((await inside("grep CapEff /proc/self/status")).stdout, /0000000000000000/);
    // Process 1, and with it the whole workload, can never get any; a command of `exec` has none and cannot get any either (no new privileges).
    assert.match((await inside("grep CapBnd /proc/1/status")).stdout, /0000000000000000/);
    assert.match((await inside("grep NoNewPrivs /proc/self/status")).stdout, /1/);
    assert.notEqual((await inside(`${agent.settings.tools.nft} flush ruleset`)).code, 0);
    assert.notEqual((await inside(`unshare -Ur ${agent.settings.tools.nft} flush ruleset`)).code, 0);
    assert.notEqual((await inside("ip link set eth0 down")).code, 0);
    assert.notEqual((await inside("echo 1 > /proc/sys/net/ipv4/ip_forward")).code, 0);
    assert.equal((await inside(`ls -A ${agent.home}`)).stdout, "", "the state folder is empty inside");
    assert.notEqual((await inside(`unshare -Urm umount ${agent.home}`)).code, 0, "and stays so");
    assert.notEqual((await inside(`curl -s -m 2 --unix-socket ${agent.paths.agentSocket} http://agent/status`)).code, 0);
    assert.notEqual((await inside(`curl -s -m 2 --unix-socket ${agent.paths.nodeAdmin} http://envoy/server_info`)).code, 0);
    const commands = (await inside("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).stdout;
    assert.ok(!commands.includes("envoy") && !commands.includes("echo.mjs"), commands);
    const uid = (await inside("id -u")).stdout.trim();
    assert.equal(uid, String(process.getuid?.()), "the real user");
  });

  await t.test("configs and secrets are files inside and nowhere else", async () => {
    assert.equal((await inside("cat /etc/weir-test/config /weir-test-new/secret")).stdout, "config textsecret text");
    await assert.rejects(readFile("/etc/weir-test/config"));
    await assert.rejects(readFile("/weir-test-new/secret"));
    const onDisk = await execute("grep", ["-rl", "secret text", agent.home, "--include=*", "--exclude=desired.json"]);
    assert.equal(onDisk.stdout, "");
  });

  await t.test("exit codes and input pass through exec", async () => {
    assert.equal((await inside("exit 7")).code, 7);
    assert.equal((await agent.exec("caller-v1-0", "pwd")).stdout.trim(), "/tmp");
  });
});

test("supervision: back-off, why, live check, drain before the signal", { timeout: 120_000 }, async (t) => {
  const agent = await useAgent(t);
  const live = {
    check: { kind: "exec", command: ["test", "!", "-e", "/dev/shm/sick"] },
    initialDelayMs: 0,
    intervalMs: 100,
    timeoutMs: 1_000,
    failureThreshold: 2,
    successThreshold: 1,
  } as const;
  await agent.want(
    workload("bad@v1-0", ["sh", "-c", "echo about to fail >&2; exit 3"]),
    workload("sick@v1-0", ["sh", "-c", "sleep 1.5; touch /dev/shm/sick; sleep 3600"], { health: { live } }),
    workload("gone@v1-0", ["no-such-program-at-all"]),
    echoReplica("echo@v1-0"),
    workload("caller@v1-0", idle),
  );
  const bad = await agent.until("bad restarts", (status) => (status.workloads.find((one) => one.id === "bad-v1-0")?.restarts ?? 0) >= 2);
  assert.match(bad.workloads.find((one) => one.id === "bad-v1-0")?.reason ?? "", /exited with code 3/);
  const lines = await readLogs({ logDir: agent.paths.logDir, workloads: ["bad-v1-0"] });
  assert.ok(lines.some((line) => line.stream === "stderr" && line.line === "about to fail"));
  await agent.until("sick restarts", (status) => (status.workloads.find((one) => one.id === "sick-v1-0")?.restarts ?? 0) >= 1);
  const status = await agent.untilReady("echo-v1-0", "caller-v1-0");
  const gone = status.workloads.find((one) => one.id === "gone-v1-0");
  assert.match(gone?.reason ?? "", /command not found|cannot be executed/);
  await agent.settled();

  const slow = agent.exec("caller-v1-0", "curl", "-s", "-m", "8", "-o", "/dev/null", "-w", "%{http_code}", "http://echo/?ms=3000");
  await clock.sleep(1_000);
  const [replica, caller] = [echoReplica("echo@v1-0"), workload("caller@v1-0", idle)];
  const stoppedAt = Date.now();
  await agent.want({ ...replica, state: "stop" }, caller);
  await agent.until("draining", (now) => agent.phase(now, "echo-v1-0") === "draining");
  assert.equal((await slow).stdout, "200", "a request under way ends well");
  await agent.until("ended", (now) => agent.phase(now, "echo-v1-0") === "exited");
  t.diagnostic(`drained and ended after ${Date.now() - stoppedAt} ms`);
  await agent.want(caller);
  await agent.until("forgotten", (now) => now.workloads.length === 1);
});

test("logs are followed over restarts and rotation of who reads", { timeout: 60_000 }, async (t) => {
  const agent = await useAgent(t);
  await agent.want(workload("talk@v1-0", ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"]));
  const stop = new AbortController();
  const seen: string[] = [];
  await agent.untilReady("talk-v1-0");
  for await (const record of followLogs({ logDir: agent.paths.logDir, workloads: ["talk-v1-0"] }, stop.signal, clock)) {
    if (record.stream === "stdout") seen.push(record.line);
    if (seen.length >= 40) stop.abort();
  }
  assert.deepEqual(
    seen.slice(0, 40),
    Array.from({ length: 40 }, (_, at) => `line ${at + 1}`),
  );
  assert.equal((await readLogs({ logDir: agent.paths.logDir, workloads: ["talk-v1-0"], tail: 3 })).length, 3);
});

test("whatever is killed comes back; what lives on is found again", { timeout: 180_000 }, async (t) => {
  const agent = await useAgent(t);
  await agent.want(echoReplica("echo@v1-0"), workload("caller@v1-0", idle));
  await agent.untilReady("echo-v1-0", "caller-v1-0");
  await agent.settled();
  const works = async (): Promise<void> => {
    for (const end = Date.now() + 20_000; ; await clock.sleep(50)) {
      const outside = await request(agent.port, `echo.localhost:${agent.port}`).then(
        (answer) => answer.status,
        () => 0,
      );
      if (outside === 200) return;
      assert.ok(Date.now() < end, `gateway answers ${outside}`);
    }
  };
  await works();
  const victims: Readonly<Record<string, () => Promise<number | undefined>>> = {
    "node Envoy": async () => (await agent.status()).proxies.node.pid,
    "gateway Envoy": async () => (await agent.status()).proxies.gateway.pid,
    node: async () => (await agent.status()).node.pid,
    agent: async () => (await agent.status()).agent.pid,
  };
  for (const [name, pidOf] of Object.entries(victims)) {
    const pid = (await pidOf()) ?? 0;
    assert.ok(pid > 1, name);
    const before = await agent.status();
    process.kill(pid, "SIGKILL");
    if (name === "agent") {
      await works();
      await new TestAgentStarter(agent).again();
    }
    await agent.until(
      `${name} is new`,
      (status) => ![status.proxies.node.pid, status.proxies.gateway.pid, status.node.pid, status.agent.pid].includes(pid) && status.node.phase === "running",
    );
    await agent.untilReady("echo-v1-0", "caller-v1-0");
    await works();
    const inside = await agent.exec(
      "caller-v1-0",
      "curl",
      "-s",
      "-m",
      "5",
      "--retry",
      "5",
      "--retry-all-errors",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "http://echo/",
    );
    assert.equal(inside.stdout, "200", name);
    const after = await agent.status();
    assert.deepEqual(
      after.workloads.map((one) => one.network),
      before.workloads.map((one) => one.network),
      "the same addresses",
    );
    if (name === "agent")
      assert.deepEqual([after.node.pid, after.proxies.gateway.pid], [before.node.pid, before.proxies.gateway.pid], "the others were found, not started again");
    t.diagnostic(`${name} came back`);
  }
});

/** WEIR_LOAD_COUNT bounds each of the two loads. */
const count = Number(process.env["WEIR_LOAD_COUNT"] ?? 2_500);

test("replacing both Envoys, twice, under load from outside and inside loses nothing", { timeout: 600_000 }, async (t) => {
  const agent = await useAgent(t);
  await agent.want(echoReplica("echo@v1-0"), echoReplica("echo@v1-1"), workload("caller@v1-0", idle));
  const before = await agent.untilReady("echo-v1-0", "echo-v1-1", "caller-v1-0");
  await agent.settled();
  const load = (options: object) => [`${apps}/load.mjs`, JSON.stringify({ count, rate: 500, fresh: 0.5, ...options })];
  const loads = Promise.all([
    execute(process.execPath, load({ url: `http://127.0.0.1:${agent.port}/`, host: "echo.localhost" }), { timeoutMs: 300_000 }),
    agent.exec("caller-v1-0", process.execPath, ...load({ url: "http://echo/" })),
  ]);
  for (let round = 0; round < 2; round += 1) {
    await clock.sleep(1_000);
    const startedAt = Date.now();
    const { replaced } = await callUnix<{ readonly replaced: readonly string[] }>(agent.paths.agentSocket, "POST", "/envoy/replace", { timeoutMs: 90_000 });
    assert.deepEqual(replaced, ["gateway", "node"]);
    t.diagnostic(`replaced in ${Date.now() - startedAt} ms`);
  }
  const after = await agent.status();
  assert.notEqual(after.proxies.node.pid, before.proxies.node.pid);
  assert.notEqual(after.proxies.gateway.pid, before.proxies.gateway.pid);
  for (const result of await loads) {
    const tally = JSON.parse(result.stdout) as { readonly ok: number; readonly failures: readonly string[]; readonly p99: number; readonly max: number };
    t.diagnostic(`${tally.ok} ok, p99 ${tally.p99} ms, max ${tally.max} ms`);
    assert.deepEqual(tally.failures, []);
    assert.equal(tally.ok, count);
  }
});

class TestAgentStarter {
  readonly #agent: TestAgent;
  constructor(agent: TestAgent) {
    this.#agent = agent;
  }
  /** What a daemon does when the agent's socket is silent. */
  async again(): Promise<void> {
    const { ensureAgent } = await import("../../src/agent/lifecycle.ts");
    await ensureAgent(this.#agent.settings, clock, 20_000);
  }
}

test("stopping ends everything, also after kills of agent and node", { timeout: 60_000 }, async (t) => {
  for (const victims of [["agent"], ["agent", "node"], ["agent", "gateway"]] as const) {
    const home = await mkdtemp(path.join(tmpdir(), "weir-agent-"));
    t.after(() => rm(home, { recursive: true, force: true }));
    const agent = new TestAgent(home, await freePort());
    await agent.start();
    await agent.want(workload("idle@v1-0", idle));
    const status = await agent.untilReady("idle-v1-0");
    const pids: Readonly<Record<string, number | undefined>> = { agent: status.agent.pid, node: status.node.pid, gateway: status.proxies.gateway.pid };
    const shared = (await readdir("/dev/shm")).filter((name) => name.startsWith("envoy_"));
    for (const victim of victims) process.kill(pids[victim] ?? 0, "SIGKILL");
    await agent.close();
    await clock.sleep(100);
    assert.deepEqual(await processesOf(home), [], victims.join());
    const left = (await readdir("/dev/shm")).filter((name) => name.startsWith("envoy_"));
    assert.ok(left.length < shared.length, "the gateway's shared memory is gone");
  }
});

test("one agent per state folder", { timeout: 60_000 }, async (t) => {
  const agent = await useAgent(t);
  const { pid } = (await agent.status()).agent;
  const second = await execute(process.execPath, [agent.settings.agentEntry, JSON.stringify(agent.settings)], { timeoutMs: 10_000 });
  assert.equal(second.code, 0);
  assert.equal((await agent.status()).agent.pid, pid);
  assert.ok(namespacePids(pid).length === 1);
  await assert.rejects(callUnix(agent.paths.agentSocket, "GET", "/exec?workload=nobody"), /does not run|not run/);
});

test("all of it as an ordinary user", { timeout: 400_000, skip: process.getuid?.() !== 0 }, async (t) => {
  const home = await mkdtemp(path.join(tmpdir(), "weir-user-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  await chmod(home, 0o777);
  const args = [
    "--reuid=12345",
    "--regid=12345",
    "--clear-groups",
    process.execPath,
    "--test",
    "--test-concurrency=1",
    path.join(root, "test/system/agent.test.ts"),
  ];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const result = await execute("setpriv", args, { env: { ...env, HOME: home, TMPDIR: home }, timeoutMs: 380_000 });
  assert.equal(result.code, 0, result.stdout + result.stderr);
});
