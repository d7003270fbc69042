// The tests' job: CALL: a URL that it gets, once, at once; SLEEP_MS: how long it works; COUNT_FILE: a file that gets one line; EXIT: its exit code;
// WAIT_FILE: it says "waits" again and again until this file is there.
import { appendFileSync, existsSync } from "node:fs";

const { CALL, SLEEP_MS = "0", COUNT_FILE, WAIT_FILE, EXIT = "0", WEIR_JOB, WEIR_RUN } = process.env;
console.log(`${WEIR_JOB} begins, run ${WEIR_RUN}`);
if (COUNT_FILE !== undefined) appendFileSync(COUNT_FILE, "begun\n");
if (CALL !== undefined) {
  const answer = await fetch(CALL);
  console.log(`${CALL} answered ${answer.status}: ${await answer.text()}`);
  if (!answer.ok) process.exit(4);
}
await new Promise((resolve) => setTimeout(resolve, Number(SLEEP_MS)));
const mayEnd = () => WAIT_FILE === undefined || existsSync(WAIT_FILE);
while (!mayEnd()) {
  console.log("waits");
  await new Promise((resolve) => setTimeout(resolve, 200));
}
if (COUNT_FILE !== undefined) appendFileSync(COUNT_FILE, "ended\n");
console.log(`ends with ${EXIT}`);
process.exitCode = Number(EXIT);
