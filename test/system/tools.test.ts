/** cp, attach and identity on one machine, by the real program. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import type { IdentitiesView } from "../../src/api/contract.ts";
import { eventually } from "./support/http.ts";
import { execute, root, useWeir } from "./support/weir.ts";

test("cp, attach, identity", { timeout: 180_000 }, async (t) => {
  const weir = await useWeir(t);
  const work = mkdtempSync(path.join(tmpdir(), "weir-tools-"));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const file = (name: string) => path.join(work, name);
  await weir.ok("run", "-n", "hello@v1", "-p", "80:9000/http", "-e", "PORT=9000", "--", "node", "examples/hello.js");
  const inside = file("inside");
  await weir.ok("exec", "hello", "--", "mkdir", inside);

  await t.test("files and folders in and out, by cp's own rules", async () => {
    writeFileSync(file("one"), "one", { mode: 0o750 });
    await weir.ok("cp", file("one"), `hello:${inside}/`);
    assert.equal(await weir.ok("exec", "hello", "--", "cat", `${inside}/one`), "one");
    await weir.ok("cp", file("one"), `hello@v1:${inside}/renamed`);
    await weir.ok("cp", file("one"), `hello:${inside}`);
    mkdirSync(file("tree/deep"), { recursive: true });
    writeFileSync(file("tree/deep/big"), Buffer.alloc(3_000_000, "x"));
    symlinkSync("deep/big", file("tree/link"));
    await weir.ok("cp", file("tree"), `hello:${inside}`);
    await weir.ok("cp", `hello:${inside}/tree`, file("back"));
    assert.equal(statSync(file("back/link")).size, 3_000_000);
    await weir.ok("cp", `hello:${inside}/tree`, file("back"));
    assert.equal(statSync(file("back/tree/deep/big")).size, 3_000_000, "a folder that is there gets it inside");
    await weir.ok("cp", `hello:${inside}/renamed`, file("two"));
    assert.deepEqual([readFileSync(file("two"), "utf8"), statSync(file("two")).mode & 0o777], ["one", 0o750]);
    await weir.ok("cp", `hello:${inside}/tree/.`, file("contents"));
    assert.ok(existsSync(file("contents/deep/big")));
  });

  await t.test("an archive on stdin and stdout", async () => {
    const { stdout } = await execute("sh", ["-c", `"${root}/weir" cp hello:${inside}/tree - | tar -tf - | sort`], {
      env: { ...process.env, WEIR_HOME: weir.home },
    });
    assert.equal(stdout, "./tree/\n./tree/deep/\n./tree/deep/big\n./tree/link\n");
    const env = { ...process.env, WEIR_HOME: weir.home };
    await execute("sh", ["-c", `mkdir ${inside}/unpacked; tar -cf - -C ${work} one | "${root}/weir" cp - hello:${inside}/unpacked`], { env });
    assert.equal(await weir.ok("exec", "hello", "--", "cat", `${inside}/unpacked/one`), "one");
  });

  await t.test("what goes wrong says what and where", async () => {
    const missing = await weir.run("cp", "hello:/nowhere/x", file("x"));
    assert.deepEqual([missing.code, /error\[path-missing\]: tar in hello-v1-\S+: .*nowhere/.test(missing.stderr)], [3, true], missing.stderr);
    assert.equal((await weir.run("cp", file("nothing"), "hello:/tmp")).code, 3);
    assert.match((await weir.run("cp", "a", "b")).stderr, /cp-places-wrong/);
    assert.match((await weir.run("cp", "nobody:/x", "b")).stderr, /error\[not-found\]/);
  });

  await t.test("attach shows what one replica says from now on; Ctrl-C ends it alone, and so does the replica's end", async () => {
    await weir.ok("run", "-n", "ticker@v1", "--", "sh", "-c", "echo first; n=0; while :; do n=$((n + 1)); echo tick $n; echo tock $n >&2; sleep 0.2; done");
    await eventually(async () => assert.match(await weir.ok("logs", "ticker"), /tick 3/));
    const begin = () => {
      const child = spawn(path.join(root, "weir"), ["attach", "ticker"], { env: { ...process.env, WEIR_HOME: weir.home }, stdio: ["ignore", "pipe", "pipe"] });
      const said = { out: "", err: "" };
      child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err += text));
      const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
      return { child, said, ended };
    };
    for (const end of ["interrupt", "restart"] as const) {
      const { child, said, ended } = begin();
      try {
        await eventually(async () => assert.match(said.out, /^tick \d+$/m));
        await eventually(async () => assert.match(said.err, /^tock \d+$/m));
        assert.doesNotMatch(said.out, /first|tock/, "nothing of the past, and each on its own stream");
        if (end === "restart") await weir.ok("restart", "ticker");
        else child.kill("SIGINT");
        assert.ok((end === "restart" ? [0] : ["SIGINT", 130]).includes((await ended) as never));
      } finally {
        child.kill("SIGKILL");
      }
      if (end === "restart") assert.match(said.err, /is gone/);
    }
    assert.match((await weir.run("attach", "ticker", "-i")).stderr, /error\[attach-without-input\]/);
    await weir.ok("rm", "ticker");
  });

  await t.test("identity says by what callers are known here", async () => {
    const { workloads, meaning } = await weir.json<IdentitiesView>("identity");
    assert.deepEqual([workloads[0]?.identity, workloads[0]?.proof.kind], ["hello.default", "network-namespace"]);
    assert.match(meaning, /no certificates/);
    assert.match(await weir.ok("identity", "hello@v1"), /identity: +hello\.default/);
    assert.equal((await weir.run("identity", "nobody")).code, 3);
  });
});
