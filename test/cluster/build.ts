/**
 * Builds the cluster's programs from Go modules. Each folder below `go` names one module by exact version, with the hashes of all that it is made from.
 * What was compiled before, for whatever checkout, comes out of Go's own cache; then only linking is left.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binDir, stampsDir, toolsDir } from "./places.ts";
import { run } from "./run.ts";
import type { Say } from "./start.ts";

interface GoBuild {
  /** Folder of the module. */
  readonly dir: string;
  /** What it is made to: a file, or a folder of files. */
  readonly output: string;
  /** `tool`: all that the module names as its tools. */
  readonly packages: string;
  readonly linkerFlags?: string;
  readonly tags?: string;
  /** Environment for a build with C. */
  readonly cgo?: Readonly<Record<string, string>>;
}

const here = import.meta.dirname;
const versionPackage = "k8s.io/component-base/version";

/** The kubelet and the scheduler refuse to work with an API server whose version they cannot read. */
function kubernetesVersion(): string {
  const version = /k8s\.io\/kubernetes (v\d+\.\d+\.\d+)/.exec(readFileSync(path.join(here, "go/kubernetes/go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error("go/kubernetes/go.mod names no version of Kubernetes");
  return version;
}

function builds(): readonly GoBuild[] {
  const version = kubernetesVersion();
  const [major, minor] = version.slice(1).split(".");
  const named = [`${versionPackage}.gitVersion=${version}`, `${versionPackage}.gitMajor=${major}`, `${versionPackage}.gitMinor=${minor}`];
  return [
    { dir: "go/kubernetes", output: "", packages: "tool", linkerFlags: named.map((value) => `-X ${value}`).join(" ") },
    { dir: "go/containerd", output: "", packages: "tool" },
    { dir: "go/runc", output: "", packages: "tool", tags: "seccomp netgo osusergo", linkerFlags: "-extldflags -static", cgo: seccomp() },
    { dir: "go/etcd", output: "etcd", packages: "tool" },
    { dir: "go/cni", output: "cni/", packages: "tool" },
    { dir: "go/coredns", output: "coredns", packages: "." },
    { dir: "images", output: "images/", packages: "./..." },
  ];
}

/** libseccomp is where scripts/setup.mjs unpacked it; pkg-config, which would look elsewhere, is a script that says so. */
function seccomp(): Readonly<Record<string, string>> {
  const root = path.join(toolsDir, "root/usr");
  const library = globSync("lib/*/libseccomp.a", { cwd: root })[0];
  if (library === undefined) throw new Error("libseccomp is missing: node scripts/setup.mjs --cluster");
  const script = path.join(stampsDir, "pkg-config");
  mkdirSync(stampsDir, { recursive: true });
  const [headers, libraries] = [path.join(root, "include"), path.join(root, path.dirname(library))];
  writeFileSync(script, `#!/bin/sh\ncase "$*" in *--cflags*) echo "-I${headers}" ;; *) echo "-L${libraries} -lseccomp" ;; esac\n`, { mode: 0o755 });
  return { PKG_CONFIG: script };
}

/** Builds what is missing or older than its module's files. */
export async function buildPrograms(say: Say): Promise<void> {
  await checkCompilers();
  const go = (await run(["go", "env", "GOVERSION"], { env: goEnvironment })).trim();
  for (const build of builds()) {
    const stamp = path.join(stampsDir, path.basename(build.dir));
    const wanted = hashOf(build, go);
    if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) continue;
    say(`building ${build.dir} …`);
    const startedAt = Date.now();
    rmSync(stamp, { force: true });
    await runBuild(build);
    mkdirSync(stampsDir, { recursive: true });
    writeFileSync(stamp, wanted);
    say(`building ${build.dir}: done in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  }
}

/** The caller's PATH: Go and C are the machine's own. What else the caller set for Go must not change what is built. */
const goEnvironment = { PATH: process.env["PATH"] ?? "", GOFLAGS: "", GOWORK: "off" };

async function checkCompilers(): Promise<void> {
  for (const [program, packages] of [
    ["go", "Go 1.26 or newer"],
    ["gcc", "a C compiler (Debian: apt install gcc libc6-dev)"],
  ] as const)
    await run([program, program === "go" ? "version" : "--version"], { env: goEnvironment }).catch(() => {
      throw new Error(`${program} is missing: the test cluster is built with ${packages}`);
    });
}

async function runBuild({ dir, output, packages, linkerFlags = "", tags, cgo }: GoBuild): Promise<void> {
  const target = path.join(binDir, output);
  mkdirSync(output === "" || output.endsWith("/") ? target : path.dirname(target), { recursive: true });
  const flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", `-ldflags=-s -w ${linkerFlags}`, ...(tags === undefined ? [] : [`-tags=${tags}`])];
  const words = ["go", "build", ...flags, "-o", output === "" ? `${target}/` : target, packages];
  await run(words, { cwd: path.join(here, dir), env: { ...goEnvironment, CGO_ENABLED: cgo === undefined ? "0" : "1", ...cgo }, timeoutMs: 40 * 60_000 });
}

function hashOf(build: GoBuild, go: string): string {
  const hash = createHash("sha256").update(JSON.stringify([build, go]));
  for (const file of globSync("**/{go.mod,go.sum,*.go}", { cwd: path.join(here, build.dir) }).sort())
    hash.update(file).update(readFileSync(path.join(here, build.dir, file)));
  return hash.digest("hex");
}
