/**
 * Capture of pods with the real agents, Envoys and kernel. Everything happens in a user, mount, network and pid namespace of its own: no root is needed,
 * and whatever goes wrong, nothing is left behind.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../support/real.ts";
import { execute } from "./support/weir.ts";

const inner = path.join(import.meta.dirname, "pod-capture/inner.ts");

test("pods join and leave the mesh through their namespaces", { timeout: 180_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const script = 'mount -t tmpfs none "$LAB_FOLDER" && mount -t tmpfs none /dev/shm && exec "$@"';
  const runner = [process.execPath, "--disable-warning=ExperimentalWarning", "--test", "--test-isolation=none", "--test-reporter=spec", inner];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = await execute("unshare", ["-U", "-r", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-c", script, "sh", ...runner], {
    env: { ...env, LAB_FOLDER: folder },
    timeoutMs: 170_000,
  });
  for (const line of run.stdout.split("\n").filter((one) => one.trim() !== "")) t.diagnostic(line);
  assert.equal(run.code, 0, run.stderr);
});
