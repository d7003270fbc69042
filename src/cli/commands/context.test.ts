import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, test } from "node:test";
import { startCannedDaemon } from "../../../test/support/canned-daemon.ts";
import { commands } from "../commands.ts";

const daemon = await startCannedDaemon();
const home = path.join(daemon.home, "context");
const kubeconfig = path.join(daemon.home, "kubeconfig.yaml");
const choice = path.join(home, "context.json");

mkdirSync(home, { recursive: true });
writeFileSync(
  kubeconfig,
  `
current-context: staging
clusters:
  - { name: one, cluster: { server: "https://one.example:6443" } }
  - { name: two, cluster: { server: "https://two.example" } }
contexts:
  - { name: production, context: { cluster: one, user: me } }
  - { name: staging, context: { cluster: two } }
  - { name: broken, context: { cluster: none } }
`,
);
const weir = (...words: readonly string[]) => daemon.weir(words, { env: { WEIR_HOME: home, KUBECONFIG: kubeconfig } });

beforeEach(() => rmSync(choice, { force: true }));

test("contexts are this machine and those of the kubeconfig", async () => {
  const { stdout, code } = await weir("context", "list");
  assert.equal(code, 0);
  assert.equal(
    stdout,
    [
      "   CONTEXT     WHERE",
      "*  local       this machine",
      "   production  https://one.example:6443",
      "   staging     https://two.example",
      "   broken      -",
      "",
    ].join("\n"),
  );
});

test("a choice is remembered for this user only, and local forgets it", async () => {
  assert.equal((await weir("context", "use", "production")).stderr, "commands act on production (https://one.example:6443)\n");
  assert.equal(statSync(choice).mode & 0o777, 0o600);
  assert.equal((await weir("context", "show")).stdout, "production\n");
  assert.equal((await weir("context", "list", "-o", "name")).stdout, "local\nproduction\nstaging\nbroken\n");
  assert.equal((await weir("context", "use", "local")).code, 0);
  assert.deepEqual(JSON.parse((await weir("context", "show", "-o", "json")).stdout), { name: "local", kind: "local" });
});

test("a context that is not there gets a hint, and the choice stays", async () => {
  const { code, stderr } = await weir("context", "use", "prodution");
  assert.equal(code, 3);
  assert.match(stderr, /error\[kube-context-unknown\]: there is no context "prodution"\n {2}hint: did you mean "production"\?/);
  assert.equal((await weir("context", "show")).stdout, "local\n");
});

test("without a kubeconfig there is this machine; a broken one is a problem", async () => {
  const without = await daemon.weir(["context", "list", "-o", "name"], { env: { WEIR_HOME: home, KUBECONFIG: "/nowhere" } });
  assert.equal(without.stdout, "local\n");
  const broken = path.join(daemon.home, "broken.yaml");
  writeFileSync(broken, "a: [");
  assert.match((await weir("context", "list", "--kubeconfig", broken)).stderr, /error\[kubeconfig-invalid\]/);
});

test("what is not said to work anywhere refuses while a cluster is chosen", async () => {
  await weir("context", "use", "staging");
  const anywhere = commands.filter(({ where }) => where === "anywhere").map((command) => command.path.join(" "));
  assert.deepEqual(anywhere, ["export", "schema", "explain", "install", "uninstall", "context list", "context use", "context show", "completion", "version"]);
  const machine = commands.filter(({ where }) => where === "machine").map((command) => command.path.join(" "));
  assert.deepEqual(machine, ["system status", "system stop", "system replace-envoy", "system logs"]);
  const { code, stderr } = await weir("system", "status");
  assert.equal(code, 2);
  assert.match(
    stderr,
    /error\[context-not-supported\]: weir system status acts on this machine only, and the context is the cluster staging\n {2}hint: .*weir context use local/,
  );
});

test("--context says it for one command; what needs a cluster refuses on this machine", async () => {
  await weir("context", "use", "staging");
  assert.match((await weir("ps", "--context", "local")).stderr, /error\[nothing-running\]/);
  assert.match((await weir("ps", "--context", "prod")).stderr, /error\[kube-context-unknown\]/);
  assert.match((await weir("up", "--listen", "127.0.0.1:1", "-f", kubeconfig)).stderr, /error\[option-elsewhere\]/);
  assert.match((await weir("run", "-n", "x", "--", "y")).stderr, /error\[image-missing\]: there is no image to run/);
  await weir("context", "use", "local");
  const { code, stderr } = await weir("port-forward", "web", "80");
  assert.equal(code, 2);
  assert.match(stderr, /error\[context-not-supported\]: weir port-forward acts on a cluster, and the context is this machine/);
});

test("a damaged choice is never taken for this machine", async () => {
  writeFileSync(choice, "{");
  chmodSync(choice, 0o600);
  assert.match((await weir("ps")).stderr, /error\[context-unreadable\]/);
  assert.equal((await weir("context", "use", "local")).code, 0);
});

test("names of contexts are completed", async () => {
  const { stdout } = await weir("completion", "words", "--", "context", "use", "pro");
  assert.match(stdout, /^production$/m);
});
