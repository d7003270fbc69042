/** Access as a kubeconfig says. All ways to authenticate are @kubernetes/client-node's; it is loaded only here, and only when needed: it takes half a second. */
import { existsSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import path from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "../../lib/message-of.ts";
import { failed, ok, type Result } from "../../lib/problem.ts";
import { quote } from "../../model/quote.ts";
import { Agents, type ClusterAccess, fromRequestOptions } from "./access.ts";
import { inClusterAccess, isInCluster } from "./in-cluster.ts";
import { optional } from "./readers.ts";

export interface KubeconfigOptions {
  /** Absent: the files of `$KUBECONFIG`, else `~/.kube/config`. */
  readonly file?: string;
  /** Absent: the file's current one. */
  readonly context?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The cluster that is meant: what `options` name, else `$KUBECONFIG`, else the one this pod is part of, else `~/.kube/config`.
 * Problems: `kubeconfig-missing`, `kubeconfig-invalid`, `kube-context-unknown`.
 */
export async function clusterAccess(options: KubeconfigOptions): Promise<Result<ClusterAccess>> {
  const isNamed = options.file !== undefined || options.context !== undefined || (options.env["KUBECONFIG"] ?? "") !== "";
  return !isNamed && isInCluster(options.env) ? ok(inClusterAccess(options.env)) : kubeconfigAccess(options);
}

/** The cluster of a kubeconfig's context. Problems as in `clusterAccess`. */
export async function kubeconfigAccess(options: KubeconfigOptions): Promise<Result<ClusterAccess>> {
  const files = kubeconfigFiles(options);
  const present = files.filter((file) => existsSync(file));
  if (present.length === 0) {
    const hint = "name one with `--kubeconfig`, or set `KUBECONFIG`";
    return failed({ code: "kubeconfig-missing", message: `there is no kubeconfig: looked for ${files.join(", ")}`, hint });
  }
  let config: KubeConfig;
  try {
    config = await load(present, options.context);
  } catch (error) {
    return failed({ code: "kubeconfig-invalid", message: `${present.join(", ")}: ${messageOf(error)}` });
  }
  const context = config.getContextObject(config.getCurrentContext());
  const cluster = config.getCurrentCluster();
  if (context === null || cluster === null) return failed(unknownContext(config));
  if (!URL.canParse(cluster.server)) return failed({ code: "kubeconfig-invalid", message: `${quote(cluster.server)} is no API server's address` });
  return ok(accessOf(config, () => load(present, options.context), { server: new URL(cluster.server), ...optional("namespace", context.namespace) }));
}

function kubeconfigFiles({ file, env }: KubeconfigOptions): readonly string[] {
  if (file !== undefined) return [file];
  const listed = (env["KUBECONFIG"] ?? "").split(path.delimiter).filter((name) => name !== "");
  return listed.length > 0 ? listed : [path.join(env["HOME"] ?? homedir(), ".kube/config")];
}

function unknownContext(config: KubeConfig): { readonly code: string; readonly message: string; readonly hint: string } {
  const names = config.getContexts().map(({ name }) => name);
  const name = config.getCurrentContext();
  const message = name === undefined ? "the kubeconfig has no current context" : `the kubeconfig has no context ${quote(name)} with a cluster`;
  return { code: "kube-context-unknown", message, hint: names.length === 0 ? "it has no context at all" : `it has ${names.join(", ")}` };
}

/** Reads several files as kubectl does: of two entries with one name the first counts. */
async function load(files: readonly string[], context: string | undefined): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const configs = files.map((file) => {
    const config = new KubeConfig();
    config.loadFromFile(file);
    return config;
  });
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstByName(configs.flatMap((config) => config.getClusters())).map(allowPlain),
    users: firstByName(configs.flatMap((config) => config.getUsers())),
    contexts: firstByName(configs.flatMap((config) => config.getContexts())),
    currentContext: context ?? configs.map((config) => config.getCurrentContext()).find((name) => name !== undefined && name !== ""),
  });
  return merged;
}

function firstByName<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.filter((item, index) => items.findIndex((other) => other.name === item.name) === index);
}

/** Without TLS there is nothing to verify; the library wants that said. */
function allowPlain<T extends { readonly server: string }>(cluster: T): T {
  return cluster.server.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster;
}

function accessOf(first: KubeConfig, reload: () => Promise<KubeConfig>, fixed: { readonly server: URL; readonly namespace?: string }): ClusterAccess {
  let config = first;
  const agents = new Agents(fixed.server);
  return {
    ...fixed,
    credentials: async (refused) => {
      // Plugins cache what they answered: only a new configuration asks them anew.
      if (refused) config = await reload();
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const { tls, headers } = fromRequestOptions(options);
      const isProxied = config.getCurrentCluster()?.proxyUrl !== undefined && typeof options.agent === "object";
      return { headers, agent: isProxied && typeof options.agent === "object" ? options.agent : agents.get(tls) };
    },
    close: () => agents.close(),
  };
}
