// Makes Weir's container image out of what .cache/ and dist/ hold:  npm run image [-- NAME:TAG]
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { env, node, root } from "./toolchain.mjs";

function run(args) {
  return spawnSync(node, args, { cwd: root, env, stdio: "inherit" }).status === 0;
}

process.exit(run(["scripts/build.mjs"]) && run(["scripts/image/main.ts", ...process.argv.slice(2)]) ? 0 : 1);
