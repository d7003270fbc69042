import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import { serviceView } from "../../../test/support/views.ts";
import type { Plan, UpEvent, UpRequest } from "../../api/contract.ts";

const daemon = await startCannedDaemon();
const dir = mkdtempSync(path.join(tmpdir(), "weir-up-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const text = "services:\n  web:\n    command: node web.js\n";
writeFileSync(path.join(dir, "weir.yaml"), text);

const plan: Plan = {
  stack: "shop",
  changes: [
    { action: "create", kind: "service", namespace: "default", name: "web@v1", fields: [] },
    {
      action: "update",
      kind: "router",
      namespace: "prod",
      name: "www",
      fields: [
        { path: "hosts", after: "a" },
        { path: "rules", before: "1", after: "2" },
      ],
    },
    { action: "delete", kind: "secret", namespace: "default", name: "key", fields: [] },
  ],
  weights: [{ namespace: "default", app: "web", before: {}, after: { v1: 3_333, v2: 6_667 } }],
  notes: ["the volumes of db@v1 stay when it goes"],
};
const planned = `stack shop:
  + service web@v1
  ~ router prod:www
      hosts: (none) → a
      rules: 1 → 2
  - secret key
  ~ weights of web: (none) → v1 33.33%, v2 66.67%
  note: the volumes of db@v1 stay when it goes
`;

function answers(...lines: readonly UpEvent[]): void {
  daemon.requests.length = 0;
  daemon.answers = { "POST /v1/up": { lines }, "POST /v1/plan": { json: plan } };
}

function sent(): UpRequest {
  return daemon.requests.at(-1)?.body as UpRequest;
}

test("done: the plan, what is ready, where it is; progress is said on stderr, once for each change", async () => {
  const starting = serviceView({ state: "starting", ready: 0, reason: "ready check tcp :80: refused" });
  answers(
    { kind: "plan", plan },
    { kind: "progress", services: [starting], jobs: [] },
    { kind: "progress", services: [starting], jobs: [] },
    { kind: "progress", services: [serviceView()], jobs: [] },
    {
      kind: "done",
      services: [serviceView()],
      jobs: [],
      urls: [
        { name: "web", url: "http://web.localhost:8080" },
        { name: "longer", url: "http://x" },
      ],
      tookMs: 1_240,
    },
  );
  const { stdout, stderr, code } = await daemon.weir(["up", dir]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `${planned}1 service is ready after 1.2 s\n  web     http://web.localhost:8080\n  longer  http://x\nwhat runs: weir ps; what it says: weir logs -f\n`,
  );
  assert.equal(stderr, "web@v1                   starting  0/1  ready check tcp :80: refused\nweb@v1                   ready     1/1\n");
});

test("failed: which, why, its last lines, and what became of the rest; exit 1", async () => {
  const failures = [{ namespace: "prod", name: "web@v2", reason: "exited with code 1 three times", lastLog: ["boom", "bang"] }];
  answers({ kind: "plan", plan: { stack: "shop", changes: [], weights: [], notes: [] } }, { kind: "failed", failures, restored: true });
  const { stdout, stderr, code } = await daemon.weir(["up", dir]);
  assert.equal(code, 1);
  assert.equal(stdout, "stack shop: no changes\n");
  assert.equal(
    stderr,
    "failed prod:web@v2: exited with code 1 three times\n  its last lines:\n    boom\n    bang\nwhat ran before runs on, and is what is declared again\n",
  );
  answers({ kind: "failed", failures: [], restored: false });
  assert.equal((await daemon.weir(["up", dir])).stderr, "what is declared stays as it is now\n");
  answers({ kind: "failed", failures: [], restored: true, timedOut: true });
  assert.equal((await daemon.weir(["up", dir])).code, 5, "too slow is another exit code than wrong");
});

test("-o json: the last event alone is on stdout; people who watch see the rest on stderr", async () => {
  const ends: readonly (readonly [UpEvent, number])[] = [
    [{ kind: "done", services: [serviceView()], jobs: [], urls: [], tookMs: 5 }, 0],
    [{ kind: "failed", failures: [], restored: true }, 1],
    [{ kind: "applied" }, 0],
  ];
  for (const [event, exit] of ends) {
    answers({ kind: "plan", plan }, event);
    const { stdout, stderr, code } = await daemon.weir(["up", dir, "-o", "json"]);
    assert.deepEqual({ code, event: JSON.parse(stdout) as unknown }, { code: exit, event });
    assert.ok(stderr.startsWith(planned));
  }
});

test("without waiting; and a daemon that ends in between", async () => {
  answers({ kind: "plan", plan }, { kind: "applied" });
  const { stdout, code } = await daemon.weir(["up", dir, "--no-wait"]);
  assert.equal(sent().wait, false);
  assert.deepEqual({ stdout, code }, { stdout: `${planned}applied; see what becomes of it: weir ps --watch\n`, code: 0 });
  answers({ kind: "plan", plan });
  const cut = await daemon.weir(["up", dir]);
  assert.equal(cut.code, 6);
  assert.match(cut.stderr, /^error\[up-interrupted\]: the daemon ended while it was at work\n {2}hint: /);
});

test("--plan only asks; JSON is the plan as it is", async () => {
  answers();
  assert.equal((await daemon.weir(["up", dir, "--plan"])).stdout, planned);
  assert.deepEqual(JSON.parse((await daemon.weir(["up", dir, "--plan", "-o", "json"])).stdout), plan);
  assert.deepEqual(new Set(daemon.requests.map(({ url }) => url)), new Set(["/v1/plan"]));
});

test("what is sent: the file with its folder, and options only where given", async () => {
  answers({ kind: "applied" });
  await daemon.weir(["up", dir]);
  assert.deepEqual(sent(), { source: { file: path.join(dir, "weir.yaml"), text, dir, files: {}, env: {} }, wait: true, timeoutMs: 120_000 });
  await daemon.weir(["up", "--stack", "s", "-n", "prod", "--timeout", "30s", "-f", path.join(dir, "weir.yaml")]);
  assert.deepEqual([sent().stack, sent().namespace, sent().timeoutMs], ["s", "prod", 30_000]);
});

test("- is stdin, relative to the folder where one is; so is no argument the file of this folder", async () => {
  answers({ kind: "applied" });
  await daemon.weir(["up", "-f", "-"], { stdin: text, cwd: dir });
  assert.deepEqual([sent().source.file, sent().source.text, sent().source.dir], ["stdin", text, dir]);
  await daemon.weir(["up"], { cwd: dir });
  assert.deepEqual([sent().source.file, sent().source.dir], ["weir.yaml", dir]);
});

test("a folder or file that is not there is exit 3, before anything is asked", async () => {
  answers();
  const { code, stderr } = await daemon.weir(["up", path.join(dir, "nowhere")]);
  assert.equal(code, 3);
  assert.match(stderr, /^error\[file-missing\]: there is no .*nowhere\n {2}hint: name a folder with a weir.yaml, or a file with -f\n$/);
  const empty = await daemon.weir(["up", tmpdir()]);
  assert.deepEqual([empty.code, daemon.requests.length], [3, 0]);
});

test("problems in the file show their place, with a caret below it", async () => {
  daemon.answers = {
    "POST /v1/up": {
      status: 400,
      json: {
        problems: [
          {
            code: "unknown-key",
            message: 'there is no "prots"',
            where: { file: "weir.yaml", line: 12, column: 3, text: "\tx prots: [80]" },
            hint: "did you mean ports?",
          },
          { code: "two", message: "another", where: { file: "weir.yaml", line: 13, column: 1 } },
        ],
      },
    },
  };
  const { code, stdout, stderr } = await daemon.weir(["up", dir]);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  assert.equal(
    stderr,
    `weir.yaml:12:3: error[unknown-key]: there is no "prots"\n  12 | \tx prots: [80]\n     | \t ^\n  hint: did you mean ports?\nweir.yaml:13:1: error[two]: another\n`,
  );
});

test("Ctrl-C ends the waiting, not what was asked for, and says so", async () => {
  daemon.answers = { "POST /v1/up": { lines: [{ kind: "plan", plan }], open: true } };
  const { signal, stdout, stderr } = await daemon.weir(["up", dir], { signal: "SIGINT" });
  assert.deepEqual({ signal, stdout, stderr }, { signal: "SIGINT", stdout: planned, stderr: "no longer waiting; what is declared goes on: weir ps --watch\n" });
});
