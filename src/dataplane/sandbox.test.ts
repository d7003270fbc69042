import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runs } from "../../test/support/runs.ts";
import { deviceName, workloadRules } from "./network.ts";
import { enterFromHost, environmentScript, sandboxCommand, sandboxScript } from "./sandbox.ts";
import { commandLine, quote, runProgram, runScript } from "./shell.ts";
import { findTools, isComplete } from "./tools.ts";

const { found: tools } = findTools([], process.env["PATH"] ?? "");

test("any word comes through the shell as it was", async () => {
  const words = fc.sample(
    fc.string({ unit: "grapheme" }).filter((word) => !word.includes("\0")),
    { numRuns: runs(60), seed: 7 },
  );
  const all = [...words, "it's", '$HOME `id` \\ "', "", "-n", "a\nb"];
  const printed = await runScript("sh", `printf '%s\\0' ${commandLine(...all)}`);
  assert.equal(printed, `${all.join("\0")}\0`.trim());
  assert.equal(quote("plain/word-1"), "plain/word-1");
});

test("the environment comes through a file; names that no shell can export are left out", async () => {
  const env = { A: "it's\n$HOME", B_2: "", "my.var": "x", "1st": "y", "x;rm": "z" };
  const { script, refused } = environmentScript(env);
  assert.deepEqual(refused.toSorted(), ["1st", "my.var", "x;rm"]);
  const output = await runScript("sh", `${script}\nprintf '%s|%s' "$A" "$B_2"`);
  assert.equal(output, "it's\n$HOME|");
});

test("a failed script says so with its output, a slow one is ended", async () => {
  await assert.rejects(runScript("sh", "echo first; false; echo never"), /ended with 1: first/);
  const slow = await runProgram(["sleep", "60"], { timeoutMs: 50 });
  assert.equal(slow.signal, "SIGKILL");
  await assert.rejects(runProgram(["/no/such/program"], { timeoutMs: 1_000 }));
});

test("power is given up before the workload's own words are read", () => {
  assert.ok(isComplete(tools) || tools.unshare !== undefined);
  const all = {
    hostname: "h",
    ip: "ip",
    mkfifo: "mkfifo",
    mount: "mount",
    nft: "nft",
    nsenter: "nsenter",
    setpriv: "setpriv",
    sh: "sh",
    tini: "tini",
    umount: "umount",
    unshare: "unshare",
  };
  const plan = {
    pin: "/p",
    hostName: "web",
    uid: 1000,
    gid: 1000,
    dir: "/it's here",
    command: ["node", "a b.js"],
    envFile: "/env",
    resolvConf: "/r",
    hosts: "/h",
    nsswitch: "/n",
    binds: [],
    overlays: [],
    hidden: ["/state"],
  };
  const script = sandboxScript(all, plan);
  const last = script.trim().split("\n").at(-1) ?? "";
  assert.match(last, /^exec unshare -U --map-user=1000 .*setpriv --bounding-set=-all .*--no-new-privs tini -g -- sh -c /);
  assert.ok(last.indexOf("--no-new-privs") < last.indexOf("node"));
  assert.ok(!script.slice(0, script.indexOf("exec unshare")).includes("a b.js"));
  assert.match(script, /mount -t tmpfs .* none \/state/);
  assert.deepEqual(sandboxCommand(all, "/p", "/s").slice(0, 4), ["nsenter", "--net=/p", "--", "unshare"]);
  assert.deepEqual(enterFromHost(all, 77, ["x"]).slice(0, 3), ["nsenter", "-t", "77"]);
});

test("devices: stable, unique, short", () => {
  const names = ["100.64.0.1", "100.64.1.0", "100.65.0.1", "100.127.255.254"].map(deviceName);
  assert.deepEqual(names, ["w400001", "w400100", "w410001", "w7ffffe"]);
  assert.match(workloadRules("100.64.0.9", 15001), /dnat ip to 100\.64\.0\.9:15001/);
});
