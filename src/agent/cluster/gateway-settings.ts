/** Flags and environment of a gateway's agent, read once into complete settings. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/message-of.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { proxyIdOf, type SpiffeId, workloadId } from "../../model/spiffe.ts";
import { type ControlAddress, readControl } from "./settings.ts";

export interface GatewaySettings {
  /** Who this gateway is: its ServiceAccount. */
  readonly own: SpiffeId;
  /** By this id its Envoy asks for its configuration: what the gateway is called in its trust domain. All replicas have the same. */
  readonly proxyId: string;
  readonly control: ControlAddress & { readonly kind: "mtls" };
  /** Sockets and Envoy's files; the container's own. */
  readonly runDir: string;
  /** The program. */
  readonly envoy: string;
  readonly concurrency: number;
  readonly maxHeapBytes: number;
  readonly maxConnections: number;
  /** After SIGTERM: so long new connections are still taken, for not everybody knows yet that we go. */
  readonly drainSeconds: number;
  /** Where the kubelet asks whether we can serve. */
  readonly healthPort: number;
}

const usage =
  "usage: gateway --namespace NAME --service-account NAME --control HOST:PORT [--trust-domain NAME] [--token FILE] [--roots FILE] [--run DIR] [--concurrency N] [--drain-seconds N] [--health-port N] [--envoy FILE]";
const flags = [
  "namespace",
  "service-account",
  "control",
  "trust-domain",
  "token",
  "roots",
  "run",
  "concurrency",
  "drain-seconds",
  "health-port",
  "envoy",
] as const;

/** Reads settings. Each flag may also be a variable: `--service-account` is WEIR_SERVICE_ACCOUNT. Throws an Error with the usage when something is missing or not understood. */
export function readGatewaySettings(args: readonly string[], env: NodeJS.ProcessEnv): GatewaySettings {
  const given = readFlags(args);
  const value = (flag: string): string | undefined => given[flag] || env[`WEIR_${flag.toUpperCase().replaceAll("-", "_")}`] || undefined;
  const [namespace, account] = [value("namespace"), value("service-account")];
  if (namespace === undefined || account === undefined) throw new Error(`--namespace or --service-account is missing\n${usage}`);
  const control = readControl(value("control"), value, usage);
  if (control.kind !== "mtls") throw new Error(`--control: write HOST:PORT\n${usage}`);
  const own = workloadId(control.trustDomain, namespace as Namespace, account as AppName);
  return {
    own,
    proxyId: proxyIdOf(own),
    control,
    runDir: path.resolve(value("run") ?? "/run/weir"),
    envoy: value("envoy") ?? "/usr/local/bin/envoy",
    concurrency: positive(value("concurrency"), Math.max(1, Math.min(4, availableParallelism()))),
    maxHeapBytes: 805_306_368,
    maxConnections: 50_000,
    drainSeconds: positive(value("drain-seconds"), 10),
    healthPort: positive(value("health-port"), 15_021),
  };
}

function readFlags(args: readonly string[]): Readonly<Partial<Record<string, string>>> {
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(flags.map((flag) => [flag, { type: "string" as const }])) }).values;
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${usage}`, { cause: error });
  }
}

function positive(text: string | undefined, otherwise: number): number {
  const number = Number(text ?? otherwise);
  if (!Number.isInteger(number) || number < 1) throw new Error(`${text} is no count\n${usage}`);
  return number;
}
