/** Who workloads are. On a cluster the control plane says it; on one machine it is what the node's Envoy knows callers by. */
import { didYouMean } from "../../lib/did-you-mean.ts";
import type { MeshReport, ReportedAuthority, ReportedCertificate, ReportedPod } from "../../model/mesh-report.ts";
import type { Namespace } from "../../model/names.ts";
import { parseRef, type Ref } from "../../model/ref.ts";
import type { Workload } from "../../model/workload.ts";
import type { ApiContext } from "../context.ts";
import type { IdentitiesView, IdentityView } from "../contract.ts";
import { need, refuse } from "../refusal.ts";
import { route } from "../route.ts";
import { identitiesQuery } from "../schemas.ts";

interface Query {
  readonly namespace: string;
  readonly ref?: string;
}

async function identities(context: ApiContext, { namespace, ref }: Query): Promise<IdentitiesView> {
  const meant = ref === undefined ? undefined : need(parseRef(ref, namespace as Namespace));
  const wanted = meant?.namespace ?? namespace;
  const reports = await context.machine.meshReports?.(wanted === "*" ? undefined : wanted);
  const view = reports === undefined ? onThisMachine(context, wanted) : onCluster(context, need(reports));
  if (meant === undefined) return view;
  const workloads = view.workloads.filter((one) => isMeant(one, meant));
  if (workloads.length > 0) return { ...view, workloads };
  const known = view.workloads.flatMap(({ app, workload }) => [app, workload]);
  const hint = didYouMean(meant.name, [...new Set(known)]) ?? "without a name, `weir identity` shows all that there are";
  throw refuse("not-found", `no workload of ${ref ?? ""} is in the mesh in namespace ${meant.namespace}`, { hint, status: 404 });
}

/** A workload's own name, else its app's, or that of its ServiceAccount. */
function isMeant({ namespace, workload, app, version, serviceAccount }: IdentityView, ref: Ref): boolean {
  if (namespace !== ref.namespace) return false;
  if (ref.version !== undefined) return app === ref.name && version === ref.version;
  return [workload, app, serviceAccount].includes(ref.name);
}

function workloadsOf(context: ApiContext): readonly Workload[] {
  return [...(context.observed.get()?.replicas.workloads.values() ?? [])];
}

/** What callers are known by here cannot be forged, and no certificate is needed for it. */
function onThisMachine(context: ApiContext, namespace: string): IdentitiesView {
  const meaning =
    "On one machine a caller is known by the network namespace that its connection comes from, which it cannot leave: there are no certificates, and nothing is encrypted, for nothing leaves the machine.";
  const running = workloadsOf(context).filter((one) => namespace === "*" || one.namespace === namespace);
  const workloads = running.flatMap((one): IdentityView[] => {
    const { id, app, version, network } = one;
    if (network === undefined) return [];
    const { address, networkNamespace } = network;
    const proof = { kind: "network-namespace", networkNamespace, address } as const;
    return [{ namespace: one.namespace, workload: id, app, version, identity: `${app}.${one.namespace}`, proof, state: "joined" }];
  });
  return { meaning, namespaces: [], workloads: workloads.toSorted(byPlace) };
}

function onCluster(context: ApiContext, reports: ReadonlyMap<string, MeshReport>): IdentitiesView {
  const declared = new Map(workloadsOf(context).map((one) => [`${one.namespace}/${one.id}`, one]));
  const trustDomain = [...reports.values()][0]?.trustDomain;
  return {
    meaning: "On a cluster a workload proves who it is by a certificate for its ServiceAccount, which its node holds for it; the key never leaves the node.",
    ...(trustDomain === undefined ? {} : { trustDomain }),
    namespaces: [...reports].map(([namespace, { mode, joins }]) => ({ namespace, mode, joins })),
    workloads: [...reports].flatMap(([namespace, report]) =>
      report.pods.map((pod) => podView(namespace, pod, report, declared.get(`${namespace}/${pod.name}`))),
    ),
  };
}

function podView(namespace: string, pod: ReportedPod, { authorities }: MeshReport, workload: Workload | undefined): IdentityView {
  const { name, node, serviceAccount, identity, mode, state, reason, certificate } = pod;
  const chain = (certificate?.issuers ?? []).flatMap((fingerprint) => authorities.find((one) => one.fingerprint === fingerprint) ?? []);
  return {
    namespace,
    workload: name,
    app: workload?.app ?? pod.app,
    ...(workload === undefined ? {} : { version: workload.version }),
    node,
    serviceAccount,
    identity,
    mode,
    state,
    ...(reason === undefined ? {} : { reason }),
    proof: certificate === undefined ? { kind: "none" } : proofOf(certificate, chain),
  };
}

function proofOf({ serial, notBefore, notAfter, renewAt }: ReportedCertificate, chain: readonly ReportedAuthority[]): IdentityView["proof"] {
  return { kind: "certificate", serial, notBefore, notAfter, renewAt, chain };
}

function byPlace(a: IdentityView, b: IdentityView): number {
  const [left, right] = [a, b].map(({ namespace, workload }) => `${namespace}/${workload}`);
  return (left ?? "") < (right ?? "") ? -1 : 1;
}

export const identityRoutes = [
  route("GET /v1/identities", {
    summary: "Who workloads are, and what proves it: certificates' facts, never keys",
    query: identitiesQuery,
    handle: (context, { query }) => identities(context, query),
  }),
];
