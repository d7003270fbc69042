/** From what the control plane knows to what it tells the users of each namespace. Pure. */
import type { HeldCertificate, NodeReport } from "../../agent/cluster/contract.ts";
import type { AuthorityState } from "../../identity/authority-state.ts";
import type { Problem } from "../../lib/problem.ts";
import type { MeshReport, ReportedAuthority, ReportedCertificate, ReportedNode, ReportedPod, SystemReport } from "../../model/mesh-report.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { type TrustDomain, workloadId } from "../../model/spiffe.ts";
import type { KubeNode, Objects } from "../../providers/kubernetes/objects.ts";
import type { MeshPod, MtlsMode } from "../../providers/kubernetes/translate-pods.ts";
import type { Member, MemberStage } from "../../release/membership.ts";
import type { ProxyCondition } from "./proxy-link.ts";

export interface MeshFacts {
  /** By uid: those that should be in the mesh. */
  readonly pods: ReadonlyMap<string, MeshPod>;
  readonly members: ReadonlyMap<string, Member>;
  /** Namespaces whose pods are in the mesh unless they say otherwise. */
  readonly meshNamespaces: readonly string[];
  /** What the namespaces say of their pods, where they say something. */
  readonly modes: ReadonlyMap<string, MtlsMode>;
  /** What cannot be understood of labels and objects. */
  readonly problems: readonly Problem[];
  readonly nodes: Objects<KubeNode>;
  readonly reports: ReadonlyMap<string, NodeReport>;
  /** Nodes whose agents talk with us. */
  readonly connected: ReadonlySet<string>;
  readonly proxies: ReadonlyMap<string, ProxyCondition>;
}

export interface ReportContext {
  readonly version: string;
  readonly trustDomain: TrustDomain;
  /** Our own namespace. */
  readonly namespace: string;
  /** Our own pod. */
  readonly leader: string;
  readonly authority: AuthorityState;
  /** Why what the user gave is not what signs; empty: it is, or there is none. */
  readonly refused: string;
}

/** By namespace: of those that have pods in the mesh or should have, and our own. */
export function meshReports(facts: MeshFacts, context: ReportContext): ReadonlyMap<string, MeshReport> {
  const pods = Map.groupBy(reportedPods(facts, context.trustDomain), ({ namespace }) => namespace);
  const names = [...new Set([...pods.keys(), ...facts.meshNamespaces, context.namespace])].sort();
  const authorities = new Map([...facts.reports.values()].flatMap((report) => (report.authorities ?? []).map((one) => [one.fingerprint, one])));
  const { version, trustDomain } = context;
  return new Map(
    names.map((namespace) => {
      const own = (pods.get(namespace) ?? []).map(({ pod }) => pod).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      const system = namespace === context.namespace ? { system: systemReport(facts, context, [...pods.values()].flat()) } : {};
      const mode = facts.modes.get(namespace) ?? "strict";
      const joins = facts.meshNamespaces.includes(namespace);
      return [namespace, { version, trustDomain, joins, mode, pods: own, authorities: authoritiesOf(own, authorities), ...system }];
    }),
  );
}

interface PlacedPod {
  readonly namespace: string;
  readonly pod: ReportedPod;
}

function reportedPods(facts: MeshFacts, trustDomain: TrustDomain): readonly PlacedPod[] {
  const certificates = new Map([...facts.reports].map(([node, { certificates: held = [] }]) => [node, new Map(held.map((one) => [one.identity, one]))]));
  const wanted = [...facts.pods].map(([uid, pod]): PlacedPod => {
    const { namespace, name, node, app, serviceAccount, mode } = pod;
    const identity = workloadId(trustDomain, namespace as Namespace, serviceAccount as AppName);
    const member = facts.members.get(uid);
    const state = member?.stage === "joined" ? "joined" : "joining";
    const reason = state === "joined" ? undefined : whyNotJoined(uid, pod, member, facts);
    const certificate = certificates.get(node)?.get(identity);
    const more = { ...(reason === undefined ? {} : { reason }), ...(certificate === undefined ? {} : { certificate: certificateOf(certificate) }) };
    return { namespace, pod: { uid, name, node, app, serviceAccount, identity, mode, state, ...more } };
  });
  const leaving = [...facts.members].flatMap(([uid, { pod }]): PlacedPod[] => {
    if (facts.pods.has(uid)) return [];
    const { namespace, name, node, identity, mode } = pod;
    const serviceAccount = identity.slice(identity.lastIndexOf("/") + 1);
    return [{ namespace, pod: { uid, name, node, app: serviceAccount, serviceAccount, identity, mode, state: "leaving" } }];
  });
  return [...wanted, ...leaving];
}

function certificateOf({ serial, notBefore, notAfter, renewAt, issuers }: HeldCertificate): ReportedCertificate {
  return { serial, notBefore, notAfter, renewAt, issuers };
}

/** What it waits for. */
const stageReasons: Readonly<Partial<Record<MemberStage, string>>> = {
  found: "its node looks for its network namespace",
  listening: "the Envoy of its node does not listen in it yet",
  capturing: "its node puts the rules into it",
};

function whyNotJoined(uid: string, { node, address }: MeshPod, member: Member | undefined, { reports, connected }: MeshFacts): string {
  const report = reports.get(node);
  const said = report?.pods.find((pod) => pod.uid === uid)?.reason ?? report?.problem;
  if (said !== undefined) return said;
  if (address === undefined) return "it has no IPv4 address yet";
  if (report === undefined || !connected.has(node)) return `the agent of its node ${node} is not heard of`;
  return (member === undefined ? undefined : stageReasons[member.stage]) ?? "other nodes have not all heard of it yet";
}

function authoritiesOf(pods: readonly ReportedPod[], known: ReadonlyMap<string, ReportedAuthority>): readonly ReportedAuthority[] {
  const wanted = [...new Set(pods.flatMap(({ certificate }) => certificate?.issuers ?? []))].sort();
  return wanted.flatMap((fingerprint) => known.get(fingerprint) ?? []);
}

/** So many of each list in one object: it has a limit of its own. */
const listLimit = 200;

function systemReport(facts: MeshFacts, { leader, authority, refused }: ReportContext, pods: readonly PlacedPod[]): SystemReport {
  const { rotation } = authority;
  const { origin, notAfter, rootNotAfter } = rotation.signer;
  const single = pods.filter(({ namespace, pod }) => pod.mode === "permissive" && facts.modes.get(namespace) !== "permissive");
  const withPods = new Set(pods.map(({ namespace }) => namespace));
  const namespaces = [...facts.modes].filter(([name, mode]) => mode === "permissive" && withPods.has(name)).map(([name]) => name);
  const waiting = pods.flatMap(({ namespace, pod: { name, state, reason } }) =>
    state === "joining" && reason !== undefined ? [{ pod: `${namespace}/${name}`, reason }] : [],
  );
  const counts = new Map([...Map.groupBy(facts.pods.values(), ({ node }) => node)].map(([node, own]) => [node, own.length]));
  return {
    leader,
    authority: { plugIn: origin === "plug-in", rotation: rotation.phase, notAfter, rootNotAfter, ...(refused === "" ? {} : { refused }) },
    nodes: [...facts.nodes.keys()].toSorted().map((name) => reportedNode(name, facts, counts.get(name) ?? 0)),
    permissive: [...namespaces.toSorted(), ...single.map(({ namespace, pod }) => `${namespace}/${pod.name}`).toSorted()].slice(0, listLimit),
    waiting: waiting.toSorted((a, b) => (a.pod < b.pod ? -1 : 1)).slice(0, listLimit),
    problems: facts.problems.slice(0, listLimit).map(({ message, hint }) => `${message}${hint === undefined ? "" : ` (${hint})`}`),
  };
}

function reportedNode(name: string, { reports, connected, proxies }: MeshFacts, pods: number): ReportedNode {
  const [report, proxy] = [reports.get(name), proxies.get(name)];
  const reason = report?.problem ?? (report?.guard.state === "absent" ? report.guard.reason : undefined);
  return {
    name,
    agent: report === undefined ? "unknown" : connected.has(name) ? "connected" : "away",
    proxy: proxy?.connected === true ? "connected" : "away",
    ...(report?.envoy?.version === undefined ? {} : { envoy: report.envoy.version }),
    ...(proxy === undefined || proxy.refusal === "" ? {} : { refused: proxy.refusal }),
    guard: report?.guard.state ?? "unknown",
    ...(reason === undefined ? {} : { reason }),
    pods,
  };
}
