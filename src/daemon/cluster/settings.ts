/** Flags and environment of a cluster's control plane, read once into complete settings. */
import { parseArgs } from "node:util";
import { failed, ok, type Result } from "../../lib/problem.ts";
import { isDomain } from "../../model/names.ts";
import { defaultTrustDomain, parseTrustDomain, type TrustDomain } from "../../model/spiffe.ts";

export interface ControlSettings {
  readonly trustDomain: TrustDomain;
  /** The namespace that we live in. */
  readonly namespace: string;
  /** Where nodes and their Envoys connect, by TLS. */
  readonly port: number;
  /** Where the kubelet asks how we are. */
  readonly healthPort: number;
  /** Where the API server asks about declared objects, by TLS. */
  readonly webhookPort: number;
  /** Folder of the authority that the user brings; undefined: there is one of our own. */
  readonly plugInDir: string | undefined;
  /** Folder with the roots of other trust domains that are let in, by name; undefined: none are. */
  readonly aliasesDir: string | undefined;
  /** The user's last wish for a new root of our own authority: any text. */
  readonly rootWish: string | undefined;
  /** Our own image, as nodes pull it: gateways run it. Undefined: none are started. */
  readonly image: string | undefined;
  /** Under which what is public has its names at the cluster's own gateway: `web.localhost`. */
  readonly domain: string;
  /** A kubeconfig, when we do not run in the cluster; undefined: the pod's ServiceAccount, or the user's kubeconfig. */
  readonly kubeconfig: string | undefined;
}

const usage =
  "usage: control [--trust-domain NAME] [--namespace NAME] [--port N] [--health-port N] [--webhook-port N] [--ca-dir DIR] [--aliases-dir DIR] [--new-root WISH] [--image REF] [--domain NAME] [--kubeconfig FILE]";
const flags = [
  "trust-domain",
  "namespace",
  "port",
  "health-port",
  "webhook-port",
  "ca-dir",
  "aliases-dir",
  "new-root",
  "image",
  "domain",
  "kubeconfig",
] as const;

/** Each flag may also be a variable: `--trust-domain` is WEIR_TRUST_DOMAIN, `--namespace` also POD_NAMESPACE. Problems: `settings-invalid`, `trust-domain-invalid`. */
export function readControlSettings(args: readonly string[], env: NodeJS.ProcessEnv): Result<ControlSettings> {
  const given = readFlags(args);
  if (given === undefined) return failed({ code: "settings-invalid", message: `${args.join(" ")} is not understood`, hint: usage });
  const value = (flag: (typeof flags)[number]): string | undefined => given[flag] || env[`WEIR_${flag.toUpperCase().replaceAll("-", "_")}`] || undefined;
  const trustDomain = parseTrustDomain(value("trust-domain") ?? defaultTrustDomain);
  if (!trustDomain.ok) return trustDomain;
  const [port, healthPort, webhookPort] = [Number(value("port") ?? 15_012), Number(value("health-port") ?? 15_020), Number(value("webhook-port") ?? 15_017)];
  if (![port, healthPort, webhookPort].every((number) => Number.isInteger(number) && number >= 0 && number <= 65_535))
    return failed({
      code: "settings-invalid",
      message: `${value("port") ?? ""} ${value("health-port") ?? ""} ${value("webhook-port") ?? ""}: a port is a number from 0 to 65535`,
      hint: usage,
    });
  const domain = value("domain") ?? "localhost";
  if (!isDomain(domain)) return failed({ code: "settings-invalid", message: `${domain} is no name of a domain`, hint: usage });
  const namespace = value("namespace") ?? env["POD_NAMESPACE"] ?? "weir-system";
  return ok({
    trustDomain: trustDomain.value,
    namespace,
    port,
    healthPort,
    webhookPort,
    plugInDir: value("ca-dir"),
    aliasesDir: value("aliases-dir"),
    rootWish: value("new-root"),
    image: value("image"),
    domain,
    kubeconfig: value("kubeconfig"),
  });
}

function readFlags(args: readonly string[]): Readonly<Partial<Record<string, string>>> | undefined {
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(flags.map((flag) => [flag, { type: "string" as const }])) }).values;
  } catch {
    return undefined;
  }
}
