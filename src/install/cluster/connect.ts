/** The way to the cluster that is meant, tried out: it answers, and we may do what we are about to do. */
import { realClock } from "../../agent/real-clock.ts";
import type { Clock } from "../../lib/clock.ts";
import { failed, ok, type Problem, type Result } from "../../lib/problem.ts";
import { KubeClient } from "../../providers/kubernetes/client.ts";
import { clusterAccess, type KubeconfigOptions } from "../../providers/kubernetes/kubeconfig.ts";
import { record } from "../../providers/kubernetes/readers.ts";
import { type Right, rightText } from "../rights.ts";
import { problemOfApi } from "./api-problem.ts";

export interface ClusterConnection {
  readonly client: KubeClient;
  /** Its API server. */
  readonly server: string;
  readonly clock: Clock;
  close(): void;
}

const patienceMs = 15_000;

/** Connects and asks for the version. Problems: those of kubeconfigs, `cluster-unreachable`, `cluster-unauthorized`. */
export async function connectCluster(options: KubeconfigOptions, clock: Clock = realClock): Promise<Result<ClusterConnection>> {
  const access = await clusterAccess(options);
  if (!access.ok) return access;
  const client = new KubeClient({ access: access.value, clock, patienceMs });
  const server = access.value.server.href;
  const version = await client.read("/version");
  if (version.ok) return ok({ client, server, clock, close: () => access.value.close() });
  access.value.close();
  return failed(problemOfApi(version.error, server));
}

/** Asks the API server whether we have these rights. Problem: `cluster-forbidden`, which names all that are missing. */
export async function checkRights(client: KubeClient, rights: readonly Right[]): Promise<Result<void>> {
  const answers = await Promise.all(rights.map((right) => mayI(client, right)));
  const problems = answers.flatMap((answer) => (answer.ok ? [] : answer.problems));
  if (problems.length > 0) return failed(...problems.slice(0, 1));
  const missing = rights.filter((_, at) => {
    const answer = answers[at];
    return answer?.ok === true && !answer.value;
  });
  return missing.length === 0 ? ok(undefined) : failed(forbidden(missing));
}

/** Asks the API server whether we have one right. */
export async function mayI(client: KubeClient, { namespace, ...attributes }: Right): Promise<Result<boolean>> {
  const resourceAttributes = { ...attributes, ...(namespace === undefined ? {} : { namespace }) };
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes } };
  const kind = { group: "authorization.k8s.io", version: "v1", resource: "selfsubjectaccessreviews" };
  const answer = await client.create({ kind }, review);
  if (!answer.ok) return failed(problemOfApi(answer.error, "asking for our own rights"));
  return ok(record(record(answer.value)["status"])["allowed"] === true);
}

function forbidden(missing: readonly Right[]): Problem {
  const shown = missing.slice(0, 5).map(rightText);
  const more = missing.length > shown.length ? `, and ${missing.length - shown.length} more` : "";
  return {
    code: "cluster-forbidden",
    message: `you may not ${shown.join(", ")}${more}`,
    hint: "ask for the role cluster-admin while you install; `kubectl auth can-i --list` says what you may do",
  };
}
