/** Flags and environment of the cluster agent, read once into complete settings. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import type { XdsAddress } from "../../dataplane/bootstrap.ts";
import { findTool, findTools, isComplete, type Tools } from "../../dataplane/tools.ts";
import { messageOf } from "../../lib/message-of.ts";
import { controlPlaneId, defaultTrustDomain, nodeId, parseTrustDomain, type TrustDomain, trustDomainId } from "../../model/spiffe.ts";

/** Where the control plane's two services are: discovery for Envoy, orders for the agent. */
export type ControlAddress =
  | { readonly kind: "socket"; readonly path: string }
  | {
      readonly kind: "mtls";
      readonly host: string;
      readonly port: number;
      readonly trustDomain: TrustDomain;
      /** The node's proof at first contact: a ServiceAccount token that was made for us. */
      readonly tokenFile: string;
      /** Whom to trust at first contact, PEM. */
      readonly rootsFile: string;
    };

export interface ClusterAgentSettings {
  /** The name of the Kubernetes node. */
  readonly node: string;
  /** Pins and sockets; the container's own, in memory: an agent that follows has another one at the same path. */
  readonly runDir: string;
  /** What must survive a restart; on the host. */
  readonly stateDir: string;
  readonly control: ControlAddress;
  /** The program. */
  readonly envoy: string;
  /** With what tells and ends connections (iproute2). */
  readonly tools: Tools & { readonly ss: string };
  readonly concurrency: number;
  readonly maxHeapBytes: number;
  readonly maxConnections: number;
  /** How long connections get to end when we stop or Envoy is replaced. */
  readonly drainSeconds: number;
  /** What SIGTERM leaves behind: `keep` the rules (another agent follows), or `release` the pods (they go on without Weir). */
  readonly onExit: "keep" | "release";
  readonly nriSocket: string;
  /** The node's /proc. */
  readonly proc: string;
  /** Gets our process id when we know what earlier agents left, and would end in order: before, SIGTERM just kills, and `release` would forget pods. */
  readonly readyFile: string | undefined;
}

const usage =
  "usage: cluster-agent [--node NAME] [--control unix:PATH | HOST:PORT] [--trust-domain NAME] [--token FILE] [--roots FILE] [--run DIR] [--state DIR] [--on-exit keep|release] [--nri PATH] [--proc DIR] [--concurrency N] [--drain-seconds N] [--ready-file PATH]";

const flags = [
  "node",
  "control",
  "trust-domain",
  "token",
  "roots",
  "run",
  "state",
  "on-exit",
  "nri",
  "proc",
  "concurrency",
  "drain-seconds",
  "envoy",
  "ready-file",
] as const;

/**
 * Reads settings. Each flag may also be a variable: `--on-exit` is WEIR_ON_EXIT, `--node` also NODE_NAME (downward API).
 * `here` is the folder of the running program. Throws an Error with the usage when something is missing or not understood.
 */
export function readClusterSettings(args: readonly string[], env: NodeJS.ProcessEnv, here: string): ClusterAgentSettings {
  const given = readFlags(args);
  const value = (flag: (typeof flags)[number]): string | undefined => given[flag] || env[`WEIR_${flag.toUpperCase().replaceAll("-", "_")}`] || undefined;
  const node = value("node") ?? env["NODE_NAME"];
  if (node === undefined || !/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(node)) throw new Error(`--node is missing or no name of a node\n${usage}`);
  const onExit = value("on-exit") ?? "keep";
  if (onExit !== "keep" && onExit !== "release") throw new Error(`--on-exit ${onExit}: keep or release\n${usage}`);
  // From `dist/` or from `src/agent/cluster/`.
  const root = path.basename(here) === "cluster" ? path.resolve(here, "../../..") : path.resolve(here, "..");
  const places = [[path.join(root, ".cache/tools/bin")], env["PATH"] ?? ""] as const;
  const { found, missing } = findTools(...places);
  const ss = findTool("ss", ...places);
  if (!isComplete(found) || ss === undefined) throw new Error(`this image lacks ${[...missing, ...(ss === undefined ? ["ss"] : [])].join(", ")}`);
  return {
    node,
    onExit,
    tools: { ...found, ss },
    control: readControl(value("control"), value),
    runDir: path.resolve(value("run") ?? "/run/weir"),
    stateDir: path.resolve(value("state") ?? "/var/lib/weir"),
    envoy: value("envoy") ?? path.join(root, ".cache/envoy/1.40.0/envoy"),
    concurrency: positive(value("concurrency"), Math.max(1, Math.min(4, availableParallelism()))),
    maxHeapBytes: 1_073_741_824,
    maxConnections: 50_000,
    drainSeconds: positive(value("drain-seconds"), 8),
    nriSocket: value("nri") ?? "/var/run/nri/nri.sock",
    proc: value("proc") ?? "/proc",
    readyFile: value("ready-file"),
  };
}

function readFlags(args: readonly string[]): Readonly<Partial<Record<string, string>>> {
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(flags.map((flag) => [flag, { type: "string" as const }])) }).values;
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${usage}`, { cause: error });
  }
}

/** Reads where the control plane is. `value` answers the flags that say who it is. Throws an Error with `usage`. */
export function readControl(
  text: string | undefined,
  value: (flag: "trust-domain" | "token" | "roots") => string | undefined,
  help: string = usage,
): ControlAddress {
  if (text?.startsWith("unix:") === true) return { kind: "socket", path: path.resolve(text.slice("unix:".length)) };
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text ?? "");
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port < 1 || port > 65_535) throw new Error(`--control ${text ?? "is missing"}: write unix:PATH or HOST:PORT\n${help}`);
  const trustDomain = parseTrustDomain(value("trust-domain") ?? defaultTrustDomain);
  if (!trustDomain.ok) throw new Error(`--trust-domain: ${trustDomain.problems[0]?.message}\n${help}`);
  const [tokenFile, rootsFile] = [value("token") ?? "/etc/weir/token/token", value("roots") ?? "/etc/weir/trust/roots.pem"];
  return { kind: "mtls", host, port, trustDomain: trustDomain.value, tokenFile, rootsFile };
}

function positive(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`${text} is no count\n${usage}`);
  return number;
}

/** Where Envoy finds the control plane; `sdsSocket` is where we serve certificates. */
export function xdsAddress({ control, node }: Pick<ClusterAgentSettings, "control" | "node">, sdsSocket: string): XdsAddress {
  switch (control.kind) {
    case "socket":
      return control;
    case "mtls": {
      const { host, port, trustDomain } = control;
      const names = { ownIdentity: nodeId(trustDomain, node), serverIdentity: controlPlaneId(trustDomain), trustDomain: trustDomainId(trustDomain) };
      return { kind: "mtls", host, port, ...names, sdsSocket };
    }
    default:
      return control satisfies never;
  }
}
