// Builds a real Kubernetes, then runs the tests that need one:  npm run test:kubernetes [FILE ...]
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { runTestFiles } from "./test-files.mjs";
import { env, node, root } from "./toolchain.mjs";

function run(title, args) {
  console.log(`\n── ${title}`);
  return spawnSync(node, args, { cwd: root, env, stdio: "inherit" }).status === 0;
}

const given = process.argv.slice(2);
/** Those that others stand on come first, should there be no time for all. */
const first = ["cluster", "discovery", "install", "mesh", "declared", "workloads", "verbs"].map((name) => `${name}.test.ts`);
const all = readdirSync(path.join(root, "test/kubernetes")).filter((name) => name.endsWith(".test.ts"));
const tests = [...first, ...all.filter((name) => !first.includes(name)).sort()].map((name) => `test/kubernetes/${name}`);
/** After so many minutes of CI no file is begun: CI ends after 90. */
const lastMinute = 65;

const built =
  run("build the cluster", ["scripts/setup.mjs", "--cluster"]) &&
  run("build Kubernetes (ten minutes the first time on a machine)", ["test/cluster/main.ts", "build"]);
const passed = built && runTestFiles(given.length > 0 ? given : tests, { minutes: lastMinute, tries: 3 });
process.exit(passed ? 0 : 1);
