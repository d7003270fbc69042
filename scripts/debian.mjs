// Debian's packages, fetched by the machine's own apt and unpacked into folders of ours; and the small things that set-up and images share.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { root } from "./toolchain.mjs";

const cache = path.join(root, ".cache");

/** A mistake or a lack on this machine that we can name; everything else is a bug and shows its stack. */
export class SetupError extends Error {}

/** Runs a program to its end; what it printed is shown only when it fails. */
export function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (output += piece));
    child.on("error", (error) => reject(new SetupError(`${file} cannot be started: ${error.message}`)));
    child.on("close", (code) => (code === 0 ? resolve(output) : reject(new SetupError(`${file} ${args.join(" ")} failed:\n${output.trim()}`))));
  });
}

export function succeeds(file, args) {
  return spawnSync(file, args, { stdio: "ignore" }).status === 0;
}

export function findProgram(program) {
  const dirs = [...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  return dirs.map((dir) => path.join(dir, program)).find((file) => path.isAbsolute(file) && existsSync(file));
}

/** Calls `work` with a folder below `parent` that is gone afterwards. */
export async function inFolder(parent, work) {
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(path.join(parent, "tmp-"));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Newer releases call some libraries by another name (libelf1t64); packages a release does not have are left out. */
function knownPackages(options, names) {
  const known = (name) => succeeds("apt-cache", [...options, "show", "--no-all-versions", name]);
  const found = names.map((name) => [name, `${name}t64`].find(known)).filter((name) => name !== undefined);
  if (found.length === 0) throw new SetupError(`apt knows none of ${names.join(", ")}`);
  return found;
}

async function fetchDebianNow(packages, extracted) {
  if (findProgram("apt-get") === undefined) throw new SetupError("this is not a Debian or Ubuntu system");
  const state = path.join(cache, "tools/apt");
  for (const part of ["lists/partial", "cache/archives/partial"]) mkdirSync(path.join(state, part), { recursive: true });
  // apt-get as root would hand the download to a user who may not write here.
  const any = ["-o", `Dir::Cache=${state}/cache`, "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"];
  const own = [...any, "-o", `Dir::State::Lists=${state}/lists`];
  mkdirSync(extracted, { recursive: true });
  const download = (options) =>
    inFolder(path.join(cache, "tools"), async (dir) => {
      await run("apt-get", [...options, "download", "-qq", ...knownPackages(options, packages)], { cwd: dir });
      for (const file of readdirSync(dir).filter((name) => name.endsWith(".deb"))) await run("dpkg-deb", ["-x", path.join(dir, file), extracted]);
    });
  try {
    await download(any);
  } catch {
    await run("apt-get", [...own, "update", "-qq"]);
    await download(own);
  }
}

let debianQueue = Promise.resolve();

/**
 * Fetches Debian packages and unpacks them in the folder `extracted`, without root: with the machine's package lists if it has them, else with private ones.
 * One call after the other: apt's private lists have no lock.
 */
export function fetchDebian(packages, extracted) {
  const result = debianQueue.then(() => fetchDebianNow(packages, extracted));
  debianQueue = result.catch(() => undefined);
  return result;
}
