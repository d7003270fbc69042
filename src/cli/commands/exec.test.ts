import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import type { ExecView } from "../../api/contract.ts";
import { commandInside } from "./exec.ts";

const daemon = await startCannedDaemon();

function plan(argv: readonly string[]): void {
  const view: ExecView = { kind: "program", workload: "web-v1-0", argv, env: { PATH: process.env["PATH"] ?? "", GREETING: "hi" } };
  daemon.answers = { "GET /v1/exec/default/web": { json: view }, "GET /v1/exec/prod/web%40v2": { json: view } };
}

test("input, output, environment and exit status are the command's", async () => {
  plan(["env"]);
  const { code, stdout, stderr } = await daemon.weir(["exec", "web", "--", "sh", "-c", 'cat; echo "$GREETING" >&2; exit 7'], { stdin: "from outside" });
  assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: "from outside", stderr: "hi\n" });
  assert.equal((await daemon.weir(["exec", "prod:web@v2", "--", "sh", "-c", "kill -9 $$"])).code, 137, "as a shell tells a signal");
});

test("what cannot be started is exit 6", async () => {
  plan(["/does/not/exist"]);
  const { code, stderr } = await daemon.weir(["exec", "web", "--", "true"]);
  assert.equal(code, 6);
  assert.match(stderr, /^error\[exec-failed\]: cannot start \/does\/not\/exist: /);
});

test("a command without -- is told where it belongs", async () => {
  const { code, stderr } = await daemon.weir(["exec", "web", "sh"]);
  assert.equal(code, 2);
  assert.match(stderr, /\(the command to run comes after --; see: weir exec --help\)/);
});

test("on a terminal the command has one of its own, and its words stay as they are", () => {
  const words = ["sh", "-c", `test -t 0 && echo "it's $1"`, "_", "a b"];
  assert.deepEqual(commandInside(words, false), words);
  const [file = "", ...args] = commandInside(words, true);
  assert.equal(execFileSync(file, args, { encoding: "utf8", input: "" }).trim(), "it's a b");
});
