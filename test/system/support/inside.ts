/** Tests that need a kernel of their own: an inner file runs in a user, mount, network and pid namespace; no root is needed, and nothing is left behind. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { temporaryFolder } from "../../support/real.ts";
import { execute } from "./weir.ts";

/** Runs `inner` (a file of tests) with the folder of its lab in LAB_FOLDER, and passes on what it says. Fails when it fails. */
export async function runInside(t: TestContext, inner: string, timeoutMs: number): Promise<void> {
  const script = 'mount -t tmpfs none "$LAB_FOLDER" && mount -t tmpfs none /dev/shm && exec "$@"';
  const runner = [process.execPath, "--disable-warning=ExperimentalWarning", "--test", "--test-isolation=none", "--test-reporter=spec", inner];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = await execute("unshare", ["-U", "-r", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-c", script, "sh", ...runner], {
    env: { ...env, LAB_FOLDER: temporaryFolder(t) },
    timeoutMs,
  });
  for (const line of run.stdout.split("\n").filter((one) => one.trim() !== "")) t.diagnostic(line);
  assert.equal(run.code, 0, run.stderr);
}
