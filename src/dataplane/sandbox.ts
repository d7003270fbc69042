/**
 * How a workload's process starts: inside its network namespace, with process, mount, IPC and host name namespaces of its own (all owned by the node's user
 * namespace, so that it has no power over them), then in a nested user namespace as the real user, without any capability, below `tini`.
 *
 * Nothing of the workload's environment touches the privileged part of the chain: the variables come from a file, read when all power is gone.
 */
import { quote } from "./shell.ts";
import type { Tools } from "./tools.ts";

/** A file that the workload must see at `path`; its content waits at `source`, on a tmpfs that only the node sees. Or a folder of its own that stays. */
export interface SandboxFile {
  readonly path: string;
  readonly source: string;
}

/** Several new files below one folder that exists (`base`): they appear through an overlay, nothing is written to the disk. */
export interface SandboxOverlay {
  readonly base: string;
  /** Folder on the tmpfs whose tree is laid over `base`. */
  readonly upper: string;
  readonly work: string;
}

export interface SandboxPlan {
  readonly pin: string;
  readonly hostName: string;
  readonly uid: number;
  readonly gid: number;
  readonly dir: string;
  readonly command: readonly string[];
  /** File of `export` lines. */
  readonly envFile: string;
  readonly resolvConf: string;
  readonly hosts: string;
  readonly nsswitch: string;
  readonly binds: readonly SandboxFile[];
  readonly overlays: readonly SandboxOverlay[];
  /** Folders that must look empty: the state folder, the sockets' folder, the user's run-time folder. */
  readonly hidden: readonly string[];
}

/** Sockets of engines and session buses: whoever reaches them starts processes outside. */
const escapes = ["/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock", "/run/nscd/socket"];

/** The script of one start; it runs as process 1 of the new namespaces, and becomes the workload. */
export function sandboxScript(tools: Tools, plan: SandboxPlan): string {
  const mount = (...words: readonly string[]): string => [tools.mount, ...words].map(quote).join(" ");
  const drop = [tools.setpriv, "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"];
  const enter = [tools.unshare, "-U", `--map-user=${plan.uid}`, `--map-group=${plan.gid}`, "--keep-caps"];
  const run = '. /dev/fd/3; exec 3<&-; cd "$1" || exit 125; shift; exec "$@"';
  const hide = (folder: string): string =>
    `[ ! -d ${quote(folder)} ] || ${mount("-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec,size=4k,mode=555", "none", folder)}`;
  return [
    "set -e",
    `exec 3<${quote(plan.envFile)}`,
    `${quote(tools.hostname)} ${quote(plan.hostName)} || true`,
    ...plan.overlays.flatMap((overlay) => (overlay.base === "/" ? newRoot(overlay, mount) : [overlayMount(overlay, mount)])),
    ...plan.binds.map((file) => mount("--bind", file.source, file.path)),
    ...[
      ["/etc/resolv.conf", plan.resolvConf],
      ["/etc/hosts", plan.hosts],
      ["/etc/nsswitch.conf", plan.nsswitch],
    ].map(([path = "", source = ""]) => `[ ! -e ${path} ] || ${mount("--bind", source, path)}`),
    mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=1777", "none", "/dev/shm"),
    ...plan.hidden.map(hide),
    ...escapes.map((file) => `[ ! -S ${file} ] || ${mount("--bind", "/dev/null", file)}`),
    mount("-o", "bind,ro", "/proc/sys", "/proc/sys"),
    "cd /",
    `exec ${[...enter, ...drop, tools.tini, "-g", "--", tools.sh, "-c", run, "sh", plan.dir, ...plan.command].map(quote).join(" ")}`,
    "",
  ].join("\n");
}

type MountLine = (...words: readonly string[]) => string;

function overlayMount({ base, upper, work }: SandboxOverlay, mount: MountLine): string {
  return mount("-t", "overlay", "-o", `userxattr,lowerdir=${base},upperdir=${upper},workdir=${work}`, "none", base);
}

/** The root folder itself cannot be covered: a new one is made of what the old one holds and of what is new, and takes its place. */
function newRoot({ upper, work }: SandboxOverlay, mount: MountLine): readonly string[] {
  return [
    mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=755", "none", work),
    "for entry in /* /.[!.]*; do",
    `  to=${quote(work)}"$entry"`,
    '  if [ -L "$entry" ]; then cp -P "$entry" "$to"',
    `  elif [ -d "$entry" ]; then mkdir "$to"; ${mount("--rbind")} "$entry" "$to"`,
    `  elif [ -e "$entry" ]; then : > "$to"; ${mount("--bind")} "$entry" "$to"; fi`,
    "done",
    `cp -a ${quote(upper)}/. ${quote(work)}/`,
    `cd ${quote(work)}`,
    "pivot_root . .",
    "umount -l .",
    "cd /",
  ];
}

/** Words that start the script `scriptFile` in new namespaces. The process stays until the workload ended and ends as it did. */
export function sandboxCommand(tools: Tools, pin: string, scriptFile: string): readonly string[] {
  return [
    tools.nsenter,
    `--net=${pin}`,
    "--",
    tools.unshare,
    "-m",
    "-p",
    "-i",
    "-u",
    "--fork",
    "--mount-proc",
    "--propagation",
    "private",
    "--",
    tools.sh,
    scriptFile,
  ];
}

/** Words that run a command inside a workload, from the node's namespaces; `pid` is the workload's process 1 as the node sees it. */
export function enterCommand(tools: Tools, options: { readonly pid: number; readonly dir: string }): readonly string[] {
  const drop = [tools.setpriv, "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"];
  return [
    tools.nsenter,
    "-t",
    String(options.pid),
    "-U",
    "-m",
    "-n",
    "-p",
    "-i",
    "-u",
    "--preserve-credentials",
    "--",
    ...drop,
    tools.sh,
    "-c",
    'cd "$0" && exec "$@"',
    options.dir,
  ];
}

/** The same from the host: through the namespaces of the node process `nodePid` (the host's number). */
export function enterFromHost(tools: Tools, nodePid: number, inner: readonly string[]): readonly string[] {
  return [tools.nsenter, "-t", String(nodePid), "-U", "-m", "-n", "-p", "--preserve-credentials", "--", ...inner];
}

/** `export` lines for `sh`. Names that a shell cannot export are left out and named in `refused`. */
export function environmentScript(env: Readonly<Record<string, string>>): { readonly script: string; readonly refused: readonly string[] } {
  const entries = Object.entries(env);
  const valid = entries.filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  const refused = entries.map(([name]) => name).filter((name) => !valid.some(([other]) => other === name));
  return { script: ["unset PWD OLDPWD", ...valid.map(([name, value]) => `export ${name}=${quote(value)}`), ""].join("\n"), refused };
}
