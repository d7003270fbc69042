/**
 * Builds the cluster's programs from Go modules. Each folder below `go` names one module by exact version, with the hashes of all that it is made from.
 * What was compiled before, for whatever checkout, comes out of Go's own cache; then only linking is left.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binDir, stampsDir, toolsDir } from "./places.ts";
import { run, tryRun } from "./run.ts";
import type { Say } from "./say.ts";

interface GoBuild {
  /** Folder of the module. */
  readonly dir: string;
  /** What it is made to: a file, or a folder of files. */
  readonly output: string;
  /** `tool`: all that the module names as its tools. */
  readonly packages: string;
  /** It is a Go test, made to a program. */
  readonly test?: true;
  readonly linkerFlags?: string;
  readonly tags?: string;
  /** Needs C and libseccomp. */
  readonly seccomp?: true;
}

const here = import.meta.dirname;
const versionPackage = "k8s.io/component-base/version";

/** Programs compare the version that they were linked with to that of the API server. */
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
    { dir: "go/runc", output: "", packages: "tool", tags: "seccomp netgo osusergo", linkerFlags: "-extldflags -static", seccomp: true },
    { dir: "go/etcd", output: "etcd", packages: "tool" },
    { dir: "go/cni", output: "cni/", packages: "tool" },
    { dir: "go/coredns", output: "coredns", packages: "." },
    { dir: "images", output: "images/", packages: "./..." },
  ];
}

/** Gateway API's own suite, the programs that it has in its pods, and where the module has its CRDs: for those who run it. */
const conformance: readonly GoBuild[] = [
  { dir: "go/conformance", output: "gateway-api-conformance", packages: ".", test: true },
  { dir: "go/meshecho", output: "meshecho/", packages: "tool" },
  { dir: "go/gatewayecho", output: "gatewayecho/", packages: "tool" },
];

/** Environment for a build with libseccomp: it is where scripts/setup.mjs unpacked it, and pkg-config, which would look elsewhere, is a script that says so. */
function seccompEnvironment(): Readonly<Record<string, string>> {
  const root = path.join(toolsDir, "root/usr");
  const library = globSync("lib/*/libseccomp.a", { cwd: root })[0];
  if (library === undefined) throw new Error("libseccomp is missing: node scripts/setup.mjs --cluster");
  const script = path.join(stampsDir, "pkg-config");
  mkdirSync(stampsDir, { recursive: true });
  writeFileSync(script, `#!/bin/sh\ncase "$*" in *--cflags*) ;; *) echo -lseccomp ;; esac\n`, { mode: 0o755 });
  // The folders are not the script's to say: Go's cache knows what these variables were when it kept something, and another checkout has other folders.
  return { PKG_CONFIG: script, CGO_CFLAGS: `-I${path.join(root, "include")}`, CGO_LDFLAGS: `-L${path.join(root, path.dirname(library))}` };
}

/** Says whether everything was built once. */
export function isBuilt(): boolean {
  return builds().every(({ dir }) => existsSync(stampOf(dir)));
}

/** Builds what is missing or made from other files than the module's now. */
export async function buildPrograms(say: Say): Promise<void> {
  await buildAll(builds(), say);
}

/** Builds Gateway API's suite and the programs of its pods. */
export async function buildConformance(say: Say): Promise<void> {
  await buildAll(conformance, say);
}

/** Builds the metrics server, which no cluster has by itself: what autoscalers ask. */
export async function buildMetricsServer(say: Say): Promise<void> {
  await buildAll([{ dir: "go/metrics", output: "metrics/", packages: "tool" }], say);
}

/** The folder of a module that the suite is built from. */
export async function conformanceModule(name: string): Promise<string> {
  // `go list` would name no folder where nobody downloaded the module yet.
  const text = await run(["go", "mod", "download", "-json", name], { cwd: path.join(here, "go/conformance"), env: goEnvironment });
  return (JSON.parse(text) as { readonly Dir: string }).Dir;
}

async function buildAll(all: readonly GoBuild[], say: Say): Promise<void> {
  const go = await checkMachine();
  for (const build of all) {
    const stamp = stampOf(build.dir);
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
const goEnvironment = { PATH: process.env["PATH"] ?? "", GOFLAGS: "", GOWORK: "off", GOTOOLCHAIN: "local" };

/** Programs of the machine that building and running need, and what to do when one is missing. */
const needed = {
  go: "install Go 1.26 or newer",
  gcc: "Debian: apt install gcc libc6-dev",
  openssl: "Debian: apt install openssl",
  curl: "Debian: apt install curl",
  unshare: "Debian: apt install util-linux",
} as const;

/** Answers the version of Go; throws when the machine cannot build. */
async function checkMachine(): Promise<string> {
  for (const [program, help] of Object.entries(needed)) {
    const found = await tryRun(["sh", "-c", `command -v ${program}`], { env: goEnvironment });
    if (found.code !== 0) throw new Error(`the test cluster needs ${program}: ${help}`);
  }
  const version = (await run(["go", "env", "GOVERSION"], { env: goEnvironment })).trim();
  if (Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0) < 26) throw new Error(`this machine's Go is ${version}: ${needed.go}`);
  return version;
}

function stampOf(dir: string): string {
  return path.join(stampsDir, path.basename(dir));
}

async function runBuild({ dir, output, packages, linkerFlags = "", tags, seccomp, test }: GoBuild): Promise<void> {
  const target = path.join(binDir, output);
  mkdirSync(output === "" || output.endsWith("/") ? target : path.dirname(target), { recursive: true });
  const flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", `-ldflags=-s -w ${linkerFlags}`, ...(tags === undefined ? [] : [`-tags=${tags}`])];
  const words = ["go", ...(test === true ? ["test", "-c"] : ["build"]), ...flags, "-o", output === "" ? `${target}/` : target, packages];
  const cgo = seccomp === true ? { CGO_ENABLED: "1", ...seccompEnvironment() } : { CGO_ENABLED: "0" };
  await run(words, { cwd: path.join(here, dir), env: { ...goEnvironment, ...cgo }, timeoutMs: 40 * 60_000 });
}

function hashOf(build: GoBuild, go: string): string {
  const hash = createHash("sha256").update(JSON.stringify([build, go]));
  for (const file of globSync("**/{go.mod,go.sum,*.go}", { cwd: path.join(here, build.dir) }).sort())
    hash.update(file).update(readFileSync(path.join(here, build.dir, file)));
  return hash.digest("hex");
}
