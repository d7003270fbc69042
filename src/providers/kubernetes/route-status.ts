/** Statuses as they are applied: ours in a route's or a policy's, with everybody else's kept; all of a Gateway's. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { isOurs } from "./read-routes.ts";
import { list, optional, type Raw, record, text } from "./readers.ts";
import type { KubeCondition } from "./route-objects.ts";
import type { PolicyStatus } from "./translate-backend-tls.ts";
import type { ObjectStatus } from "./translate-gateway-status.ts";
import type { RouteStatus } from "./translate-routes.ts";

/** What Gateway API calls the entries of a status: a policy's are of all Gateways above what it is for. */
const routeWords = { list: "parents", ref: "parentRef" } as const;
const policyWords = { list: "ancestors", ref: "ancestorRef" } as const;

/** What to apply to the status of a route or policy: `now` is it as the API server has it, `at` the time of now (RFC 3339, whole seconds). */
export function mergedStatus(now: unknown, wanted: RouteStatus | PolicyStatus, at: string): object {
  const raw = record(now);
  const words = wanted.kind === "BackendTLSPolicy" ? policyWords : routeWords;
  const parents = list(record(raw["status"])[words.list]).map(record);
  const before = parents.filter(isOurs);
  const ours = wanted.parents.map(({ parentRef, controller, conditions }) => {
    const same = before.find((one) => one["controllerName"] === controller && canonicalJson(one[words.ref]) === canonicalJson(parentRef));
    const old = list(same?.["conditions"]).map(record);
    return { [words.ref]: parentRef, controllerName: controller, conditions: conditions.map((condition) => written(condition, old, at)) };
  });
  return {
    apiVersion: raw["apiVersion"] ?? "gateway.networking.k8s.io/v1",
    kind: wanted.kind,
    metadata: { name: wanted.name, namespace: wanted.namespace, ...optional("resourceVersion", text(record(raw["metadata"])["resourceVersion"])) },
    status: { [words.list]: [...parents.filter((parent) => !isOurs(parent)), ...ours] },
  };
}

/** What to apply to the status of a Gateway or GatewayClass. The times of its conditions, and of its listeners', are kept as long as they say the same. */
export function mergedObjectStatus(now: unknown, wanted: ObjectStatus, at: string): object {
  const raw = record(now);
  const { kind, name, namespace } = wanted;
  return {
    apiVersion: raw["apiVersion"] ?? "gateway.networking.k8s.io/v1",
    kind,
    metadata: {
      name,
      ...optional("namespace", namespace === "" ? undefined : namespace),
      ...optional("resourceVersion", text(record(raw["metadata"])["resourceVersion"])),
    },
    status: writtenStatus(wanted, record(raw["status"]), at),
  };
}

/** A status in the API's words. `before` is what is there. */
export function writtenStatus({ status }: ObjectStatus, before: Raw = {}, at = ""): object {
  const old = list(before["conditions"]).map(record);
  const conditions = status.conditions.map((condition) => written(condition, old, at));
  const listeners = status.listeners?.map((listener) => {
    const same = list(before["listeners"])
      .map(record)
      .find(({ name }) => name === listener.name);
    const known = list(same?.["conditions"]).map(record);
    return { ...listener, conditions: listener.conditions.map((condition) => written(condition, known, at)) };
  });
  return { ...status, conditions, ...optional("listeners", listeners) };
}

/** A condition as it is written. The time of the last change is kept while the answer is the same. */
function written({ type, status, reason, message, generation }: KubeCondition, old: readonly Readonly<Record<string, unknown>>[], at: string): object {
  const before = old.find((one) => one["type"] === type && one["status"] === status);
  return { type, status, reason, message, observedGeneration: generation, lastTransitionTime: text(before?.["lastTransitionTime"]) ?? at };
}
