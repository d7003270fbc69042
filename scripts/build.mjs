// Bundles src/ into dist/, so that commands start fast. Builds aside and renames: two builds at once do no harm.

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "..");
const aside = path.join(root, `.cache/dist-${process.pid}`);
const entries = { cli: "src/cli/main.ts", daemon: "src/daemon/main.ts", agent: "src/agent/main.ts", node: "src/agent/node-main.ts" };
const entryPoints = Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(path.join(root, file))));

await build({
  absWorkingDir: root,
  entryPoints,
  outdir: aside,
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
mkdirSync(aside, { recursive: true });
writeFileSync(path.join(aside, ".stamp"), "");
const dist = path.join(root, "dist");
const old = `${aside}-old`;
if (existsSync(dist)) renameSync(dist, old);
renameSync(aside, dist);
rmSync(old, { recursive: true, force: true });
