/** The loop of a cluster's control plane: whenever anything changed, one step from what the cluster has to what every node's Envoy and agent should do. */
import type { NodeOrder, NodeReport, PodOrder } from "../../agent/cluster/contract.ts";
import { type Compiled, compileWorld } from "../../compile/compile.ts";
import { compileNode, type NodePlan } from "../../compile/node-plan.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { MeshPod, MeshPods } from "../../model/mesh-pod.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { type SpiffeId, type TrustDomain, workloadId } from "../../model/spiffe.ts";
import type { World } from "../../model/world.ts";
import type { ClusterView, KubePod } from "../../providers/kubernetes/objects.ts";
import { type ClusterTranslation, translateCluster } from "../../providers/kubernetes/translate.ts";
import type { RouteStatus } from "../../providers/kubernetes/translate-routes.ts";
import { isCaptured, type Member, meshPods, nextMembers, type PodNews } from "../../release/membership.ts";
import type { ProxyLink } from "./proxy-link.ts";

export interface ClusterLoopOptions {
  readonly view: Readable<ClusterView | undefined>;
  /** The agents of the nodes. */
  readonly agents: {
    readonly reports: Readable<ReadonlyMap<string, NodeReport>>;
    order(node: string, order: NodeOrder): void;
    forget(node: string): void;
  };
  readonly proxies: ProxyLink;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the last step left behind. */
export interface ClusterState {
  readonly members: ReadonlyMap<string, Member>;
  /** Who may be whom: node → identities of its pods. */
  readonly identities: ReadonlyMap<string, ReadonlySet<SpiffeId>>;
}

/**
 * So long after our start a node that the cluster calls ready may stay silent, although it has pods of the mesh, before we go on without it. Before that nothing
 * is sent: its agent knows which of them are captured, and without its word other nodes would be told to call them in plaintext.
 */
const firstReportsMs = 45_000;
/** Looks again although nothing happened: patience with nodes that are away runs out. */
const tickMs = 5_000;

export class ClusterLoop {
  readonly #options: ClusterLoopOptions;
  readonly #wakes = new Cell(0);
  readonly #state = new Cell<ClusterState>({ members: new Map(), identities: new Map() });
  readonly #routeStatuses = new Cell<readonly RouteStatus[]>([]);
  readonly #startedAt: number;
  readonly #orders = new Map<string, { readonly text: string; readonly generation: number }>();
  #translation: ClusterTranslation | undefined;
  #world: World | undefined;
  #compiled: Compiled | undefined;
  #mesh: MeshPods | undefined;
  #plans: ReadonlyMap<string, NodePlan> = new Map();
  #guarded: ReadonlyMap<string, string> = new Map();
  #isOpen = false;

  constructor(options: ClusterLoopOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  get state(): Readable<ClusterState> {
    return this.#state;
  }

  /** What the statuses of Gateway API's routes should say. */
  get routeStatuses(): Readable<readonly RouteStatus[]> {
    return this.#routeStatuses;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { view, agents, proxies } = this.#options;
    const follow = async (source: Readable<unknown>): Promise<void> => {
      for await (const _ of source.watch(signal)) this.#wakes.update((count) => count + 1);
    };
    await Promise.all([follow(view), follow(agents.reports), follow(proxies.changes), this.#tick(signal), this.#run(signal)]);
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(tickMs, signal);
      this.#wakes.update((count) => count + 1);
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#wakes.watch(signal)) {
      try {
        this.#step();
      } catch (error) {
        // A bug: what runs goes on, and the next change may be taken.
        this.#options.log.error("a step failed", { error: error instanceof Error ? error.stack : String(error) });
      }
    }
  }

  #step(): void {
    const { view, agents, proxies, trustDomain, clock } = this.#options;
    const seen = view.get();
    if (seen === undefined) return;
    const reports = this.#reportsOf(seen, agents.reports.get());
    const translation = translateCluster(seen, this.#translation);
    this.#translation = translation;
    this.#routeStatuses.set(translation.routeStatuses);
    const running = runningPods(seen);
    this.#guarded = guardedPods(this.#guarded, reports, running);
    const wanted = wantedPods(translation, trustDomain, this.#guarded);
    const identities = identitiesByNode(wanted);
    if (!this.#maySend(seen, wanted, reports)) {
      this.#state.set({ members: new Map(), identities });
      return;
    }
    const members = nextMembers(this.#state.get().members, {
      wanted,
      running: new Set(running.map(({ uid }) => uid)),
      guarded: new Set(this.#guarded.keys()),
      news: newsOf(reports),
      proxies: proxies.knowledge(),
      now: clock.now(),
    });
    this.#tell(members);
    this.#state.set({ members, identities });
    this.#mesh = meshPods(members, trustDomain, this.#mesh);
    this.#world = nextWorld(translation, this.#world);
    this.#compiled = compileWorld(this.#world, this.#compiled);
    const { plan } = this.#compiled;
    const mesh = this.#mesh;
    this.#plans = new Map([...reports.keys()].map((node) => [node, compileNode(plan, mesh, node, this.#plans.get(node))]));
    proxies.publish(this.#plans);
    for (const node of reports.keys()) this.#order(node, members, translation);
  }

  #tell(members: ReadonlyMap<string, Member>): void {
    const before = this.#state.get().members;
    const all = new Map([...before, ...members]);
    for (const [uid, { pod }] of all) {
      const [from, to] = [before.get(uid)?.stage ?? "outside", members.get(uid)?.stage ?? "outside"];
      if (from !== to) this.#options.log.info("pod", { pod: `${pod.namespace}/${pod.name}`, node: pod.node, from, to });
    }
  }

  /** Reports of the nodes that are still in the cluster; the others are forgotten. */
  #reportsOf(view: ClusterView, reports: ReadonlyMap<string, NodeReport>): ReadonlyMap<string, NodeReport> {
    const gone = [...reports.keys()].filter((node) => !view.nodes.has(node));
    for (const node of gone) {
      this.#options.agents.forget(node);
      this.#orders.delete(node);
    }
    return gone.length === 0 ? reports : new Map([...reports].filter(([node]) => view.nodes.has(node)));
  }

  #maySend(view: ClusterView, wanted: ReadonlyMap<string, MeshPod>, reports: ReadonlyMap<string, NodeReport>): boolean {
    const { clock, log } = this.#options;
    if (this.#isOpen) return true;
    const nodes = new Set([...wanted.values()].map((pod) => pod.node));
    const silent = [...nodes].filter((node) => view.nodes.get(node)?.ready === true && !reports.has(node));
    if (silent.length > 0 && clock.now() - this.#startedAt < firstReportsMs) return false;
    if (silent.length > 0) log.warn("no word from nodes with pods of the mesh; going on without them", { nodes: silent });
    this.#isOpen = true;
    return true;
  }

  #order(node: string, members: ReadonlyMap<string, Member>, translation: ClusterTranslation): void {
    const pods = [...members.values()]
      .filter((member) => member.pod.node === node)
      .map((member) => podOrder(member, translation.meshPods.get(member.pod.uid)?.probePorts ?? []))
      .sort((a, b) => (a.uid < b.uid ? -1 : 1));
    const text = JSON.stringify([pods, translation.meshNamespaces]);
    const before = this.#orders.get(node);
    if (before?.text === text) return;
    // Later than any order of a control plane before us, so that the node sees what is newer.
    const generation = Math.max((before?.generation ?? 0) + 1, this.#options.clock.now());
    this.#orders.set(node, { text, generation });
    this.#options.agents.order(node, { generation, pods, meshNamespaces: translation.meshNamespaces });
  }
}

function podOrder(member: Member, probePorts: readonly number[]): PodOrder {
  const { uid, namespace, name, address, identity, mode } = member.pod;
  return { uid, namespace, name, address, identity, mode, probePorts, capture: isCaptured(member) };
}

/**
 * Uid → address of the pods that their nodes captured at their start. A node tells them until it gets our order, the API knows a pod's address only when its
 * containers run: they are remembered for as long as they run. Of pods of other nodes a node has nothing to say.
 */
function guardedPods(before: ReadonlyMap<string, string>, reports: ReadonlyMap<string, NodeReport>, running: readonly KubePod[]): ReadonlyMap<string, string> {
  const nodes = new Map(running.map(({ uid, node }) => [uid, node]));
  const told = [...reports].flatMap(([node, { pods }]) =>
    pods.flatMap(({ uid, guarded }) => (guarded === undefined || nodes.get(uid) !== node ? [] : [[uid, guarded.address] as const])),
  );
  return new Map([...before, ...told].filter(([uid]) => nodes.has(uid)));
}

/** Pods of the mesh that have an address, in our words. */
function wantedPods(translation: ClusterTranslation, trustDomain: TrustDomain, guarded: ReadonlyMap<string, string>): ReadonlyMap<string, MeshPod> {
  const pods = [...translation.meshPods.values()].flatMap((pod): MeshPod[] => {
    const { uid, name, node, mode } = pod;
    const namespace = pod.namespace as Namespace;
    const address = pod.address ?? guarded.get(uid);
    if (address === undefined) return [];
    return [{ uid, namespace, name, node, address, mode, identity: workloadId(trustDomain, namespace, pod.serviceAccount as AppName) }];
  });
  return new Map(pods.map((pod) => [pod.uid, pod]));
}

function identitiesByNode(pods: ReadonlyMap<string, MeshPod>): ReadonlyMap<string, ReadonlySet<SpiffeId>> {
  return new Map([...Map.groupBy(pods.values(), (pod) => pod.node)].map(([node, list]) => [node, new Set(list.map((pod) => pod.identity))]));
}

/** Pods that have not ended. */
function runningPods(view: ClusterView): readonly KubePod[] {
  return [...view.pods.values()].filter(({ phase }) => phase !== "Succeeded" && phase !== "Failed");
}

function newsOf(reports: ReadonlyMap<string, NodeReport>): ReadonlyMap<string, ReadonlyMap<string, PodNews>> {
  return new Map([...reports].map(([node, { pods }]) => [node, new Map(pods.map((pod) => [pod.uid, pod]))]));
}

/** The World of a cluster's own Services; the identical one when nothing in it changed. */
function nextWorld({ apps, endpoints, addresses, serviceRoutes }: ClusterTranslation, before: World | undefined): World {
  if (before?.apps === apps && before.endpoints === endpoints && before.addresses === addresses && before.serviceRoutes === serviceRoutes) return before;
  const none = { routers: new Map(), externals: new Map(), captures: [], gateway: noGateway };
  return { ...none, revision: (before?.revision ?? 0) + 1, apps, endpoints, addresses, serviceRoutes };
}

/** A cluster's nodes have no gateway of their own. */
const noGateway = { address: "", port: 0, socketDir: "", domain: "localhost" };
