// What the other scripts start programs with: the checkout, its own Node.js, and an environment in which both are found first.
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** The Node.js 26 that scripts/setup.mjs brings. */
export const node = path.join(root, `.cache/node/node_modules/node-linux-${process.arch}/bin/node`);

/** The caller's environment; `npm` would otherwise put its own, older Node.js first. */
export const env = { ...process.env, PATH: [path.dirname(node), path.join(root, "node_modules/.bin"), process.env.PATH ?? "/usr/bin:/bin"].join(":") };
