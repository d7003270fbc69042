/** Looks at a Deployment that a version is to adopt, with the user's own rights. */
import { failed, type Problem, type Result } from "../lib/problem.ts";
import type { ApiError } from "../providers/kubernetes/api-error.ts";
import type { KubeClient } from "../providers/kubernetes/client.ts";
import { record, textMap } from "../providers/kubernetes/readers.ts";
import { type Adoptable, adoptable } from "../providers/kubernetes/translate-adopted.ts";
import { managedLabel } from "../providers/kubernetes/workload-objects.ts";

const deployments = { group: "apps", version: "v1", resource: "deployments" };
const services = { group: "", version: "v1", resource: "services" };

/** What a version of `app` says that has the pods of this Deployment. Problems: `deployment-unknown`, `adopt-*`, `cluster-*`. */
export async function findAdoptable(
  client: Pick<KubeClient, "get">,
  { namespace, deployment, app }: { readonly namespace: string; readonly deployment: string; readonly app: string },
): Promise<Result<Adoptable>> {
  const [found, service] = await Promise.all([
    client.get({ kind: deployments, namespace, name: deployment }),
    client.get({ kind: services, namespace, name: app }),
  ]);
  if (!found.ok) return failed(problemOf(found.error, namespace, deployment));
  if (!service.ok && service.error.kind !== "notFound") return failed(problemOf(service.error, namespace, deployment));
  return adoptable(found.value, service.ok ? service.value : undefined);
}

/** Whether a Service by the name of an app is there that Weir has not made. What we may not look at counts as there. */
export async function hasOtherService(client: Pick<KubeClient, "get">, namespace: string, app: string): Promise<boolean> {
  const found = await client.get({ kind: services, namespace, name: app });
  if (!found.ok) return found.error.kind !== "notFound";
  return textMap(record(record(found.value)["metadata"])["labels"])[managedLabel.key] !== managedLabel.value;
}

function problemOf({ kind, message }: ApiError, namespace: string, deployment: string): Problem {
  if (kind === "notFound")
    return {
      code: "deployment-unknown",
      message: `there is no Deployment ${deployment} in namespace ${namespace}`,
      hint: `kubectl get deployments -n ${namespace}`,
    };
  const code = kind === "forbidden" ? "cluster-forbidden" : "cluster-unreachable";
  return { code, message: `reading the Deployment ${deployment}: ${message}`, hint: "the role view is enough to look" };
}
