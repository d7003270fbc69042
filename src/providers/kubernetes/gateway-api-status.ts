/** Statuses of Gateway API's objects as they are written: ours in a route's or a policy's, with everybody else's kept; all of a Gateway's. */
import { canonicalJson } from "../../lib/canonical-json.ts";
import { memoize } from "../../lib/memoize.ts";
import { conditionSince } from "./conditions.ts";
import { statusText } from "./read-gateways.ts";
import { isOurs } from "./read-routes.ts";
import { list, optional, type Raw, record, text } from "./readers.ts";
import { gatewayGroup, type KubeCondition } from "./route-objects.ts";
import type { WantedStatus } from "./status-writer.ts";
import type { PolicyStatus } from "./translate-backend-tls.ts";
import type { ObjectStatus } from "./translate-gateway-status.ts";
import type { RouteStatus } from "./translate-routes.ts";

/** What the status of one object should say, and what it says. */
export type GatewayApiStatus = RouteStatus | PolicyStatus | ObjectStatus;

/** What Gateway API calls the entries of a status: a policy's are of all Gateways above what it is for. */
const routeWords = { list: "parents", ref: "parentRef" } as const;
const policyWords = { list: "ancestors", ref: "ancestorRef" } as const;

const resources: Readonly<Record<GatewayApiStatus["kind"], string>> = {
  HTTPRoute: "httproutes",
  GRPCRoute: "grpcroutes",
  TLSRoute: "tlsroutes",
  TCPRoute: "tcproutes",
  GatewayClass: "gatewayclasses",
  Gateway: "gateways",
  ListenerSet: "listenersets",
  BackendTLSPolicy: "backendtlspolicies",
};

/** What to write; whoever writes over our words hears them again. */
export const gatewayApiStatuses: (statuses: readonly GatewayApiStatus[]) => readonly WantedStatus[] = memoize((statuses: readonly GatewayApiStatus[]) =>
  statuses.map((status): WantedStatus => {
    const { kind, namespace, name } = status;
    const [said, there] = textsOf(status);
    return {
      key: `${kind} ${namespace}/${name}`,
      place: { kind: { group: gatewayGroup, version: "v1", resource: resources[kind] }, ...inNamespace(namespace), name },
      // One that was made anew within a moment says what the one before said, when nobody had said anything of it yet.
      text: said === there ? undefined : `${status.uid}\n${said}\n${there}`,
      applied: (now, at) => applied(status, now, at),
    };
  }),
);

function inNamespace(namespace: string): { readonly namespace?: string } {
  return namespace === "" ? {} : { namespace };
}

/** What should be there, and what is. */
function textsOf(status: GatewayApiStatus): readonly [said: string, there: string] {
  if ("parents" in status) return [canonicalJson(status.parents), canonicalJson(status.reported)];
  return [statusText(withTimes(status)), status.reported];
}

/** The list of parents is one value for the API server, so the others' entries are part of what we say; a change meanwhile is a conflict. */
function applied(wanted: GatewayApiStatus, now: Raw, at: string): object {
  const { kind, namespace, name } = wanted;
  const resourceVersion = text(record(now["metadata"])["resourceVersion"]);
  const before = record(now["status"]);
  return {
    apiVersion: now["apiVersion"] ?? `${gatewayGroup}/v1`,
    kind,
    metadata: { name, ...inNamespace(namespace), ...optional("resourceVersion", resourceVersion) },
    status: "parents" in wanted ? merged(wanted, before, at) : withTimes(wanted, before, at),
  };
}

function merged(wanted: RouteStatus | PolicyStatus, before: Raw, at: string): object {
  const words = wanted.kind === "BackendTLSPolicy" ? policyWords : routeWords;
  const there = list(before[words.list]).map(record);
  const ours = wanted.parents.map(({ parentRef, controller, conditions }) => {
    const same = there.find((one) => one["controllerName"] === controller && canonicalJson(one[words.ref]) === canonicalJson(parentRef));
    return { [words.ref]: parentRef, controllerName: controller, conditions: written(conditions, same, at) };
  });
  return { [words.list]: [...there.filter((one) => !isOurs(one)), ...ours] };
}

/** A Gateway's or class's status in the API's words. `before` is what is there. */
function withTimes({ status }: ObjectStatus, before: Raw = {}, at = ""): object {
  const listeners = status.listeners?.map((listener) => {
    const same = list(before["listeners"])
      .map(record)
      .find(({ name }) => name === listener.name);
    return { ...listener, conditions: written(listener.conditions, same, at) };
  });
  return { ...status, conditions: written(status.conditions, before, at), ...optional("listeners", listeners) };
}

/** Conditions in the API's words. `before` is what has those of before. */
function written(conditions: readonly KubeCondition[], before: Raw | undefined, at: string): readonly object[] {
  const old = list(before?.["conditions"]).map(record);
  return conditions.map(({ generation, ...said }) => conditionSince({ ...said, observedGeneration: generation }, old, at));
}
