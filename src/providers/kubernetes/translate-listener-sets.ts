/** ListenerSets: which of them a Gateway takes, and what their statuses say. */
import type { KubeGateway, KubeListenerSet } from "./gateway-objects.ts";
import type { KubeNamespace, KubeService, Objects } from "./objects.ts";
import { byAge } from "./translate-age.ts";
import { type Because, because } from "./translate-because.ts";
import { isParent, takesFrom } from "./translate-gateway-attach.ts";
import { isOwn, isServed } from "./translate-gateway-listeners.ts";
import {
  addressesOf,
  type DecidedGateway,
  gatewayProblem,
  listenerStatus,
  type ObjectStatus,
  type ProxyState,
  programmedCondition,
} from "./translate-gateway-status.ts";

/** A Gateway's ListenerSets, in the order in which they count: the oldest first, then by name. */
export interface FoundSets {
  readonly taken: readonly KubeListenerSet[];
  /** Those that the Gateway does not allow. */
  readonly refused: readonly KubeListenerSet[];
}

/** Finds what names this Gateway. */
export function findSets(gateway: KubeGateway, sets: Objects<KubeListenerSet>, namespaces: Objects<KubeNamespace>): FoundSets {
  const named = [...sets.values()].filter((set) => !set.terminating && isParent(set.parent, gateway)).toSorted(byAge);
  const isTaken = ({ namespace }: KubeListenerSet): boolean =>
    takesFrom(gateway.allowedListeners, namespace, namespaces.get(namespace)?.labels ?? {}, gateway.namespace);
  return { taken: named.filter(isTaken), refused: named.filter((set) => !isTaken(set)) };
}

/** The status of a ListenerSet that the Gateway takes. `service` is the one that was made for the Gateway. */
export function setStatus(set: KubeListenerSet, decided: DecidedGateway, service: KubeService | undefined, proxies: ProxyState): ObjectStatus {
  const { generation, reported } = set;
  const own = decided.listeners.filter((listener) => isOwn(listener, set));
  const bad = own.filter((listener) => !isServed(listener)).map(({ name }) => name);
  const problem = setProblem(decided, bad.length === own.length);
  const accepted = because("Accepted", generation, problem);
  const some = { ...accepted, reason: "ListenersNotValid", message: `listener ${bad.join(", ")}: not accepted` };
  const before = reported.conditions.find(({ type, generation: seen }) => type === "Programmed" && seen === generation);
  const keeps = proxies.kind === "unknown" && before !== undefined && problem === undefined;
  const programmed =
    problem === undefined ? programmedCondition(generation, undefined, addressesOf(service), proxies) : because("Programmed", generation, problem);
  return {
    ...nameOf(set),
    status: {
      conditions: [problem === undefined && bad.length > 0 ? some : accepted, keeps ? before : programmed],
      listeners: own.map((one) => listenerStatus(one, generation, decided.attachments)),
    },
  };
}

function setProblem(decided: DecidedGateway, isEmpty: boolean): Because | undefined {
  if (gatewayProblem(decided.gateway, decided.listeners) !== undefined) return { reason: "ParentNotAccepted", message: "its Gateway is not accepted" };
  return isEmpty ? { reason: "ListenersNotValid", message: "no listener can be accepted" } : undefined;
}

/** The status of a ListenerSet that the Gateway does not take. */
export function refusedSetStatus(set: KubeListenerSet, { namespace, name }: KubeGateway): ObjectStatus {
  const problem = { reason: "NotAllowed", message: `allowedListeners of Gateway ${namespace}/${name} does not mean the namespace ${set.namespace}` };
  const conditions = [because("Accepted", set.generation, problem), because("Programmed", set.generation, problem)];
  return { ...nameOf(set), status: { conditions } };
}

function nameOf({ namespace, name, uid, reported }: KubeListenerSet) {
  return { kind: "ListenerSet", namespace, name, uid, reported: reported.text } as const;
}
