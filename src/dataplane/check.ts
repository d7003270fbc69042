/** What this machine must be able to do, tried for real: the facts behind `weir check`. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { nodeNetworkScript, workloadRules } from "./network.ts";
import { runProgram } from "./shell.ts";
import { findTools, isComplete, type Tools } from "./tools.ts";

export interface Fact {
  /** `user namespaces`, `gateway port`, ... */
  readonly name: string;
  readonly ok: boolean;
  /** What was found, one line. */
  readonly detail: string;
  /** What to do, when it is not ok. */
  readonly fix?: string;
}

export interface CheckOptions {
  /** Folders with programs that set-up brought. */
  readonly toolFolders: readonly string[];
  readonly searchPath: string;
  readonly envoy: string;
  readonly envoyVersion: string;
  readonly listen: { readonly address: string; readonly port: number };
  /** The port is ours already: the gateway runs. */
  readonly gatewayRuns: boolean;
}

/** Tries everything; answers every fact in a fixed order, whatever fails. Leaves nothing behind. */
export async function checkMachine(options: CheckOptions): Promise<readonly Fact[]> {
  const { found, missing } = findTools(options.toolFolders, options.searchPath);
  const programs: Fact =
    missing.length === 0
      ? { name: "programs", ok: true, detail: "unshare, nsenter, ip, nft, tini and the others are here" }
      : { name: "programs", ok: false, detail: `missing: ${missing.join(", ")}`, fix: `run \`npm run setup\`, or install ${packagesOf(missing)}` };
  const namespaces = await checkNamespaces(found.unshare);
  const inside = namespaces.ok && isComplete(found) ? [await checkNetwork(found), await checkRules(found), await checkSandbox(found)] : [];
  return [programs, namespaces, ...inside, await checkEnvoy(options), await checkPort(options)];
}

const packages: Readonly<Record<string, string>> = { ip: "iproute2", nft: "nftables", tini: "tini", hostname: "hostname", mkfifo: "coreutils", sh: "dash" };

function packagesOf(missing: readonly string[]): string {
  return [...new Set(missing.map((name) => packages[name] ?? "util-linux"))].join(" ");
}

async function checkNamespaces(unshare: string | undefined): Promise<Fact> {
  const name = "user namespaces";
  if (unshare === undefined) return { name, ok: false, detail: "unshare is missing", fix: "install util-linux" };
  const tried = await runProgram([unshare, "-U", "-r", "-m", "-n", "-p", "--fork", "--mount-proc", "--", "true"], { timeoutMs: 5_000 });
  if (tried.code === 0) return { name, ok: true, detail: "an ordinary user may make user, mount, network and pid namespaces" };
  return { name, ok: false, detail: lastLine(tried.output), fix: await namespaceFix() };
}

/** The switches that distributions put in the way. */
async function namespaceFix(): Promise<string> {
  if ((await readSwitch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")) === "1") {
    return "AppArmor forbids them: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (to keep it: write the setting to /etc/sysctl.d/60-weir.conf)";
  }
  if ((await readSwitch("/proc/sys/kernel/unprivileged_userns_clone")) === "0")
    return "they are switched off: sudo sysctl -w kernel.unprivileged_userns_clone=1";
  if ((await readSwitch("/proc/sys/user/max_user_namespaces")) === "0") return "their number is limited to 0: sudo sysctl -w user.max_user_namespaces=15000";
  return "inside a container: start it with --privileged, or with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined";
}

async function readSwitch(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
}

/** Runs a script as root of new namespaces. */
async function within(tools: Tools, script: string): Promise<string | undefined> {
  const tried = await runProgram([tools.unshare, "-U", "-r", "-m", "-n", "-p", "--fork", "--mount-proc", "--", tools.sh, "-e"], {
    input: script,
    timeoutMs: 10_000,
  });
  return tried.code === 0 ? undefined : lastLine(tried.output);
}

async function checkNetwork(tools: Tools): Promise<Fact> {
  const problem = await within(tools, `${nodeNetworkScript(tools)}${tools.ip} link add w1 type veth peer name eth0\n`);
  if (problem === undefined) return { name: "virtual networks", ok: true, detail: "veth pairs and addresses can be made" };
  return { name: "virtual networks", ok: false, detail: problem, fix: "load the kernel modules: sudo modprobe veth nf_tables" };
}

async function checkRules(tools: Tools): Promise<Fact> {
  const problem = await within(tools, `${tools.nft} -f - <<'END'\n${workloadRules("100.64.0.1", 15001)}\nEND\n`);
  if (problem === undefined) return { name: "capture rules", ok: true, detail: "nftables translates addresses in a namespace" };
  return { name: "capture rules", ok: false, detail: problem, fix: "load the kernel modules: sudo modprobe nf_tables nft_chain_nat nft_reject_inet nft_ct" };
}

async function checkSandbox(tools: Tools): Promise<Fact> {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-check-"));
  const script = `cd ${folder}; mkdir -p t; ${tools.mount} -t tmpfs none t; mkdir t/u t/w t/l; ${tools.mount} -t overlay -o userxattr,lowerdir=t/l,upperdir=t/u,workdir=t/w none t/l
${tools.unshare} -U --map-user=1 --map-group=1 --keep-caps ${tools.setpriv} --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs ${tools.tini} -s -- true\n`;
  try {
    const problem = await within(tools, script);
    if (problem === undefined) return { name: "sandbox", ok: true, detail: "nested user namespaces, overlays and dropped capabilities work" };
    return { name: "sandbox", ok: false, detail: problem, fix: "a kernel of 5.11 or newer is needed, with overlay mounts in user namespaces" };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkEnvoy({ envoy, envoyVersion }: CheckOptions): Promise<Fact> {
  const fix = "run `npm run setup`, which brings the right one";
  const tried = await runProgram([envoy, "--version"], { timeoutMs: 10_000 }).catch((error: Error) => ({ code: null, output: error.message }));
  const version = /version: [0-9a-f]+\/([\d.]+)/.exec(tried.output)?.[1];
  if (version === undefined) return { name: "Envoy", ok: false, detail: lastLine(tried.output), fix };
  return version === envoyVersion
    ? { name: "Envoy", ok: true, detail: `${version} at ${envoy}` }
    : { name: "Envoy", ok: false, detail: `${version} at ${envoy}, ${envoyVersion} is wanted`, fix };
}

async function checkPort({ listen, gatewayRuns }: CheckOptions): Promise<Fact> {
  const where = `${listen.address}:${listen.port}`;
  if (gatewayRuns) return { name: "gateway port", ok: true, detail: `${where} is served by this Weir` };
  const problem = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(listen.port, listen.address, () => server.close(() => resolve(undefined)));
  });
  if (problem === undefined) return { name: "gateway port", ok: true, detail: `${where} is free` };
  const fix =
    problem === "EACCES"
      ? "choose a port above 1023 with --listen"
      : `end what listens there (\`ss -ltnp sport = :${listen.port}\`), or choose another with --listen`;
  return { name: "gateway port", ok: false, detail: `${where}: ${problem === "EADDRINUSE" ? "another program listens there" : problem}`, fix };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.slice(0, 200) ?? "";
}
