// Everything that can be known without starting a mesh, at the same time:  npm run check [NAME ... | all]
// Prints one line a check, then all that the failed ones said; exits with 1 when one failed.
import "./setup.mjs";
import { spawn } from "node:child_process";
import { inCi } from "./test-files.mjs";
import { env, node, root } from "./toolchain.mjs";

/** The rooms of src/ of each group of tests; `parts` has all the others, so that none is forgotten. */
const pure = "compile,emit,install,lib,model,registry,release";
const nodes = "agent,daemon";
const wires = "identity,rpc,store,xds";
const programs = "cli,dataplane";

/** One process for many files: twenty times faster than one each. Tests clean up after themselves, so they may share. Each group waits a lot: all at a time. */
const testGroups = {
  // Pure code, and what it is held to.
  rules: [`src/{${pure}}/**/!(*.slow).test.ts`, "test/*.test.ts", "test/contract/*.test.ts", "test/golden/**/*.test.ts"],
  // Code that waits and reads and writes, in three parts: one computes while another waits.
  nodes: [`src/{${nodes}}/**/!(*.slow).test.ts`],
  parts: [`src/!(${[pure, nodes, wires, programs].join().replaceAll(",", "|")})/**/!(*.slow).test.ts`],
  wires: [`src/{${wires}}/**/!(*.slow).test.ts`],
  // They start real programs, some of them Envoys, or take long on purpose: only when they are named, and by `npm test`.
  programs: [`src/{${programs}}/**/*.test.ts`, "src/**/*.slow.test.ts"],
};

function nodeTest(files) {
  // A watch that one test forgot must not keep everybody waiting for ever.
  // With more room for what is young, collecting garbage takes a third of the time.
  const options = [
    "--max-semi-space-size=64",
    "--test-isolation=none",
    "--test-force-exit",
    "--test-timeout=60000",
    "--test-reporter=spec",
    "--disable-warning=ExperimentalWarning",
  ];
  return [node, "--test", ...options, ...files];
}

/** By name: the program and its arguments. */
const checks = {
  format: ["biome", "check", "--reporter=summary"],
  // What it remembers of the last time makes it five times faster.
  types: ["tsc", "--noEmit", "--incremental", "--tsBuildInfoFile", ".cache/types.tsbuildinfo"],
  lint: ["oxlint", "--type-aware", "--deny-warnings", "src", "test", "bench", "scripts"],
  unused: ["knip", "--no-progress"],
  ...Object.fromEntries(Object.entries(testGroups).map(([name, files]) => [name, nodeTest(files)])),
};

const given = process.argv.slice(2);
const settings = {
  NO_COLOR: "1",
  npm_config_loglevel: "error",
  // The type-aware lint is a Go program with memory to spare.
  GOGC: "400",
  // Property tests draw less when somebody waits (test/support/runs.ts).
  ...(given.includes("all") ? {} : { WEIR_QUICK: "1" }),
};

/** Runs one check to its end. */
function check(name) {
  const [file, ...args] = checks[name];
  const startedAt = Date.now();
  return new Promise((resolve) => {
    let output = "";
    const done = (ok) => resolve({ name, ok, output, seconds: (Date.now() - startedAt) / 1000 });
    const child = spawn(file, args, { cwd: root, env: { ...env, ...settings }, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (output += piece));
    child.on("error", (error) => ((output += error.message), done(false)));
    child.on("close", (code) => done(code === 0));
  });
}

/** What to show of a failed check: of the tests only those that failed, and the figures. */
function excerpt({ name, output }) {
  if (!(name in testGroups)) return output.trim();
  const figures = output.indexOf("ℹ tests ");
  return (figures < 0 ? output : output.slice(figures)).trim();
}

function figures(output) {
  const count = (what) => /^ℹ (?:tests|pass|fail) .*/.test(what) && what;
  return output
    .split("\n")
    .map((line) => count(line.trim()))
    .filter(Boolean)
    .join(", ")
    .replaceAll("ℹ ", "");
}

const usual = Object.keys(checks).filter((name) => name !== "programs");
const names = given.length === 0 ? usual : given.includes("all") ? Object.keys(checks) : given;
for (const name of names.filter((name) => !(name in checks))) {
  console.error(`check: there is no check "${name}", only ${Object.keys(checks).join(", ")} and all`);
  process.exit(2);
}
const results = await Promise.all(
  names.map(async (name) => {
    const result = await check(name);
    console.log(
      `${result.ok ? "✔" : "✖"} ${name.padEnd(8)} ${result.seconds.toFixed(1).padStart(5)} s  ${name in testGroups ? figures(result.output) : ""}`.trimEnd(),
    );
    return result;
  }),
);
// In CI a group of tests that failed runs once more, by itself (see test-files.mjs).
for (const [at, { name, ok }] of results.entries()) {
  if (ok || !inCi || !(name in testGroups)) continue;
  const again = await check(name);
  console.log(`${again.ok ? "✔" : "✖"} ${name} once more${again.ok ? `: unstable\n${excerpt(results[at])}` : ""}`);
  results[at] = again;
}
const failed = results.filter((result) => !result.ok);
for (const result of failed) console.log(`\n── ${result.name} ${"─".repeat(60)}\n${excerpt(result)}`);
if (failed.length > 0) console.log(`\n${failed.map((result) => result.name).join(", ")}: not good. "npm run fix" formats and sorts imports.`);
process.exit(failed.length > 0 ? 1 : 0);
