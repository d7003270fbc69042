/** Runs every command of docs/tutorial.md, in order, as a reader would. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { execute, root, useWeir } from "./support/weir.ts";

test("every command of the tutorial works", { timeout: 240_000 }, async (t) => {
  const weir = await useWeir(t);
  const text = await readFile(path.join(root, "docs/tutorial.md"), "utf8");
  const commands = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap((block) => (block[1] ?? "").trim().split("\n"));
  assert.ok(commands.length > 15);
  const env = { ...process.env, WEIR_HOME: weir.home, WEIR_LISTEN: `127.0.0.1:${weir.port}`, NO_COLOR: "1" };
  for (const command of commands) {
    const result = await execute("sh", ["-c", command], { env });
    assert.equal(result.code, 0, `${command}\n${result.stdout}\n${result.stderr}`);
  }
});
