/** `./weir` itself, on a small program in place of the real one: what it builds, when, and what it hands on. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";

const root = path.resolve(import.meta.dirname, "../..");

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(file: string, ...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: "/" }, (error, stdout, stderr) => resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }));
  });
}

function program(text: string): string {
  return `console.log(${JSON.stringify(text)}, process.argv.slice(2).join("|"), process.env["NODE_COMPILE_CACHE"]);\nprocess.exitCode = process.argv.length > 3 ? 7 : 0;\n`;
}

/** A checkout of its own whose tools are ours; gone when the test ends. */
async function useCheckout(t: TestContext): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), "weir-launcher-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  for (const folder of ["src/cli", "gen", ".cache"]) await mkdir(path.join(dir, folder), { recursive: true });
  for (const tool of ["node", "envoy", "tools"]) await symlink(path.join(root, ".cache", tool), path.join(dir, ".cache", tool));
  for (const file of ["weir", "package.json", "package-lock.json"]) await copyFile(path.join(root, file), path.join(dir, file));
  // Only what a build needs, marked as what the lock file says: set-up has nothing to do here.
  await mkdir(path.join(dir, "node_modules"));
  for (const name of ["esbuild", "@esbuild"]) await symlink(path.join(root, "node_modules", name), path.join(dir, "node_modules", name));
  const lock = await readFile(path.join(dir, "package-lock.json"));
  await writeFile(path.join(dir, "node_modules/.weir-lock"), createHash("sha256").update(lock).digest("hex"));
  await cp(path.join(root, "scripts"), path.join(dir, "scripts"), { recursive: true });
  await writeFile(path.join(dir, "src/cli/main.ts"), program("first"));
  return dir;
}

test("it builds on first use, then again only when the source is newer; arguments and exit code pass through", async (t) => {
  const dir = await useCheckout(t);
  const weir = path.join(dir, "weir");
  assert.deepEqual(await start(weir, "a b", "*"), { code: 7, stdout: "first a b|* undefined\n", stderr: "" });
  const built = await readdir(path.join(dir, "dist"));

  await symlink("weir", path.join(dir, "link"));
  await symlink(path.join(dir, "link"), path.join(dir, "far link"));
  assert.equal((await start(path.join(dir, "far link"), "x")).stdout, "first x undefined\n");
  assert.deepEqual(await readdir(path.join(dir, "dist")), built);

  await writeFile(path.join(dir, "src/cli/main.ts"), program("second"));
  assert.equal((await start(weir, "x")).stdout, "second x undefined\n");

  await rename(path.join(dir, "src"), path.join(dir, "elsewhere"));
  assert.equal((await start(weir, "x")).stdout, "second x undefined\n", "an installed tree has no source");
});

test("first uses at the same time do not disturb each other", async (t) => {
  const dir = await useCheckout(t);
  const runs = await Promise.all(Array.from({ length: 4 }, (_, index) => start(path.join(dir, "weir"), String(index))));
  assert.deepEqual(
    runs,
    runs.map((_, index) => ({ code: 0, stdout: `first ${index} undefined\n`, stderr: "" })),
  );
  assert.deepEqual(
    (await readdir(path.join(dir, ".cache"))).filter((name) => name.startsWith("build-")),
    [],
    "nothing is left of the builds",
  );
});

test("a source that does not compile is an error, and the last good build stays", async (t) => {
  const dir = await useCheckout(t);
  const weir = path.join(dir, "weir");
  await start(weir);
  await writeFile(path.join(dir, "src/cli/main.ts"), "const broken = ;\n");
  const run = await start(weir);
  assert.equal(run.code, 6);
  assert.match(run.stderr, /main\.ts:1:15: ERROR: Unexpected ";"/);
  await writeFile(path.join(dir, "src/cli/main.ts"), program("mended"));
  assert.match((await start(weir)).stdout, /^mended/);
});
