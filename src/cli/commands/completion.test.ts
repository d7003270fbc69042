import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { beforeEach, test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import { serviceView } from "../../../test/support/views.ts";
import { commands } from "../commands.ts";

const daemon = await startCannedDaemon();

beforeEach(() => {
  daemon.requests.length = 0;
  daemon.answers = {
    "GET /v1/services": { json: [serviceView(), serviceView({ version: "v2" }), serviceView({ app: "cart" })] },
    "GET /v1/jobs": { json: [{ name: "migrate" }] },
    "GET /v1/routers": { json: [{ name: "www" }] },
    "GET /v1/externals": { json: [] },
    "GET /v1/configs": { json: [{ name: "site" }] },
    "GET /v1/secrets": { json: [{ name: "key" }] },
    "GET /v1/stacks": { json: [{ name: "shop" }] },
  };
});

async function words(...typed: readonly string[]): Promise<readonly string[]> {
  const { stdout, stderr, code } = await daemon.weir(["completion", "words", "--", ...typed]);
  assert.deepEqual({ stderr, code }, { stderr: "", code: 0 });
  return stdout.split("\n").filter((word) => word !== "");
}

test("first commands, then words of groups; only what begins as typed", async () => {
  const first = await words("");
  assert.deepEqual([...first].sort(), [...new Set(commands.map(({ path }) => path[0]))].sort());
  assert.deepEqual(await words("ro"), ["rollback", "router"]);
  assert.deepEqual(await words("router", ""), ["ls", "show"]);
  assert.deepEqual(await words("nonsense", ""), []);
  assert.deepEqual(daemon.requests, []);
});

test("names that the command takes", async () => {
  assert.deepEqual(await words("promote", "web"), ["web@v1", "web@v2"]);
  assert.deepEqual(await words("rollback", ""), ["web", "cart"]);
  assert.deepEqual(await words("logs", "--tail", "5", "c"), ["cart", "cart@v1"]);
  assert.deepEqual(await words("rm", ""), ["web", "cart", "web@v1", "web@v2", "cart@v1", "job/migrate", "router/www", "config/site", "secret/key"]);
  assert.deepEqual(await words("router", "show", ""), ["www"]);
  assert.deepEqual(await words("down", ""), ["shop"]);
  assert.deepEqual(await words("explain", "weights-"), ["weights-sum"]);
});

test("names are asked for in the namespace that is typed", async () => {
  await words("scale", "-n", "prod", "");
  assert.deepEqual([...new Set(daemon.requests.map(({ url }) => url))], ["/v1/services?namespace=prod"]);
});

test("options where a dash is typed, formats after -o, nothing after --", async () => {
  assert.deepEqual(await words("ps", "--"), ["--all-namespaces", "--watch", "--context", "--kubeconfig", "--namespace", "--output", "--help"]);
  assert.deepEqual(await words("ps", "-o", "j"), ["json"]);
  assert.deepEqual(await words("exec", "web", "--", "c"), []);
  assert.deepEqual(await words("up", ""), [], "the shell knows folders better");
});

test("without a daemon there are commands and options, and no daemon is started", async () => {
  const { stdout, code } = await daemon.weir(["completion", "words", "--", "promote", ""], { env: { WEIR_HOME: `${daemon.home}/none` } });
  assert.deepEqual({ stdout, code }, { stdout: "", code: 0 });
});

test("bash: a name is completed behind its @, which Bash takes for the end of a word", async () => {
  const { stdout: script } = await daemon.weir(["completion", "bash"]);
  const line = "weir promote web@v";
  // The script's own `weir` is a function here that shows what it is asked.
  const program = `weir() { printf '%s|' "$@" >&2; printf 'web@v1\\nweb@v2\\n'; }
${script.replaceAll("2>/dev/null", "")}
COMP_LINE='${line} more' COMP_POINT=${line.length}; _weir; printf '<%s>' "\${COMPREPLY[@]}"
COMP_LINE='weir ' COMP_POINT=5; _weir`;
  const { stdout, stderr } = spawnSync("bash", ["-c", program], { encoding: "utf8" });
  assert.deepEqual({ stdout, stderr }, { stdout: "<v1><v2>", stderr: "completion|words|--|promote|web@v|completion|words|--||" });
});

test("every shell's script asks for words with the one in progress", async () => {
  for (const shell of ["bash", "zsh", "fish"]) assert.match((await daemon.weir(["completion", shell])).stdout, /weir completion words -- .*\n/, shell);
});
