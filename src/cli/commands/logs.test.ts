import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import type { LogLine } from "../../api/contract.ts";

const daemon = await startCannedDaemon();
const said: readonly LogLine[] = [
  { at: 0, workload: "web-v1-0", stream: "stdout", line: "hello" },
  { at: 1_000, workload: "cart-v1-0", stream: "stderr", line: "oh: no" },
  { at: 2_000, workload: "web-v1-0", stream: "stdout", line: "" },
];

beforeEach(() => {
  daemon.requests.length = 0;
  daemon.answers = { "GET /v1/logs": { lines: said } };
});

async function printed(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await daemon.weir(["logs", ...args]);
  assert.deepEqual({ stderr, code }, { stderr: "", code: 0 });
  return stdout;
}

test("who says what, with the time where it is wanted", async () => {
  assert.equal(await printed(), "web-v1-0 hello\ncart-v1-0 oh: no\nweb-v1-0 \n");
  assert.match(await printed("--timestamps"), /^1970-01-01T00:00:00\.000Z web-v1-0 hello\n1970-01-01T00:00:01\.000Z cart/);
});

test("for scripts: JSON a line, YAML a document, names once", async () => {
  const lines = (await printed("-o", "json")).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    said,
  );
  assert.match(await printed("-o", "yaml"), /^---\nat: 0\nworkload: web-v1-0\nstream: stdout\nline: hello\n---\n/);
  assert.equal(await printed("-o", "name"), "web-v1-0\ncart-v1-0\n");
});

test("what is asked: refs, tail and time", async () => {
  const before = Date.now();
  await printed("web", "cart@v2", "--tail", "7", "--since", "10s", "-n", "prod");
  const url = new URL(daemon.requests[0]?.url ?? "", "http://daemon");
  assert.deepEqual(
    [url.pathname, url.searchParams.getAll("ref"), url.searchParams.get("tail"), url.searchParams.get("follow"), url.searchParams.get("namespace")],
    ["/v1/logs", ["web", "cart@v2"], "7", "false", "prod"],
  );
  const since = Number(url.searchParams.get("since"));
  assert.ok(since >= before - 10_000 && since <= Date.now() - 10_000);
});

test("following ends by Ctrl-C, quietly", async () => {
  daemon.answers = { "GET /v1/logs": { lines: said, open: true } };
  const { stderr, signal, code } = await daemon.weir(["logs", "-f"], { signal: "SIGINT" });
  assert.equal(stderr, "");
  assert.ok(signal === "SIGINT" || code === 130, `${signal} ${code}`);
});
