/** A user of the cluster with rights in one namespace, and a `weir` as them. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Cluster } from "../../cluster/cluster.ts";
import { type Weir, weirFor } from "./weir.ts";

/** Makes the namespace and gives `name` the ClusterRole `role` in it; it is the namespace of their context. Remove `home` of the answer afterwards. */
export async function userOf(
  cluster: Cluster,
  { name, namespace, role }: { readonly name: string; readonly namespace: string; readonly role: string },
): Promise<Weir> {
  await cluster.kubectl(["create", "namespace", namespace]);
  await cluster.kubectl(["-n", namespace, "create", "rolebinding", name, `--clusterrole=${role}`, `--user=${name}`]);
  const kubeconfig = await cluster.kubeconfigFor(name);
  const config = JSON.parse(readFileSync(kubeconfig, "utf8")) as { readonly contexts: readonly { readonly context: Record<string, string> }[] };
  for (const { context } of config.contexts) context["namespace"] = namespace;
  writeFileSync(kubeconfig, JSON.stringify(config));
  return weirFor(kubeconfig);
}
