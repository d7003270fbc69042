/** The domain below which what is declared public has its names. */
import { failed, ok, type Result } from "../../lib/problem.ts";
import { isDomain } from "../../model/names.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { list, record, text } from "../../providers/kubernetes/readers.ts";
import { domainVariable } from "../control.ts";
import { controlName, systemNamespace } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";

/** The one that is wished for, else the one that is installed, else undefined. Problems: `domain-invalid`, and those of the cluster. */
export async function chooseDomain(client: Pick<KubeClient, "get">, wish: string | undefined): Promise<Result<string | undefined>> {
  if (wish !== undefined) return isDomain(wish) ? ok(wish) : failed(problemOf(wish));
  const kind = { group: "apps", version: "v1", resource: "deployments" };
  const found = await client.get({ kind, namespace: systemNamespace, name: controlName });
  if (!found.ok) return found.error.kind === "notFound" ? ok(undefined) : failed(problemOfApi(found.error, "reading the installed control plane"));
  const template = record(record(record(found.value)["spec"])["template"]);
  const variables = list(record(template["spec"])["containers"]).flatMap((container) => list(record(container)["env"]).map(record));
  return ok(text(variables.find(({ name }) => name === domainVariable)?.["value"]));
}

function problemOf(wish: string) {
  return { code: "domain-invalid", message: `"${wish}" is no name of a domain`, hint: "write it as in DNS, in lower case: apps.example.com" } as const;
}
