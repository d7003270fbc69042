// Sets up, builds, checks, then runs the system tests against real Envoys:  npm test [FILE ...]
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { runTestFiles } from "./test-files.mjs";
import { env, node, root } from "./toolchain.mjs";

function run(title, file, args) {
  console.log(`\n── ${title}`);
  return spawnSync(file, args, { cwd: root, env, stdio: "inherit" }).status === 0;
}

const given = process.argv.slice(2);
const systemTests = readdirSync(path.join(root, "test/system"))
  .filter((name) => name.endsWith(".test.ts"))
  .sort()
  .map((name) => `test/system/${name}`);

const built = run("build", node, ["scripts/build.mjs"]);
const checked = given.length > 0 || run("check", node, ["scripts/check.mjs", "all"]);
const passed = built && runTestFiles(given.length > 0 ? given : systemTests);
if (!checked) console.log("\nnpm run check failed: see above");
process.exit(built && checked && passed ? 0 : 1);
