/** BackendTLSPolicies, judged: which port of which Service gateways call by TLS, and what the policies' statuses say of each Gateway. */
import { memoizeLast } from "../../lib/memoize.ts";
import type { BackendTls, SecuredPort } from "../../model/gateway.ts";
import type { Namespace } from "../../model/names.ts";
import type { KubeBackendTlsPolicy, KubePolicyTarget, KubeRoots } from "./backend-tls-objects.ts";
import { gatewayController, type KubeGateway } from "./gateway-objects.ts";
import type { KubeService, Objects } from "./objects.ts";
import { optional } from "./readers.ts";
import { gatewayGroup, type KubeParentStatus, type KubeRoute } from "./route-objects.ts";
import { byAge } from "./translate-age.ts";
import { type Because, because } from "./translate-because.ts";
import { isTcp } from "./translate-ports.ts";
import { findRoots } from "./translate-roots.ts";

/** What a policy's status should say. */
export interface PolicyStatus {
  readonly kind: "BackendTLSPolicy";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** One for each Gateway whose routes lead to what it is for. */
  readonly parents: readonly KubeParentStatus[];
  /** What it says now. */
  readonly reported: readonly KubeParentStatus[];
}

/** A policy with one of the things it is for. */
interface Aim {
  readonly policy: KubeBackendTlsPolicy;
  /** `NAMESPACE/NAME` of a Service. */
  readonly service: string;
  /** The ports that it decides; empty: none, `problem` says why, if it is not that a more special policy has them. */
  readonly ports: readonly number[];
  readonly problem?: Because;
}

export interface JudgedPolicies {
  readonly aims: readonly Aim[];
  readonly decided: ReadonlyMap<KubeBackendTlsPolicy, DecidedPolicy>;
}

/** What a policy says, whatever it is for. */
interface DecidedPolicy {
  readonly tls: BackendTls | "refused";
  readonly problem?: Because;
  readonly refs?: Because;
}

/** Judges all policies. Of two for the same, the older has it, then the first by name: also when it is one that nothing can be called by. */
export const judgePolicies: (policies: Objects<KubeBackendTlsPolicy>, roots: Objects<KubeRoots>, services: Objects<KubeService>) => JudgedPolicies =
  memoizeLast((policies: Objects<KubeBackendTlsPolicy>, roots: Objects<KubeRoots>, services: Objects<KubeService>) => {
    const all = [...policies.values()].filter(({ terminating }) => !terminating).toSorted(byAge);
    const taken = new Map<string, KubeBackendTlsPolicy>();
    for (const policy of all) {
      for (const target of policy.targets) {
        const key = targetKey(policy, target);
        if (!taken.has(key)) taken.set(key, policy);
      }
    }
    return {
      aims: all.flatMap((policy) => policy.targets.map((target) => aim(policy, target, services, taken))),
      decided: new Map(all.map((policy) => [policy, decide(policy, roots)])),
    };
  });

function targetKey({ namespace }: KubeBackendTlsPolicy, { group, kind, name, section = "" }: KubePolicyTarget): string {
  return [group, kind, namespace, name, section].join("/");
}

function aim(policy: KubeBackendTlsPolicy, target: KubePolicyTarget, services: Objects<KubeService>, taken: ReadonlyMap<string, KubeBackendTlsPolicy>): Aim {
  const service = `${policy.namespace}/${target.name}`;
  const none = (reason: string, message: string): Aim => ({ policy, service, ports: [], problem: { reason, message } });
  if (target.group !== "" || target.kind !== "Service") return none("TargetNotFound", `a target of kind ${target.kind} is not known, only Services`);
  const winner = taken.get(targetKey(policy, target));
  if (winner !== policy) return none("Conflicted", `BackendTLSPolicy ${winner?.name ?? ""}, which is older, is for the same`);
  const found = services.get(service);
  if (found === undefined) return none("TargetNotFound", `there is no Service ${service}`);
  const meant = found.ports.filter((port) => isTcp(port) && (target.section === undefined || port.name === target.section));
  if (meant.length === 0) return none("TargetNotFound", `Service ${service} has no TCP port ${target.section ?? ""}`.trimEnd());
  const isLeft = (name: string): boolean => target.section !== undefined || !taken.has(targetKey(policy, { ...target, section: name }));
  return { policy, service, ports: meant.filter(({ name }) => name === "" || isLeft(name)).map(({ number }) => number) };
}

function decide(policy: KubeBackendTlsPolicy, roots: Objects<KubeRoots>): DecidedPolicy {
  const { hostname, names, wellKnownRoots } = policy;
  const tls = { serverName: hostname, names: names.length > 0 ? names : [{ kind: "dns" as const, name: hostname }] };
  if (policy.roots.length === 0) {
    if (wellKnownRoots === "System") return { tls: { ...tls, roots: "system" } };
    return { tls: "refused", problem: { reason: "Invalid", message: `the well-known certificates ${wellKnownRoots} are not known, only System` } };
  }
  const found = findRoots(policy.roots, roots);
  const refs = optional("refs", found.problem && { ...found.problem, reason: found.problem.isKind ? "InvalidKind" : "InvalidCACertificateRef" });
  if (found.roots === undefined) return { tls: "refused", problem: { reason: "NoValidCACertificate", message: found.problem?.message ?? "" }, ...refs };
  return { tls: { ...tls, roots: found.roots }, ...refs };
}

/** `NAMESPACE/NAME` of all Services that a route's rules name, also for copies. */
export function servicesNamed({ rules }: KubeRoute): readonly string[] {
  const refs = rules.flatMap(({ backends, filters }) => [...backends, ...filters.flatMap((filter) => (filter.kind === "mirror" ? [filter.to] : []))]);
  return refs.filter(({ group, kind }) => group === "" && kind === "Service").map(({ namespace, name }) => `${namespace}/${name}`);
}

/** The ports of these Services that are called by TLS. */
export function securedPorts({ aims, decided }: JudgedPolicies, services: ReadonlySet<string>): readonly SecuredPort[] {
  return aims
    .filter(({ service }) => services.has(service))
    .flatMap(({ policy, service, ports }) => {
      const name = service.slice(policy.namespace.length + 1);
      const tls = decided.get(policy)?.tls ?? "refused";
      return ports.map((port) => ({ namespace: policy.namespace as Namespace, name, port, tls }));
    });
}

/** A status has room for so many. */
const mostAncestors = 16;

/** What policies' statuses should say. `gateways`: each with the Services that its routes lead to. What was ours once has words of ours that must go. */
export function policyStatuses(
  { aims, decided }: JudgedPolicies,
  gateways: readonly { readonly gateway: KubeGateway; readonly leadsTo: ReadonlySet<string> }[],
): readonly PolicyStatus[] {
  const byPolicy = Map.groupBy(aims, ({ policy }) => policy);
  return [...decided].flatMap(([policy, decision]) => {
    const own = byPolicy.get(policy) ?? [];
    const { kind, namespace, name, uid, reported } = policy;
    const ancestors = gateways.flatMap(({ gateway, leadsTo }) => {
      const meant = own.filter(({ service }) => leadsTo.has(service));
      return meant.length === 0 ? [] : [ancestorStatus(policy, gateway, meant, decision)];
    });
    return ancestors.length === 0 && reported.length === 0 ? [] : [{ kind, namespace, name, uid, parents: ancestors.slice(0, mostAncestors), reported }];
  });
}

function ancestorStatus(
  policy: KubeBackendTlsPolicy,
  { namespace, name }: KubeGateway,
  aims: readonly Aim[],
  { problem, refs }: DecidedPolicy,
): KubeParentStatus {
  const bad = aims.find((one) => one.problem !== undefined)?.problem ?? problem;
  const { generation } = policy;
  return {
    controller: gatewayController,
    parentRef: { group: gatewayGroup, kind: "Gateway", namespace, name },
    conditions: [because("Accepted", generation, bad), because("ResolvedRefs", generation, refs)],
  };
}
