// Runs test files one after the other, each in a process of its own: each starts meshes or clusters of its own and measures them.
//
// CI is a machine that others use, too. There (`.ci/run` sets WEIR_CI_STARTED, in seconds) a file that fails runs again, and passes if it does then; it is
// named as unstable at the end. No file is begun after its time: those that did not fit are named.
import { spawnSync } from "node:child_process";
import { env, node, root } from "./toolchain.mjs";

const startedAt = Number(process.env.WEIR_CI_STARTED ?? Number.NaN) * 1_000;
export const inCi = !Number.isNaN(startedAt);

function passes(file) {
  return spawnSync(node, ["--test", "--test-reporter=spec", file], { cwd: root, env, stdio: "inherit" }).status === 0;
}

/** Whether all of `files` that were run passed, in CI at one of so many `tries`. `minutes` after the beginning of CI no file is begun. */
export function runTestFiles(files, { minutes = 80, tries = 2 } = {}) {
  const isLate = () => inCi && Date.now() > startedAt + minutes * 60_000;
  const results = files.map((file) => {
    if (isLate()) return { file, end: "not run: there was no time left" };
    for (let at = 1; at <= (inCi ? tries : 1) && (at === 1 || !isLate()); at += 1) {
      console.log(`\n── ${file}${at === 1 ? "" : ", again"}`);
      if (passes(file)) return { file, end: at === 1 ? "passed" : "unstable: failed, then passed" };
    }
    return { file, end: "failed" };
  });
  for (const { file, end } of results.filter((result) => result.end !== "passed")) console.log(`${file}  ${end}`);
  return results.every(({ end }) => end !== "failed");
}
