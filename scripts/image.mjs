// Makes Weir's container image out of what .cache/ and dist/ hold:  npm run image [-- NAME:TAG]
// Those of the programs in examples/:                              npm run image:examples
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { env, node, root } from "./toolchain.mjs";

function run(args) {
  return spawnSync(node, args, { cwd: root, env, stdio: "inherit" }).status === 0;
}

if (process.argv[2] === "--examples") process.exit(run(["scripts/image/examples.ts"]) ? 0 : 1);
process.exit(run(["scripts/build.mjs"]) && run(["scripts/image/main.ts", ...process.argv.slice(2)]) ? 0 : 1);
