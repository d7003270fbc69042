/** Endpoints of a Service out of its EndpointSlices. */
import { memoizeLast } from "../../lib/memoize.ts";
import type { Port } from "../../model/types.ts";
import type { Endpoint } from "../../model/world.ts";
import type { KubeEndpoint, KubeEndpointSlice, KubePod, KubeService, Objects } from "./objects.ts";
import { optional } from "./readers.ts";
import { isTcp } from "./translate-ports.ts";

type PortMap = ReadonlyMap<number, number>;

/** One place that listens, as all slices together describe it. */
interface Candidate extends Omit<KubeEndpoint, "podUid"> {
  readonly id: string;
  /** Callers' port → where it listens. */
  readonly ports: PortMap;
}

/**
 * The endpoints in the order of their ids. Who is ready gets traffic. When nobody is, those that end but still serve get it (KEP-1672): a rollout in which
 * the last old pod ends before the first new one is ready loses nothing. Those of nodes that are not heard of get it then, too: an API server that was away
 * for a minute makes all pods of the cluster "not ready" at once when it comes back, and nearly always they are as well as before.
 * @param slices in any order; a pod that moves from one slice to another is in both for a while
 * @param ports the Service's ports as the mesh has them
 */
export function serviceEndpoints(service: KubeService, slices: readonly KubeEndpointSlice[], ports: readonly Port[]): readonly Endpoint[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices.filter(isIpv4).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const own = slicePorts(service, slice);
    for (const endpoint of slice.endpoints) add(found, { ...endpoint, id: endpoint.podUid ?? endpoint.address, ports: own });
  }
  const all = [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const someReady = all.some(({ ready }) => ready);
  return all.map(({ id, address, ready, serving, terminating, unheard, node, ports: listening }) => ({
    id,
    address,
    ready: someReady ? ready : (serving && terminating) || unheard === true,
    ...optional("ports", isAsDeclared(listening, ports) ? undefined : listening),
    ...optional("node", node),
  }));
}

/** The slices, with a mark at those whose node is not heard of. Slices without any are the same objects. */
export const markUnheard: (slices: Objects<KubeEndpointSlice>, pods: Objects<KubePod>) => Objects<KubeEndpointSlice> = memoizeLast((slices, pods) => {
  const unheard = new Set([...pods.values()].filter((pod) => pod.unheard).map(({ uid }) => uid));
  if (unheard.size === 0) return slices;
  const isMarked = ({ podUid }: KubeEndpoint): boolean => podUid !== undefined && unheard.has(podUid);
  return new Map([...slices].map(([key, slice]) => [key, slice.endpoints.some(isMarked) ? withMarks(slice, slice.endpoints.map(isMarked).join()) : slice]));
});

/** @param marks for each endpoint `true` or `false`, with commas: text, since it is compared */
const withMarks = memoizeLast((slice: KubeEndpointSlice, marks: string): KubeEndpointSlice => {
  const marked = marks.split(",");
  return { ...slice, endpoints: slice.endpoints.map((endpoint, at) => (marked[at] === "true" ? { ...endpoint, unheard: true } : endpoint)) };
});

/** Says whether a slice has addresses that the mesh can reach. */
export function isIpv4(slice: KubeEndpointSlice): boolean {
  return slice.family === "IPv4";
}

/** Callers' ports → a slice's own, which has them by name. A port that no pod of the slice has is missing. */
function slicePorts(service: KubeService, slice: KubeEndpointSlice): PortMap {
  const byName = new Map(slice.ports.filter(isTcp).map((port) => [port.name, port.number]));
  return new Map(
    service.ports.filter(isTcp).flatMap(({ name, number }): [number, number][] => {
      const listening = byName.get(name);
      return listening === undefined ? [] : [[number, listening]];
    }),
  );
}

/** Joins what several slices say about one place. The same address with another number for the same port is another place (several processes on one machine). */
function add(found: Map<string, Candidate>, candidate: Candidate): void {
  const first = found.get(candidate.id);
  const isOther = first !== undefined && contradict(first.ports, candidate.ports);
  const id = isOther ? `${candidate.id}:${[...candidate.ports.values()].join(",")}` : candidate.id;
  const known = found.get(id);
  if (known === undefined) {
    found.set(id, { ...candidate, id });
    return;
  }
  found.set(id, {
    ...known,
    ready: known.ready || candidate.ready,
    serving: known.serving || candidate.serving,
    terminating: known.terminating && candidate.terminating,
    ...optional("unheard", known.unheard ?? candidate.unheard),
    ports: samePorts(known.ports, candidate.ports) ? known.ports : new Map([...known.ports, ...candidate.ports]),
  });
}

function contradict(a: PortMap, b: PortMap): boolean {
  return [...b].some(([port, number]) => a.has(port) && a.get(port) !== number);
}

function samePorts(a: PortMap, b: PortMap): boolean {
  return a.size === b.size && [...b].every(([port, number]) => a.get(port) === number);
}

function isAsDeclared(listening: PortMap, ports: readonly Port[]): boolean {
  return ports.every(({ port, containerPort }) => listening.get(port) === containerPort);
}
