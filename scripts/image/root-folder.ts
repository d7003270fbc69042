/** What is in the image: our bundles, Node.js, Envoy, a few programs of Debian's with the libraries they load, and nothing else. */
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { node, root } from "../toolchain.mjs";
import { programs } from "./programs.ts";

const exec = promisify(execFile);

/** dist/NAME.js of the processes that run in a cluster. */
const entries = ["control", "cluster-agent", "gateway"];
const programFolders = ["usr/sbin", "usr/bin", "sbin", "bin"];
/** Folders that programs look for. /var/run is one, no link: what is mounted below it must not land in /run. */
const folders = ["dev", "proc", "sys", "run", "tmp", "etc", "root", "var/run", "var/lib", "opt/weir/dist", "usr/local/bin", "usr/sbin", "usr/bin"];
/** Debian 12 and later have one folder for both. */
const merged = { bin: "usr/bin", sbin: "usr/sbin", lib: "usr/lib", lib64: "usr/lib64" } as const;

const files: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweir:x:65532:65532:weir:/:/bin/sh\n",
  "etc/group": "root:x:0:\nweir:x:65532:\n",
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};

/** Fills the folder `to`, which must not exist, with what Weir's image holds. `debian` holds the unpacked packages. Throws when something is missing. */
export async function fillRootFolder(to: string, debian: string): Promise<void> {
  await fillPrograms(to, debian, { "usr/local/bin/node": node, "usr/local/bin/envoy": envoy() }, programs);
  copyFileSync(path.join(import.meta.dirname, "agent.sh"), path.join(to, "opt/weir/agent.sh"));
  copyBundles(path.join(to, "opt/weir/dist"));
}

/** Fills the folder `to`, which must not exist: `own` (path inside → file here), programs of Debian's by name, the libraries that all of them load, and what every image has. */
export async function fillPrograms(to: string, debian: string, own: Readonly<Record<string, string>>, names: readonly string[]): Promise<void> {
  for (const folder of [...folders, "usr/lib", "usr/lib64"]) mkdirSync(path.join(to, folder), { recursive: true });
  for (const [link, target] of Object.entries(merged)) symlinkSync(target, path.join(to, link));
  chmodSync(path.join(to, "tmp"), 0o1777);
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(to, file), text);
  writeCertificates(to, debian);
  const theirs = Object.fromEntries(names.map((name) => [`usr/bin/${name}`, findProgram(debian, name)]));
  for (const [inside, file] of Object.entries({ ...own, ...theirs })) placeFile(to, inside, file);
  for (const library of await librariesOf(debian, Object.values({ ...own, ...theirs }))) placeFile(to, library, path.join(debian, library));
}

function envoy(): string {
  const file = process.env["WEIR_ENVOY"] || globSync(".cache/envoy/*/envoy", { cwd: root })[0];
  if (file === undefined) throw new Error("there is no Envoy in .cache/envoy: node scripts/setup.mjs");
  return path.resolve(root, file);
}

function findProgram(debian: string, name: string): string {
  const inside = programFolders.map((folder) => path.join(debian, folder, name === "sh" ? "dash" : name)).find((file) => existsSync(file));
  if (inside === undefined) throw new Error(`Debian's packages brought no ${name}`);
  return realpathSync(inside);
}

function placeFile(to: string, inside: string, from: string): void {
  // Into the merged folders, wherever the package has it.
  const place = path.join(to, inside.replace(/^(bin|sbin|lib|lib64)\//, "usr/$1/"));
  mkdirSync(path.dirname(place), { recursive: true });
  copyFileSync(from, place);
  chmodSync(place, 0o755);
}

/** Paths, below the folder of the packages, of all libraries that the programs load, and of what loads them. */
async function librariesOf(debian: string, wanted: readonly string[]): Promise<ReadonlySet<string>> {
  const loader = globSync(["lib64/ld-linux-*.so.*", "lib/ld-linux-*.so.*", "usr/lib*/ld-linux-*.so.*"], { cwd: debian })[0];
  if (loader === undefined) throw new Error("Debian's libc6 brought no program interpreter");
  const triple = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const search = ["lib", "usr/lib"].map((folder) => path.join(debian, folder, triple)).join(":");
  const found = new Set([loader]);
  const list = async (file: string): Promise<void> => {
    const { stdout } = await exec(path.join(debian, loader), ["--library-path", search, "--list", file]).catch(() => ({ stdout: "" }));
    for (const [, name = "", library] of stdout.matchAll(/^\s*(\S+) => (\S+)/gm)) {
      if (library?.startsWith(debian) === true) found.add(path.relative(debian, library));
      else if (!name.includes("ld-linux")) throw new Error(`${file} needs ${name}, which is in none of Debian's packages (see debian-root.ts)`);
    }
  };
  await Promise.all(wanted.map(list));
  return found;
}

/** What the package's own script would make at its installation. */
function writeCertificates(to: string, debian: string): void {
  const from = path.join(debian, "usr/share/ca-certificates/mozilla");
  const texts = readdirSync(from)
    .sort()
    .map((name) => readFileSync(path.join(from, name), "utf8").trimEnd());
  mkdirSync(path.join(to, "etc/ssl/certs"), { recursive: true });
  writeFileSync(path.join(to, "etc/ssl/certs/ca-certificates.crt"), `${texts.join("\n")}\n`);
}

/** The entries and whatever they import, directly or not: dist/ also holds other programs, and pieces of earlier builds. */
function copyBundles(to: string): void {
  const dist = path.join(root, "dist");
  const wanted = entries.map((name) => `${name}.js`).filter((file) => existsSync(path.join(dist, file)));
  for (const file of wanted) {
    const text = readFileSync(path.join(dist, file), "utf8");
    writeFileSync(path.join(to, file), text.replace(/^\/\/# sourceMappingURL=.*\n?/m, ""));
    for (const [, imported = ""] of text.matchAll(/["']\.\/([\w.-]+\.js)["']/g))
      if (!wanted.includes(imported) && existsSync(path.join(dist, imported))) wanted.push(imported);
  }
  writeFileSync(path.join(to, "../package.json"), '{ "type": "module" }\n');
}
