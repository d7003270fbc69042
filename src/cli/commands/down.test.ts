import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";

const daemon = await startCannedDaemon();
const folder = path.join(daemon.home, "work");
mkdirSync(path.join(folder, "shop-folder"), { recursive: true });
writeFileSync(path.join(folder, "shop-folder/weir.yaml"), "services: {}\n");
writeFileSync(path.join(folder, "other.yaml"), "stack: named-inside\n");
writeFileSync(path.join(folder, "broken.yaml"), "stack: [\n");

beforeEach(() => {
  daemon.answers = { "POST /v1/down": { json: { removed: ["web@v1", "router/www"] } } };
  daemon.requests.length = 0;
});

async function asked(...args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await daemon.weir(["down", ...args], { cwd: folder });
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "removed web@v1\nremoved router/www\n", stderr: "" });
  return daemon.requests.at(-1)?.body;
}

test("without a name it is everything in the namespace", async () => {
  assert.deepEqual(await asked(), { all: false, namespace: "default" });
  assert.deepEqual(await asked("-n", "team-a"), { all: false, namespace: "team-a" });
});

test("a stack is named, or is what a folder or a file declares", async () => {
  assert.deepEqual(await asked("shop"), { all: false, stack: "shop" });
  assert.deepEqual(await asked("shop-folder"), { all: false, stack: "shop-folder" });
  assert.deepEqual(await asked("./shop-folder/"), { all: false, stack: "shop-folder" });
  assert.deepEqual(await asked("other.yaml"), { all: false, stack: "named-inside" });
  assert.deepEqual(await asked("-f", "other.yaml"), { all: false, stack: "named-inside" });
  assert.deepEqual(await asked("--stack", "other.yaml"), { all: false, stack: "other.yaml" });
});

test("what is not clear is refused, and nothing is asked", async () => {
  for (const [args, code] of [
    [["shop", "--stack", "other"], "stacks-differ"],
    [["shop", "--all"], "all-or-one"],
    [["-f", "broken.yaml"], "stack-unreadable"],
  ] as const) {
    const ended = await daemon.weir(["down", ...args], { cwd: folder });
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, new RegExp(`^error\\[${code}\\]`));
    assert.equal(ended.stdout, "");
  }
  assert.equal((await daemon.weir(["down", "-f", "nowhere.yaml"], { cwd: folder })).code, 3);
  assert.deepEqual(daemon.requests, []);
});
