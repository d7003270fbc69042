/** What users declared on the cluster: it ends with the definitions of its kinds. */
import { failed, ok, type Result } from "../../lib/problem.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import { definedKinds } from "../crds.ts";
import { problemOfApi } from "./api-problem.ts";

const pageSize = 500;

/** `9 versions`, `2 routers`; empty when nothing is declared. */
async function countDeclared(client: KubeClient): Promise<Result<readonly string[]>> {
  const counts = await Promise.all(definedKinds.map(async (kind) => ({ kind, count: await countOf(client, kind) })));
  const problems = counts.flatMap(({ count }) => (count.ok ? [] : count.problems));
  if (problems.length > 0) return failed(...problems);
  return ok(
    counts.flatMap(({ kind, count }) => (count.ok && count.value > 0 ? [`${count.value} ${count.value === 1 ? kind.kind.toLowerCase() : kind.resource}`] : [])),
  );
}

async function countOf(client: KubeClient, kind: (typeof definedKinds)[number]): Promise<Result<number>> {
  let [count, next]: [number, string | undefined] = [0, undefined];
  do {
    const page: Awaited<ReturnType<KubeClient["list"]>> = await client.list(kind, { limit: pageSize, ...(next === undefined ? {} : { next }) });
    if (!page.ok) return page.error.kind === "notFound" ? ok(0) : failed(problemOfApi(page.error, `listing ${kind.resource}`));
    count += page.value.items.length;
    next = page.value.next;
  } while (next !== undefined);
  return ok(count);
}

/** Refuses while users have something declared, for it would end with the kinds themselves, and its pods with it. Problem: `uninstall-in-use`. */
export async function checkNothingDeclared(client: KubeClient): Promise<Result<void>> {
  const counts = await countDeclared(client);
  if (!counts.ok) return counts;
  if (counts.value.length === 0) return ok(undefined);
  return failed({
    code: "uninstall-in-use",
    message: `${counts.value.join(", ")} would be deleted, and the pods of all versions with them`,
    hint: "`weir down --all` or `kubectl get weir -A` first; `--force` deletes them",
  });
}
