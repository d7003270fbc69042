// Builds a real Kubernetes, then runs the tests that need one:  npm run test:kubernetes [FILE ...]
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { env, node, root } from "./toolchain.mjs";

function run(title, args) {
  console.log(`\n── ${title}`);
  return spawnSync(node, args, { cwd: root, env, stdio: "inherit" }).status === 0;
}

const given = process.argv.slice(2);
const tests = readdirSync(path.join(root, "test/kubernetes"))
  .filter((name) => name.endsWith(".test.ts"))
  .sort()
  .map((name) => `test/kubernetes/${name}`);

const built =
  run("build the cluster", ["scripts/setup.mjs", "--cluster"]) &&
  run("build Kubernetes (ten minutes the first time on a machine)", ["test/cluster/main.ts", "build"]);
// One file at a time: each starts a cluster of its own.
const passed = built && run("Kubernetes tests", ["--test", "--test-concurrency=1", "--test-reporter=spec", ...(given.length > 0 ? given : tests)]);
process.exit(passed ? 0 : 1);
