// Bundles src/ into dist/, so that commands start fast. Any number of builds may run at once, and while programs run from dist/:
// chunks are named by their content, the few files with fixed names are replaced in one step each, and old chunks stay for a day.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { root } from "./toolchain.mjs";

const dayMs = 86_400_000;
/** dist/NAME.js starts what is in the file. */
const entries = {
  cli: "src/cli/main.ts",
  daemon: "src/daemon/main.ts",
  agent: "src/agent/main.ts",
  check: "src/daemon/check-main.ts",
  node: "src/agent/node-main.ts",
  "cluster-agent": "src/agent/cluster/main.ts",
  control: "src/daemon/cluster/main.ts",
  gateway: "src/agent/cluster/gateway-main.ts",
};

const startedAt = new Date();
const dist = path.join(root, "dist");
const aside = path.join(root, `.cache/build-${process.pid}`);
const present = Object.entries(entries).filter(([, file]) => existsSync(path.join(root, file)));
mkdirSync(aside, { recursive: true });
mkdirSync(dist, { recursive: true });
try {
  await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(present.map(([name, file]) => [`main-${name}`, file])),
    outdir: aside,
    entryNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    sourcemap: true,
    logLevel: "warning",
    // CommonJS libraries inside an ES module need `require`.
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
  const built = readdirSync(aside);
  for (const [name] of present) {
    const main = built.find((file) => file.startsWith(`main-${name}-`) && file.endsWith(".js"));
    writeFileSync(path.join(aside, `${name}.js`), starter(main));
  }
  writeFileSync(path.join(aside, ".stamp"), "");
  utimesSync(path.join(aside, ".stamp"), startedAt, startedAt);
  // Chunks first, what refers to them afterwards, and last the stamp that says so.
  const fixed = [...present.map(([name]) => `${name}.js`), ".stamp"];
  for (const file of [...built, ...fixed]) renameSync(path.join(aside, file), path.join(dist, file));
  for (const file of readdirSync(dist).filter((file) => !built.includes(file) && !fixed.includes(file))) {
    if (statSync(path.join(dist, file), { throwIfNoEntry: false })?.mtimeMs < Date.now() - dayMs) rmSync(path.join(dist, file), { force: true });
  }
} finally {
  rmSync(aside, { recursive: true, force: true });
}

/** A file that turns on Node's compile cache (not by the environment, which workloads would inherit), then starts the program. */
function starter(main) {
  return [
    'import { enableCompileCache } from "node:module";',
    'import { fileURLToPath } from "node:url";',
    'enableCompileCache(fileURLToPath(new URL("../.cache/compile", import.meta.url)));',
    `await import("./${main}");`,
    "",
  ].join("\n");
}
