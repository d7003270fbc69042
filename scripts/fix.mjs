// Formats, sorts imports, and applies the linter's safe fixes:  npm run fix [PATH ...]
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { env, root } from "./toolchain.mjs";

const paths = process.argv.slice(2);
const options = { cwd: root, env, stdio: "inherit" };
spawnSync("oxlint", ["--fix", "--quiet", ...paths], options);
process.exit(spawnSync("biome", ["check", "--write", ...paths], options).status ?? 1);
