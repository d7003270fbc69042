/** Looks at what a version is to adopt, with the user's own rights. */
import type { AdoptionWish } from "../api/context.ts";
import { failed, type Problem, type Result } from "../lib/problem.ts";
import { type AdoptedKind, adoptedKinds } from "../model/adopted.ts";
import type { ApiError, ApiResult } from "../providers/kubernetes/api-error.ts";
import type { KubeClient } from "../providers/kubernetes/client.ts";
import { record, text, textMap } from "../providers/kubernetes/readers.ts";
import { type Adoptable, adoptable } from "../providers/kubernetes/translate-adopted.ts";
import { managedLabel } from "../providers/kubernetes/workload-objects.ts";

type Client = Pick<KubeClient, "get">;

const resources: Readonly<Record<AdoptedKind, string>> = { Deployment: "deployments", StatefulSet: "statefulsets", DaemonSet: "daemonsets" };
const services = { group: "", version: "v1", resource: "services" };

/**
 * What a version of an app says that has the pods of what is wished for; without a kind, of whichever has the name. Problems: `deployment-unknown`,
 * `adopt-*`, `cluster-*`.
 */
export async function findAdoptable(client: Client, wish: AdoptionWish): Promise<Result<Adoptable>> {
  const { namespace, name, app } = wish;
  const kinds = wish.kind === undefined ? adoptedKinds : [wish.kind];
  const [front, ...all] = await Promise.all([
    client.get({ kind: services, namespace, name: app }),
    ...kinds.map(async (kind) => ({ kind, answer: await client.get({ kind: { group: "apps", version: "v1", resource: resources[kind] }, namespace, name }) })),
  ]);
  const found = all.flatMap(({ kind, answer }) => (answer.ok ? [{ kind, object: answer.value }] : []));
  const [one, other] = found;
  if (one === undefined) return failed(whyNone(wish, all));
  if (other !== undefined) return failed(ambiguous(wish, one.kind, other.kind));
  if (isBroken(front)) return failed(unread(`the Service ${app}`, front.error));
  const governing = front.ok ? undefined : await governingService(client, namespace, one.object);
  if (governing !== undefined && isBroken(governing)) return failed(unread("the Service that names its pods", governing.error));
  return adoptable(one.kind, one.object, { ...(front.ok ? { app: front.value } : {}), ...(governing?.ok === true ? { governing: governing.value } : {}) });
}

/** That a StatefulSet names, which need not be there. */
async function governingService(client: Client, namespace: string, object: unknown): Promise<ApiResult<unknown> | undefined> {
  const name = text(record(record(object)["spec"])["serviceName"]);
  return name === undefined || name === "" ? undefined : client.get({ kind: services, namespace, name });
}

/** Whether a Service by the name of an app is there that Weir has not made. What we may not look at counts as there. */
export async function hasOtherService(client: Pick<KubeClient, "get">, namespace: string, app: string): Promise<boolean> {
  const found = await client.get({ kind: services, namespace, name: app });
  if (!found.ok) return found.error.kind !== "notFound";
  return textMap(record(record(found.value)["metadata"])["labels"])[managedLabel.key] !== managedLabel.value;
}

/** It may be there, and we cannot see it. */
function isBroken(answer: ApiResult<unknown>): answer is Extract<ApiResult<unknown>, { ok: false }> {
  return !answer.ok && answer.error.kind !== "notFound";
}

type Looked = readonly { readonly kind: AdoptedKind; readonly answer: ApiResult<unknown> }[];

function whyNone({ namespace, name, kind }: AdoptionWish, looked: Looked): Problem {
  for (const { kind: one, answer } of looked) if (isBroken(answer)) return unread(`the ${one} ${name}`, answer.error);
  const what = kind ?? "Deployment, StatefulSet or DaemonSet";
  return {
    code: "deployment-unknown",
    message: `there is no ${what} ${name} in namespace ${namespace}`,
    hint: `kubectl get ${kind === undefined ? Object.values(resources).join(",") : resources[kind]} -n ${namespace}`,
  };
}

function ambiguous({ namespace, name }: AdoptionWish, one: AdoptedKind, other: AdoptedKind): Problem {
  return {
    code: "adopt-ambiguous",
    message: `in namespace ${namespace} both a ${one} and a ${other} are called ${name}`,
    hint: `say which: weir adopt ${one.toLowerCase()}/${name}, or ${other.toLowerCase()}/${name}`,
  };
}

function unread(what: string, { kind, message }: ApiError): Problem {
  const code = kind === "forbidden" ? "cluster-forbidden" : "cluster-unreachable";
  return { code, message: `reading ${what}: ${message}`, hint: "the role view is enough to look" };
}
