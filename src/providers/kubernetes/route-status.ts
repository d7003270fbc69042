/** A route's status with our words in it and everybody else's kept. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { controllerName, isOurs } from "./read-routes.ts";
import { list, optional, record, text } from "./readers.ts";
import type { KubeCondition } from "./route-objects.ts";
import type { RouteStatus } from "./translate-routes.ts";

/** What to apply to the route's status: `now` is the route as the API server has it, `at` the time of now (RFC 3339, whole seconds). */
export function mergedStatus(now: unknown, wanted: RouteStatus, at: string): object {
  const raw = record(now);
  const parents = list(record(raw["status"])["parents"]).map(record);
  const before = parents.filter(isOurs);
  const ours = wanted.parents.map(({ parentRef, conditions }) => {
    const old = list(before.find((one) => canonicalJson(one["parentRef"]) === canonicalJson(parentRef))?.["conditions"]).map(record);
    return { parentRef, controllerName, conditions: conditions.map((condition) => written(condition, old, at)) };
  });
  return {
    apiVersion: raw["apiVersion"] ?? "gateway.networking.k8s.io/v1",
    kind: wanted.kind,
    metadata: { name: wanted.name, namespace: wanted.namespace, ...optional("resourceVersion", text(record(raw["metadata"])["resourceVersion"])) },
    status: { parents: [...parents.filter((parent) => !isOurs(parent)), ...ours] },
  };
}

/** The time of the last change is kept while the answer is the same. */
function written({ type, status, reason, message, generation }: KubeCondition, old: readonly Readonly<Record<string, unknown>>[], at: string): object {
  const before = old.find((one) => one["type"] === type && one["status"] === status);
  return { type, status, reason, message, observedGeneration: generation, lastTransitionTime: text(before?.["lastTransitionTime"]) ?? at };
}
