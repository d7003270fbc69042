/** A database whose process is killed, for real. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/real.ts";
import { openSqliteStore } from "./sqlite-store.ts";

test("kill -9 between commits loses none that was accepted", { timeout: 30_000 }, async (t) => {
  const dir = temporaryFolder(t);
  const file = path.join(dir, "weir.db");
  const program = path.join(dir, "writer.mts");
  writeFileSync(
    program,
    `import { openSqliteStore } from ${JSON.stringify(path.join(import.meta.dirname, "sqlite-store.ts"))};
     const store = openSqliteStore(${JSON.stringify(file)}, { now: () => 1 }).value;
     for (let i = 1; ; i += 1) {
       const value = { namespace: "default", name: "a", data: { key: String(i) } };
       store.commitNow([{ op: "put", kind: "config", key: "default/a", value }, { op: "put", kind: "config", key: "default/b", value }]);
       process.stdout.write(i + "\\n");
       if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
     }`,
  );
  let lastAccepted = 0;
  for (const ms of [20, 45, 90]) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (output += piece));
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, ms));
    child.kill("SIGKILL");
    await once(child, "close");
    lastAccepted = Number(output.slice(0, output.lastIndexOf("\n")).split("\n").at(-1));
    const store = openSqliteStore(file, { now: () => 1 });
    assert.ok(store.ok, JSON.stringify(store));
    const { config: configs } = store.value.snapshot.get().objects;
    store.value.close();
    const [a, b] = ["default/a", "default/b"].map((key) => Number(configs.get(key)?.value.data["key"]));
    assert.ok(a !== undefined && a >= lastAccepted, `accepted ${lastAccepted}, found ${a}`);
    assert.equal(a, b, "commits are whole");
  }
  assert.ok(lastAccepted > 0);
});
