import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { startCannedDaemon } from "../../test/support/canned-daemon.ts";
import { serviceView, systemView } from "../../test/support/views.ts";
import { commands } from "./commands.ts";
import { buildProgram } from "./program.ts";

const daemon = await startCannedDaemon();

/** The help texts of all commands, one after the other. */
function allHelp(): string {
  const program = buildProgram("VERSION", () => undefined);
  program.configureHelp({ helpWidth: 120 });
  const texts: string[] = [];
  const visit = (command: typeof program, words: readonly string[]): void => {
    let text = "";
    command.configureOutput({ writeOut: (piece) => (text += piece), getOutHelpWidth: () => 120, getOutHasColors: () => false });
    command.outputHelp();
    texts.push(`==> weir ${words.join(" ")}\n${text.trimEnd()}\n`);
    for (const sub of command.commands) visit(sub, [...words, sub.name()]);
  };
  visit(program, []);
  return texts.join("\n");
}

test("help of every command is as in help.golden.txt (UPDATE=1 writes it)", () => {
  const file = path.join(import.meta.dirname, "help.golden.txt");
  const now = allHelp();
  if (process.env["UPDATE"] === "1") writeFileSync(file, now);
  assert.equal(now, readFileSync(file, "utf8"));
});

test("every command has a summary and an example that begins with its own name", () => {
  for (const { path: words, summary, examples } of commands) {
    assert.notEqual(summary, "", words.join(" "));
    for (const example of examples) assert.ok(example === words.join(" ") || example.startsWith(`${words.join(" ")} `), `${words.join(" ")}: ${example}`);
  }
});

test("commands are what they are called once", () => {
  const names = commands.map((command) => command.path.join(" "));
  assert.deepEqual(names, [...new Set(names)]);
});

const statuses: readonly (readonly [number, number])[] = [
  [400, 2],
  [404, 3],
  [409, 4],
  [422, 1],
  [500, 1],
  [503, 6],
  [504, 5],
];

test("every status of the API has its exit code, and its problems are shown", async () => {
  for (const [status, exit] of statuses) {
    daemon.answers = {
      "GET /v1/services": { status, json: { problems: [{ code: "some-code", message: "some words", hint: "some hint" }] } },
      "GET /v1/jobs": { json: [] },
      "GET /v1/system": { json: systemView() },
    };
    const { code, stdout, stderr } = await daemon.weir(["ps"]);
    assert.deepEqual({ code, stdout, stderr }, { code: exit, stdout: "", stderr: "error[some-code]: some words\n  hint: some hint\n" }, String(status));
  }
});

test("an answer that is no API answer is shown, too", async () => {
  for (const json of ["<html>", "{}", "null"]) {
    daemon.answers = { "GET /v1/services": { status: 500, json }, "GET /v1/jobs": { json: [] } };
    const { code, stderr } = await daemon.weir(["ps", "-o", "json"]);
    assert.deepEqual({ code, stderr }, { code: 1, stderr: `error[daemon-error]: the daemon answered 500: ${json}\n  hint: see its log: weir system logs\n` });
  }
});

test("an unknown command or option is exit 2, and names the one that was meant", async () => {
  for (const [line, meant] of [
    ["pss", /Did you mean ps\?/],
    ["router lss", /Did you mean ls\?/],
    ["ps --wach", /Did you mean --watch\?/],
    ["up --plann", /Did you mean --plan\?/],
    ["logs web --folow", /Did you mean --follow\?/],
    ["rm", /missing required argument/],
    ["ps web", /too many arguments/],
    ["router", /Usage: weir router/],
  ] as const) {
    const { code, stdout, stderr } = await daemon.weir(line.split(" "));
    assert.match(stderr, meant, line);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, line);
  }
});

test("without a command there is help", async () => {
  const { code, stdout, stderr } = await daemon.weir([]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^Usage: weir/);
});

test("a reader that goes away is no error", async () => {
  daemon.answers = {
    "GET /v1/services": { json: Array.from({ length: 5_000 }, (_, index) => serviceView({ app: `app-${index}` })) },
    "GET /v1/jobs": { json: [] },
    "GET /v1/system": { json: systemView() },
  };
  const { code, stderr } = await daemon.weir(["ps"], { hangUp: true });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

test("help and version are data: stdout, exit 0", async () => {
  for (const line of ["--help", "help", "ps --help", "help ps", "router --help"]) {
    const { code, stdout, stderr } = await daemon.weir(line.split(" "));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, line);
    assert.match(stdout, /^Usage: weir/, line);
  }
  assert.match((await daemon.weir(["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
});

test("nothing that runs and nothing declared is exit 6, and starts nothing", async () => {
  const { code, stderr } = await daemon.weir(["ps"], { env: { WEIR_HOME: path.join(daemon.home, "empty") } });
  assert.equal(code, 6);
  assert.match(stderr, /^error\[nothing-running\]: nothing runs here yet\n {2}hint: start with: /);
});
