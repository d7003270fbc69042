/** Access with a pod's own ServiceAccount. Needs no library: three files that the kubelet keeps current. */
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { Agents, type ClusterAccess } from "./access.ts";
import { optional } from "./readers.ts";

/** Where the kubelet puts them. */
export const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount";

type Environment = Readonly<Record<string, string | undefined>>;

/** Says whether this process runs in a pod with a ServiceAccount. */
export function isInCluster(env: Environment, dir: string = serviceAccountDir): boolean {
  return env["KUBERNETES_SERVICE_HOST"] !== undefined && env["KUBERNETES_SERVICE_PORT"] !== undefined && existsSync(path.join(dir, "token"));
}

/** The cluster that this pod is part of. Throws when a file is missing. */
export function inClusterAccess(env: Environment, dir: string = serviceAccountDir): ClusterAccess {
  const [host = "", port = ""] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  const server = new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`);
  const agents = new Agents(server);
  const token = currentFile(path.join(dir, "token"));
  const ca = currentFile(path.join(dir, "ca.crt"));
  const namespaceFile = path.join(dir, "namespace");
  return {
    server,
    ...optional("namespace", existsSync(namespaceFile) ? readFileSync(namespaceFile, "utf8").trim() : undefined),
    credentials: async () => ({ headers: { authorization: `Bearer ${token().trim()}` }, agent: agents.get({ ca: ca() }) }),
    close: () => agents.close(),
  };
}

/** Reads a file again whenever it is another one: tokens live for an hour, the kubelet replaces them by renaming. */
function currentFile(file: string): () => string {
  let known: { readonly text: string; readonly mark: string } | undefined;
  return () => {
    const { mtimeMs, ino, size } = statSync(file);
    const mark = `${mtimeMs} ${ino} ${size}`;
    if (known?.mark !== mark) known = { mark, text: readFileSync(file, "utf8") };
    return known.text;
  };
}
