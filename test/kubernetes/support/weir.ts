/** The built `weir`, and its image, for tests with a cluster. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Ended, run, tryRun } from "../../cluster/run.ts";

const root = path.resolve(import.meta.dirname, "../../..");

/** Builds everything and the image; answers the OCI archive. */
export async function buildImage(): Promise<string> {
  await run([process.execPath, "scripts/build.mjs"], { cwd: root });
  await run([process.execPath, "scripts/image/main.ts"], { cwd: root });
  return path.join(root, ".cache/image/weir.tar");
}

export interface Weir {
  readonly home: string;
  /** Runs `weir`; never rejects for an exit code. */
  (...words: readonly string[]): Promise<Ended>;
}

/** A `weir` with a state folder of its own, for the cluster of this kubeconfig. Remove `home` afterwards. */
export function weirFor(kubeconfig: string): Weir {
  const home = mkdtempSync(path.join(tmpdir(), "weir-home-"));
  const env = { KUBECONFIG: kubeconfig, WEIR_HOME: home };
  return Object.assign((...words: readonly string[]) => tryRun([process.execPath, path.join(root, "dist/cli.js"), ...words], { env, timeoutMs: 240_000 }), {
    home,
  });
}

/** Runs a command that must succeed; answers its stdout. */
export async function succeed(weir: Weir, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await weir(...words);
  assert.equal(code, 0, `weir ${words.join(" ")}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Writes this weir.yaml into the folder `name` of `work`; answers that folder. */
export function stackFolder(work: string, name: string, text: string): string {
  const dir = path.join(work, name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, "weir.yaml"), text);
  return dir;
}
