/** Reads what the control plane says of the mesh. */
import { failed, ok, type Result } from "../lib/problem.ts";
import { type MeshReport, meshReportKind, meshReportName } from "../model/mesh-report.ts";
import type { ApiError } from "../providers/kubernetes/api-error.ts";
import { apiProblem } from "../providers/kubernetes/api-problem.ts";
import type { KubeClient } from "../providers/kubernetes/client.ts";
import { readMeshReport } from "../providers/kubernetes/mesh-report-object.ts";
import { record, text } from "../providers/kubernetes/readers.ts";

const hints = {
  unreachable: "see whether `kubectl version` answers",
  forbidden: "ask for the role view in the namespace; a Weir of before `weir identity` does not give it this right: weir install",
};

/** The reports of these namespaces, or of all, by namespace; one without pods in the mesh has none. Problems: `cluster-*`. */
export async function readMeshReports(client: KubeClient, namespaces: readonly string[] | undefined): Promise<Result<ReadonlyMap<string, MeshReport>>> {
  if (namespaces === undefined) {
    const page = await client.list(meshReportKind);
    return page.ok ? ok(new Map(page.value.items.map((item) => [namespaceOf(item), readMeshReport(item)]))) : refused(page);
  }
  const reports = new Map<string, MeshReport>();
  for (const namespace of namespaces) {
    const found = await client.get({ kind: meshReportKind, namespace, name: meshReportName });
    if (found.ok) reports.set(namespace, readMeshReport(found.value));
    else if (found.error.kind !== "notFound") return refused(found);
  }
  return ok(reports);
}

function refused({ error }: { readonly error: ApiError }): Result<never> {
  return failed(apiProblem(error, "reading meshreports.weir.dev", hints));
}

function namespaceOf(item: unknown): string {
  return text(record(record(item)["metadata"])["namespace"]) ?? "";
}
