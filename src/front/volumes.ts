/** Volumes on a cluster: the claims of versions, found by the labels that their StatefulSet gave them. */
import type { KeptVolume, VolumeQuery } from "../api/context.ts";
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import type { AppName, Namespace, VersionName } from "../model/names.ts";
import type { KubeClient } from "../providers/kubernetes/client.ts";
import { readMeta } from "../providers/kubernetes/read-objects.ts";
import { record } from "../providers/kubernetes/readers.ts";
import { appLabel, versionLabel } from "../providers/kubernetes/workload-objects.ts";
import { problemOfApi } from "../store/kubernetes/api-problem.ts";

const claims = { group: "", version: "v1", resource: "persistentvolumeclaims" };

type Client = Pick<KubeClient, "list" | "delete">;

/** The claims of these versions, declared or not. Problems: those of the API server. */
export async function claimsOf(client: Client, queries: readonly VolumeQuery[]): Promise<Result<readonly KeptVolume[]>> {
  const pages = await Promise.all(
    queries.map(({ namespace, app, version }) => {
      const labels = [`${appLabel}=${app}`, version === undefined ? versionLabel : `${versionLabel}=${version}`].join(",");
      return client.list(claims, { namespace, labels });
    }),
  );
  const problems = pages.flatMap((page): readonly Problem[] => (page.ok ? [] : [problemOfApi(page.error, "looking at volumes")]));
  if (problems.length > 0) return failed(...problems);
  return ok(pages.flatMap((page) => (page.ok ? page.value.items.map(readClaim) : [])));
}

function readClaim(value: unknown): KeptVolume {
  const { namespace, name, labels } = readMeta(record(value));
  return { namespace: namespace as Namespace, app: (labels[appLabel] ?? "") as AppName, version: (labels[versionLabel] ?? "") as VersionName, name };
}

/** Deletes claims; what becomes of the data behind them is their storage class's business. Problems: those of the API server. */
export async function deleteClaims(client: Client, volumes: readonly KeptVolume[]): Promise<Result<void>> {
  const answers = await Promise.all(volumes.map(({ namespace, name }) => client.delete({ kind: claims, namespace, name })));
  const problems = answers.flatMap((answer): readonly Problem[] =>
    answer.ok || answer.error.kind === "notFound" ? [] : [problemOfApi(answer.error, "deleting a volume")],
  );
  return problems.length === 0 ? ok(undefined) : failed(...problems);
}
