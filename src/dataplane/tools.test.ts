import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/real.ts";
import { commandLine, quote, runProgram, runScript } from "./shell.ts";
import { findTools, isComplete } from "./tools.ts";

function folderWith(root: string, name: string, files: Readonly<Record<string, number>>): string {
  const folder = path.join(root, name);
  mkdirSync(folder);
  for (const [file, mode] of Object.entries(files)) {
    writeFileSync(path.join(folder, file), "#!/bin/sh\n");
    chmodSync(path.join(folder, file), mode);
  }
  return folder;
}

test("our own folder comes before the search path, and only programs that can run count", (t) => {
  const root = temporaryFolder(t);
  const own = folderWith(root, "own", { tini: 0o755, nft: 0o644 });
  const searched = folderWith(root, "searched", { tini: 0o755, nft: 0o755, ip: 0o755 });
  mkdirSync(path.join(searched, "mount"));
  const { found } = findTools([own], `relative/bin:${searched}`);
  assert.equal(found.tini, path.join(own, "tini"));
  assert.equal(found.nft, path.join(searched, "nft"), "a file that is no program is passed over");
  assert.equal(found.ip, path.join(searched, "ip"));
  assert.notEqual(found.mount, path.join(searched, "mount"), "a folder is no program");
});

test("the system's own folders count also when they are not on the path", () => {
  const { found, missing } = findTools([], "");
  assert.ok(path.isAbsolute(found.sh ?? ""));
  assert.equal(isComplete(found), missing.length === 0);
  for (const name of missing) assert.equal(found[name], undefined);
  const { sh: _, ...others } = found;
  assert.equal(isComplete(others), false);
});

test("a shell gives back every quoted word as it was", async () => {
  const words = ["plain", "two words", "", "it's", "$HOME", "`id`", "a\nb", "\\", "*", "é", "--x=1", "'\"'"];
  const { output } = await runProgram(["sh"], { input: `printf '<%s>' ${commandLine(...words)}`, timeoutMs: 5_000 });
  assert.equal(output, words.map((word) => `<${word}>`).join(""));
  assert.equal(quote("a/b.c:1"), "a/b.c:1", "what needs no quotes has none");
});

test("a script stops at its first failure and says its last words", async () => {
  assert.equal(await runScript("sh", "echo one\necho two\n"), "one\ntwo");
  await assert.rejects(
    runScript("sh", "echo before\nfalse\necho after\n"),
    (error: Error) => /ended with 1/.test(error.message) && !error.message.includes("after"),
  );
});

test("the time is a bound also for what a program started, and for what left its group", async () => {
  for (const script of ["sleep 37.5", "sleep 37.5 & wait", "setsid sleep 1.5 & sleep 37.5"]) {
    const startedAt = performance.now();
    await assert.rejects(runScript("sh", script, 100), /ended with SIGKILL/, script);
    assert.ok(performance.now() - startedAt < 1_000, script);
  }
  const { output } = await runProgram(["sh", "-c", "grep -al '^sleep.37[.]5' /proc/[0-9]*/cmdline 2>/dev/null"], { timeoutMs: 5_000 });
  assert.equal(output, "", "nothing of it is left");
});

test("output has a bound, the environment is the one given", async () => {
  const flood = await runProgram(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 3"], { timeoutMs: 10_000 });
  assert.equal(flood.code, 3);
  assert.ok(flood.output.length >= 65_536 && flood.output.length < 200_000, String(flood.output.length));
  const { output } = await runProgram(["/bin/sh", "-c", "echo $A-$HOME"], { timeoutMs: 5_000, env: { A: "1" } });
  assert.equal(output, "1-");
});
