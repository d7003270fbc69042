/** What the node writes down: addresses and the files of a workload's start. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Addresses } from "./addresses.ts";
import { agentPaths, type WorkloadSpec } from "./contract.ts";
import { type AgentSettings, decodeSettings, encodeSettings, privateDir } from "./settings.ts";
import { hostsByDns, workloadDir, writeSharedFiles, writeWorkloadFiles } from "./workload-files.ts";

const tools = {
  hostname: "h",
  ip: "ip",
  mkfifo: "mkfifo",
  mount: "mount",
  nft: "nft",
  nsenter: "nsenter",
  setpriv: "setpriv",
  sh: "sh",
  tini: "tini",
  umount: "umount",
  unshare: "unshare",
};

function folder(t: TestContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "weir-node-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test("an id keeps its address, also in a new process; a freed one rests", (t) => {
  const file = path.join(folder(t), "addresses.json");
  const addresses = new Addresses(file);
  assert.equal(addresses.take("a"), "100.64.0.1");
  assert.equal(addresses.take("b"), "100.64.0.2");
  assert.equal(addresses.take("a"), "100.64.0.1");
  addresses.keepOnly(new Set(["b"]));
  const again = new Addresses(file);
  assert.equal(again.take("b"), "100.64.0.2");
  assert.equal(again.take("c"), "100.64.0.3", "not the one just freed: a late packet must not reach it");
});

test("all of 100.64.0.0/10 is used, and then again from the start around what is taken", (t) => {
  const file = path.join(folder(t), "addresses.json");
  writeFileSync(file, JSON.stringify({ next: 4_194_302, taken: { old: 1 } }));
  const addresses = new Addresses(file);
  assert.equal(addresses.take("last"), "100.127.255.254");
  assert.equal(addresses.take("wrapped"), "100.64.0.2");
  writeFileSync(file, "not json");
  assert.equal(new Addresses(file).take("x"), "100.64.0.1");
});

function spec(changes: Partial<WorkloadSpec>): WorkloadSpec {
  const base = {
    id: "web-v1-0",
    namespace: "default",
    app: "web",
    version: "v1",
    replica: 0,
    command: ["serve"],
    dir: "/srv",
    env: {},
    files: [],
    ports: [],
    health: {},
    egress: false,
  };
  return { ...base, stopSignal: "SIGTERM", drainMs: 0, graceMs: 0, specHash: "1", state: "run", ...changes };
}

test("files: one that exists is covered, new ones are laid over the deepest folder that exists", (t) => {
  const dir = folder(t);
  const context = { tools, dir, uid: 1, gid: 1, hidden: ["/state"], volumeDir: path.join(dir, "volumes"), defaultEnv: { HOME: "/home/u", PATH: "/bin" } };
  const existing = path.join(dir, "app.conf");
  writeFileSync(existing, "old");
  const files = [
    { path: existing, content: "new", mode: 0o400 },
    { path: path.join(dir, "sub/deep/a"), content: "A", mode: 0o644 },
    { path: path.join(dir, "sub/b"), content: "B", mode: 0o644 },
    { path: "/no-such-folder/c", content: "C", mode: 0o644 },
  ];
  const { script, remarks } = writeWorkloadFiles(spec({ files, env: { HOME: "/x", "a.b": "c" } }), context);
  const text = readFileSync(script, "utf8");
  const own = workloadDir(dir, "web-v1-0");
  assert.match(text, new RegExp(`mount --bind ${own}/files/0 ${existing}`));
  assert.equal(readFileSync(`${own}/files/0`, "utf8"), "new");
  assert.equal(statSync(`${own}/files/0`).mode & 0o777, 0o400);
  assert.equal(text.split("mount -t overlay").length - 1, 1, "both below the same folder share an overlay");
  assert.equal(readFileSync(`${own}/overlays/0/upper/sub/deep/a`, "utf8"), "A");
  assert.match(text, /pivot_root/, "a new folder of the root needs a new root");
  assert.equal(readFileSync(existing, "utf8"), "old", "the disk is as it was");
  const environment = readFileSync(`${own}/env`, "utf8");
  assert.match(environment, /export HOME=\/x\nexport PATH=\/bin|export PATH=\/bin\nexport HOME=\/x/);
  assert.equal(statSync(`${own}/env`).mode & 0o777, 0o600);
  assert.equal(remarks.length, 1);
  assert.match(remarks[0] ?? "", /a\.b/);
  // Folders that stay: over one that is there, and in a new place.
  const volumes = [
    { folder: "default/web@v1/0/here", path: dir },
    { folder: "default/web@v1/0/new", path: path.join(dir, "sub/db") },
  ];
  const withVolumes = readFileSync(writeWorkloadFiles(spec({ volumes }), context).script, "utf8");
  assert.match(withVolumes, new RegExp(`mount --bind ${context.volumeDir}/default/web@v1/0/here ${dir}\n`));
  assert.match(withVolumes, new RegExp(`mount -t overlay .*\n(.*\n)*.*mount --bind ${context.volumeDir}/default/web@v1/0/new ${dir}/sub/db`));
  assert.ok(statSync(`${own}/overlays/0/upper/sub/db`).isDirectory(), "something to mount it on");
  assert.ok(withVolumes.indexOf("/0/new") < withVolumes.indexOf("/state"), "before the state folder is hidden");
  // A second start begins from nothing.
  writeWorkloadFiles(spec({ files: [] }), context);
  assert.throws(() => statSync(`${own}/overlays/0`));
});

test("host names come from the file and DNS alone", (t) => {
  assert.equal(hostsByDns("passwd: files systemd\nhosts: mymachines resolve [!UNAVAIL=return] files dns\n"), "passwd: files systemd\nhosts: files dns\n");
  assert.equal(hostsByDns(""), "hosts: files dns\n");
  const dir = folder(t);
  writeSharedFiles(dir, "169.254.1.1", undefined);
  assert.match(readFileSync(path.join(dir, "resolv.conf"), "utf8"), /^nameserver 169\.254\.1\.1\nsearch \.\n/);
});

test("settings go through one argument", () => {
  const settings: AgentSettings = {
    stateDir: "/s",
    runDir: "/r",
    tools,
    envoy: "/e",
    agentEntry: "/a",
    nodeEntry: "/n",
    concurrency: 1,
    maxHeapBytes: 1,
    maxConnections: 1,
    drainSeconds: 1,
    parentSeconds: 2,
    hidden: [],
  };
  const decoded = decodeSettings(encodeSettings(settings));
  assert.deepEqual(decoded.settings, settings);
  assert.deepEqual(decoded.paths, agentPaths("/s", "/r"));
  assert.equal(privateDir(decoded.paths), "/s/agent/private");
  assert.throws(() => decodeSettings(undefined), /not by hand/);
});
