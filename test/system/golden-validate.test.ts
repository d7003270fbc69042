/** Every golden configuration passes the real Envoy's own validation, for both proxies. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { emitEnvoy } from "../../src/emit/envoy/emit.ts";
import { compileCase, goldenCases, readCase } from "../golden/golden.ts";
import { staticBootstrap } from "../support/static-bootstrap.ts";

const envoy = path.resolve(import.meta.dirname, "../../.cache/envoy/1.40.0/envoy");
const run = promisify(execFile);

/** Proxy configurations of all cases: file name → bootstrap. */
function bootstraps(): readonly (readonly [string, string])[] {
  return goldenCases().flatMap((name) => {
    const stack = readCase(name);
    if (!stack.ok) return [];
    const { node, gateway } = emitEnvoy(compileCase(stack.value).plan);
    return [[`${name}-node`, JSON.stringify(staticBootstrap(node))] as const, [`${name}-gateway`, JSON.stringify(staticBootstrap(gateway))] as const];
  });
}

/** What Envoy has against a configuration, deprecated and unfinished fields included; nothing: empty. */
async function complaints(file: string): Promise<string> {
  const result = await run(envoy, ["--mode", "validate", "-c", file, "-l", "warning", "--disable-hot-restart"]).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { readonly stderr?: string; readonly message: string }) => `failed: ${error.stderr ?? error.message}`,
  );
  return result
    .split("\n")
    .filter((line) => /^failed|\[(warning|error|critical)\]/.test(line))
    .join("\n");
}

test("Envoy accepts every golden configuration without a word", { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-golden-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const waiting = [...bootstraps()];
  const found: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [name, text] = next;
      const file = path.join(folder, `${name}.json`);
      writeFileSync(file, text);
      const said = await complaints(file);
      if (said !== "") found.push(`${name}: ${said}`);
    }
  };
  assert.ok(waiting.length >= 40);
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  assert.deepEqual(found, []);
});

test("the test can fail: Envoy's complaints are seen", { timeout: 30_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "weir-golden-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "broken.json");
  writeFileSync(file, JSON.stringify({ staticResources: { listeners: [{ name: "no-address" }] } }));
  assert.match(await complaints(file), /failed/);
});
