/** Namespaces that are missing, made when we may. */
import { failed, ok, type Problem, type Result } from "../lib/problem.ts";
import type { KubeClient } from "../providers/kubernetes/client.ts";
import { record, text } from "../providers/kubernetes/readers.ts";

const namespaces = { group: "", version: "v1", resource: "namespaces" };

/** Makes those of `names` that are missing. Problems: `namespace-missing` (and we may not make it), `namespace-ending`. */
export async function makeNamespaces(client: KubeClient, names: readonly string[]): Promise<Result<void>> {
  const problems = (await Promise.all(names.map((name) => makeOne(client, name)))).flat();
  return problems.length === 0 ? ok(undefined) : failed(...problems);
}

async function makeOne(client: KubeClient, name: string): Promise<readonly Problem[]> {
  const found = await client.get({ kind: namespaces, name });
  if (found.ok) return text(record(record(found.value)["status"])["phase"]) === "Terminating" ? [ending(name)] : [];
  // Whoever may only use a namespace may not look at it either: what we declare there will say whether it is.
  if (found.error.kind !== "notFound") return [];
  const made = await client.create({ kind: namespaces }, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  if (made.ok || made.error.kind === "exists") return [];
  return [missing(name, made.error.message)];
}

function ending(name: string): Problem {
  return { code: "namespace-ending", message: `the namespace ${name} is being deleted`, hint: "wait until it is gone, then repeat the command" };
}

function missing(name: string, why: string): Problem {
  return {
    code: "namespace-missing",
    message: `there is no namespace ${name}, and you may not make it: ${why}`,
    hint: `ask for it: kubectl create namespace ${name}; and for the role edit in it`,
  };
}
