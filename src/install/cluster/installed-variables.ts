/** What an installation was told before, and what of it a new command changes. */
import { failed, ok, type Result } from "../../lib/problem.ts";
import { isDomain } from "../../model/names.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { list, record, text } from "../../providers/kubernetes/readers.ts";
import { domainVariable } from "../control.ts";
import { controlName, systemNamespace } from "../objects.ts";
import { problemOfApi } from "./api-problem.ts";

/** By name. */
export type InstalledVariables = Readonly<Record<string, string>>;

/** Variables of the installed control plane; none when there is none. Problems: those of the cluster. */
export async function installedVariables(client: Pick<KubeClient, "get">): Promise<Result<InstalledVariables>> {
  const kind = { group: "apps", version: "v1", resource: "deployments" };
  const found = await client.get({ kind, namespace: systemNamespace, name: controlName });
  if (!found.ok) return found.error.kind === "notFound" ? ok({}) : failed(problemOfApi(found.error, "reading the installed control plane"));
  const template = record(record(record(found.value)["spec"])["template"]);
  const variables = list(record(template["spec"])["containers"]).flatMap((container) => list(record(container)["env"]).map(record));
  return ok(Object.fromEntries(variables.map(({ name, value }) => [text(name) ?? "", text(value) ?? ""])));
}

/** The domain below which what is declared public has its names: the one that is wished for, else the installed one. Problem: `domain-invalid`. */
export function chooseDomain(installed: InstalledVariables, wish: string | undefined): Result<string | undefined> {
  if (wish === undefined || isDomain(wish)) return ok(wish ?? installed[domainVariable]);
  return failed({ code: "domain-invalid", message: `"${wish}" is no name of a domain`, hint: "write it as in DNS, in lower case: apps.example.com" });
}
