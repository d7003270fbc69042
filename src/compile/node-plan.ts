/**
 * What the proxy of one node of a cluster does: everything about traffic (the MeshPlan), seen from where it stands. It calls what runs on its own node
 * directly, and everything else that is in the mesh by mutual TLS, as its callers.
 */
import { memoize, sameFields, shareList } from "../lib/memoize.ts";
import type { MeshPods, PinnedPod } from "../model/mesh-pod.ts";
import type { SpiffeId, TrustDomain } from "../model/spiffe.ts";
import type { Endpoint } from "../model/world.ts";
import { listeningPort } from "./backends.ts";
import type { Backend, BackendId, Host, MeshPlan } from "./mesh-plan.ts";
import { retrySafeMethods } from "./safe-methods.ts";

/** One place that a backend's requests go to. */
export interface NodeEndpoint {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** Absent: plaintext. Else mutual TLS, and whoever answers must be this. */
  readonly peer?: SpiffeId;
}

export type VersionBackend = Backend & { readonly kind: "version" };
export type ExternalBackend = Backend & { readonly kind: "external" };

export interface NodeBackend {
  readonly backend: VersionBackend;
  /** Sorted by id. */
  readonly endpoints: readonly NodeEndpoint[];
  /** Who may answer by mutual TLS; empty: nobody is called that way from here. */
  readonly peers: readonly SpiffeId[];
}

export interface NodePlan {
  readonly node: string;
  readonly trustDomain: TrustDomain;
  readonly hosts: readonly Host[];
  /** All hosts as the callers of a namespace see them that has routes of its own. */
  readonly hostsFor: MeshPlan["hostsFor"];
  readonly backends: readonly NodeBackend[];
  /** Called from every node itself, as nobody of the mesh. */
  readonly externals: readonly ExternalBackend[];
  /** The pods of this node, each with listeners of its own. Sorted by uid. */
  readonly pods: readonly PinnedPod[];
  /** Mesh pods of other nodes, for callers that use a pod's own address: address → who must answer there. Sorted by address. */
  readonly remote: readonly { readonly address: string; readonly identity: SpiffeId }[];
}

/**
 * Decides for one node. Equal arguments give equal plans; parts that say the same as in `before`, the plan of this node before this one, are the same
 * objects.
 */
export function compileNode(plan: MeshPlan, mesh: MeshPods, node: string, before?: NodePlan): NodePlan {
  const pods = [...(mesh.pinned.get(node) ?? [])].sort((a, b) => (a.uid < b.uid ? -1 : 1));
  const backends = placedBackends(plan, plan.backends.filter(isVersion), mesh, node, before?.backends);
  const remote = [...mesh.joined.values()]
    .filter((pod) => pod.node !== node)
    .map(({ address, identity }) => ({ address, identity }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  return {
    node,
    trustDomain: mesh.trustDomain,
    hosts: retrySafeMethods(plan.hosts),
    hostsFor: callersHosts(plan.hostsFor),
    backends: shareList(before?.backends, backends),
    externals: shareList(before?.externals, plan.backends.filter(isExternal)),
    pods: shareList(before?.pods, pods),
    remote: shareList(before?.remote, remote, sameFields),
  };
}

const callersHosts = memoize(
  (hostsFor: MeshPlan["hostsFor"]): MeshPlan["hostsFor"] => new Map([...hostsFor].map(([callers, hosts]) => [callers, retrySafeMethods(hosts)])),
);

/**
 * Backends with their places, as a proxy sees them that stands on `node` (undefined: a gateway, which is on none): by mutual TLS whoever is in the mesh and
 * not on the same node. Those that say the same as in `before` are the same objects.
 */
export function placedBackends(
  plan: MeshPlan,
  backends: readonly VersionBackend[],
  mesh: MeshPods,
  node: string | undefined,
  before: readonly NodeBackend[] = [],
): readonly NodeBackend[] {
  const known = new Map(before.map((one) => [one.backend.id, one]));
  return backends.map((backend) => nodeBackend(backend, plan.endpoints.get(backend.id) ?? [], mesh, node, known));
}

/** Says whether a backend is a version's, not an external service's. */
export function isVersion(backend: Backend): backend is VersionBackend {
  return backend.kind === "version";
}

/** Says whether a backend is an external service's. */
export function isExternal(backend: Backend): backend is ExternalBackend {
  return backend.kind === "external";
}

function nodeBackend(
  backend: VersionBackend,
  endpoints: readonly Endpoint[],
  mesh: MeshPods,
  node: string | undefined,
  known: ReadonlyMap<BackendId, NodeBackend>,
): NodeBackend {
  const places = endpoints.flatMap((endpoint) => nodeEndpoint(endpoint, backend, mesh, node) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
  const before = known.get(backend.id);
  if (before?.backend === backend && shareList(before.endpoints, places, sameFields) === before.endpoints) return before;
  return { backend, endpoints: places, peers: [...new Set(places.flatMap(({ peer }) => (peer === undefined ? [] : [peer])))].sort() };
}

/** Undefined: this endpoint does not have the backend's port. */
function nodeEndpoint(endpoint: Endpoint, backend: VersionBackend, mesh: MeshPods, node: string | undefined): NodeEndpoint | undefined {
  const { id, address } = endpoint;
  const port = listeningPort(endpoint, backend);
  if (port === undefined) return undefined;
  const pod = mesh.joined.get(address);
  return pod === undefined || pod.node === node ? { id, address, port } : { id, address, port, peer: pod.identity };
}
