/** The loop of a cluster's control plane: whenever anything changed, one step from what the cluster has to what every node's Envoy and agent should do. */
import type { NodeOrder } from "../../agent/cluster/contract.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { sameFields, shareList } from "../../lib/memoize.ts";
import type { Gateway } from "../../model/gateway.ts";
import type { MeshPod } from "../../model/mesh-pod.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { proxyIdOf, type SpiffeId, type TrustDomain, workloadId } from "../../model/spiffe.ts";
import type { GatewayApiStatus } from "../../providers/kubernetes/gateway-api-status.ts";
import type { ClusterView, KubePod } from "../../providers/kubernetes/objects.ts";
import { type ClusterTranslation, translateCluster } from "../../providers/kubernetes/translate.ts";
import { gatewayStatus } from "../../providers/kubernetes/translate-gateway-status.ts";
import { gatewayObjectName, publicGatewayName } from "../../providers/kubernetes/translate-gateway-workloads.ts";
import type { TranslatedGateway } from "../../providers/kubernetes/translate-gateways.ts";
import { refusedSetStatus, setStatus } from "../../providers/kubernetes/translate-listener-sets.ts";
import { type Member, nextMembers } from "../../release/membership.ts";
import { type ClusterPlans, clusterPlans, type PlansInput } from "./cluster-plans.ts";
import { clusterGateway, nextChangeAt } from "./cluster-world.ts";
import { type InForce, SentRounds } from "./in-force.ts";
import type { MeshFacts } from "./mesh-reports.ts";
import { NodeOrders, podOrder } from "./node-orders.ts";
import { certifiedIn, guardedPods, identitiesByNode, identityOf, type NodeReports, newsOf, runningPods, wantedPods } from "./pod-facts.ts";
import type { Generations, ProxyLink } from "./proxy-link.ts";

export interface ClusterLoopOptions {
  readonly view: Readable<ClusterView | undefined>;
  /** The agents of the nodes. */
  readonly agents: {
    readonly reports: Readable<NodeReports>;
    readonly connected: Readable<ReadonlySet<string>>;
    order(node: string, order: NodeOrder): void;
    forget(node: string): void;
  };
  readonly proxies: ProxyLink;
  /** Uids of pods that were in the mesh for the control plane before us. */
  readonly joinedBefore: ReadonlySet<string>;
  readonly trustDomain: TrustDomain;
  /** Weir's own namespace. */
  readonly namespace: string;
  /** Under which what is public has its names: `localhost`. */
  readonly domain: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the last step left behind. */
export interface ClusterState {
  readonly members: ReadonlyMap<string, Member>;
  /** Who may be whom: node → identities of its pods. */
  readonly identities: ReadonlyMap<string, ReadonlySet<SpiffeId>>;
  /** Who gateways may be. */
  readonly gateways: ReadonlySet<SpiffeId>;
}

/**
 * So long after our start a node may stay silent, although it has pods of the mesh, before we go on without it. Before that nothing is sent: its agent knows
 * which of them are captured, and without its word other nodes would be told to call them in plaintext. One that the cluster calls not ready may be lost; but
 * all are called so for some seconds after an API server was away, and their agents are on their way to us.
 */
const firstReportsMs = { ready: 45_000, notReady: 15_000 };
/** Looks again although nothing happened: patience with nodes that are away runs out. */
const tickMs = 5_000;

export class ClusterLoop {
  readonly #options: ClusterLoopOptions;
  readonly #state = new Cell<ClusterState>({ members: new Map(), identities: new Map(), gateways: new Set() });
  readonly #statuses = new Cell<readonly GatewayApiStatus[]>([], isSameList);
  readonly #gateways = new Cell<readonly TranslatedGateway[]>([]);
  readonly #publicPorts = new Cell<readonly number[] | undefined>(undefined, (a, b) => a?.join() === b?.join());
  readonly #inForce = new Cell<InForce | undefined>(undefined);
  readonly #facts = new Cell<MeshFacts | undefined>(undefined);
  readonly #public: PlansInput["publicGateway"];
  readonly #startedAt: number;
  readonly #orders: NodeOrders;
  readonly #rounds = new SentRounds();
  #translation: ClusterTranslation | undefined;
  #plans: ClusterPlans | undefined;
  #guarded: ReadonlyMap<string, string> = new Map();
  #isOpen = false;

  constructor(options: ClusterLoopOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#orders = new NodeOrders(options);
    this.#public = {
      identity: workloadId(options.trustDomain, options.namespace as Namespace, publicGatewayName as AppName),
      names: clusterGateway(options.domain),
    };
  }

  get state(): Readable<ClusterState> {
    return this.#state;
  }

  /** What the statuses of Gateway API's objects should say. */
  get statuses(): Readable<readonly GatewayApiStatus[]> {
    return this.#statuses;
  }

  /** The Gateways that are ours. */
  get gateways(): Readable<readonly TranslatedGateway[]> {
    return this.#gateways;
  }

  /** Ports of the cluster's own gateway, empty while nothing is public; undefined before that is known. */
  get publicPorts(): Readable<readonly number[] | undefined> {
    return this.#publicPorts;
  }

  /** What is true in Envoy, everywhere; undefined before anything is. */
  get inForce(): Readable<InForce | undefined> {
    return this.#inForce;
  }

  /** What there is to tell users of the mesh; undefined before the cluster was read. */
  get facts(): Readable<MeshFacts | undefined> {
    return this.#facts;
  }

  /** Works until `signal` aborts. */
  start(signal: AbortSignal): Promise<void> {
    const { view, agents, proxies, clock, log } = this.#options;
    const step = (): number => Math.min(this.#step() ?? Infinity, clock.now() + tickMs);
    return runLoop({ sources: [view, agents.reports, agents.connected, proxies.changes], clock, log, step }, signal);
  }

  /** Answers when something declared moves on by itself. */
  #step(): number | undefined {
    const { view, agents, proxies, joinedBefore, trustDomain, clock } = this.#options;
    const seen = view.get();
    if (seen === undefined) return undefined;
    const reports = this.#reportsOf(seen, agents.reports.get());
    const translation = translateCluster(seen, this.#translation);
    this.#translation = translation;
    this.#gateways.set(translation.gateways);
    const early: readonly GatewayApiStatus[] = [...translation.classStatuses, ...translation.routeStatuses, ...translation.policyStatuses];
    const running = runningPods(seen);
    this.#guarded = guardedPods(this.#guarded, reports, running);
    const wanted = wantedPods(translation, trustDomain, this.#guarded);
    const identities = identitiesByNode(wanted);
    const gateways = translation.gateways.map((one) => gatewayOf(one, trustDomain));
    const known = { identities, gateways: new Set([...gateways.map(({ identity }) => identity), this.#public.identity]) };
    if (!this.#maySend(seen, wanted, reports)) {
      this.#state.set({ members: new Map(), ...known });
      this.#statuses.set(early);
      return undefined;
    }
    const now = clock.now();
    const members = nextMembers(this.#state.get().members, {
      wanted,
      running: new Set(running.map(({ uid }) => uid)),
      guarded: new Set(this.#guarded.keys()),
      news: newsOf(reports),
      joinedBefore,
      proxies: proxies.knowledge(),
      isCertified: certifiedIn(reports),
      now,
    });
    this.#tell(members);
    this.#state.set({ members, ...known });
    const plans = clusterPlans({ translation, members, nodes: [...reports.keys()], gateways, publicGateway: this.#public, trustDomain, now }, this.#plans);
    this.#plans = plans;
    this.#publicPorts.set(plans.public?.ports.map(({ port }) => port) ?? []);
    const works = [...plans.gateways.values()].map((plan, index) => ({ plan, generations: generationsOf(translation.gateways[index]) }));
    const own = plans.public === undefined ? [] : [{ plan: plans.public, generations: new Map() }];
    const round = this.#rounds.add({ world: plans.world, view: seen, declaredApps: translation.declaredApps });
    proxies.publish(plans.nodes, round, [...works, ...own]);
    this.#acknowledge();
    this.#statuses.set([...early, ...this.#gatewayStatuses(translation.gateways, seen)]);
    const gatewayPods = Map.groupBy(
      running.filter((pod) => known.gateways.has(identityOf(pod, trustDomain))),
      ({ node }) => node,
    );
    for (const node of reports.keys()) this.#order(node, members, translation, gatewayPods.get(node) ?? []);
    this.#tellFacts(seen, translation, reports);
    return nextChangeAt(translation.declaredApps, now);
  }

  #tellFacts(view: ClusterView, translation: ClusterTranslation, reports: NodeReports): void {
    const { agents, proxies } = this.#options;
    const { meshPods: pods, meshNamespaces, modes, problems } = translation;
    const { members } = this.#state.get();
    this.#facts.set({
      pods,
      members,
      meshNamespaces,
      modes,
      problems,
      nodes: view.nodes,
      reports,
      connected: agents.connected.get(),
      proxies: proxies.conditions(),
    });
  }

  #gatewayStatuses(gateways: readonly TranslatedGateway[], { services }: ClusterView): readonly GatewayApiStatus[] {
    const { proxies, trustDomain } = this.#options;
    return gateways.flatMap((decided) => {
      const { gateway, sets } = decided;
      const name = gatewayObjectName(gateway);
      const id = proxyIdOf(workloadId(trustDomain, gateway.namespace as Namespace, name as AppName));
      const service = services.get(`${gateway.namespace}/${name}`);
      return [
        gatewayStatus(decided, service, proxies.stateOf(id, gateway)),
        ...sets.taken.map((set) => setStatus(set, decided, service, proxies.stateOf(id, set))),
        ...sets.refused.map((set) => refusedSetStatus(set, gateway)),
      ];
    });
  }

  #acknowledge(): void {
    const { proxies } = this.#options;
    const sent = this.#rounds.acknowledged(proxies.acknowledged());
    if (sent === undefined) return;
    const before = this.#inForce.get();
    const next: InForce = { ...sent, refusals: shareList(before?.refusals, proxies.refusals(), sameFields) };
    if (before === undefined || !sameFields(before, next)) this.#inForce.set(next);
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
  #reportsOf(view: ClusterView, reports: NodeReports): NodeReports {
    const gone = [...reports.keys()].filter((node) => !view.nodes.has(node));
    for (const node of gone) this.#orders.forget(node);
    return gone.length === 0 ? reports : new Map([...reports].filter(([node]) => view.nodes.has(node)));
  }

  #maySend(view: ClusterView, wanted: ReadonlyMap<string, MeshPod>, reports: NodeReports): boolean {
    const { clock, log } = this.#options;
    if (this.#isOpen) return true;
    const nodes = new Set([...wanted.values()].map((pod) => pod.node));
    const silent = [...nodes].filter((node) => view.nodes.has(node) && !reports.has(node));
    const passed = clock.now() - this.#startedAt;
    if (silent.some((node) => passed < (view.nodes.get(node)?.ready === true ? firstReportsMs.ready : firstReportsMs.notReady))) return false;
    if (silent.length > 0) log.warn("no word from nodes with pods of the mesh; going on without them", { nodes: silent });
    this.#isOpen = true;
    return true;
  }

  #order(node: string, members: ReadonlyMap<string, Member>, translation: ClusterTranslation, gatewayPods: readonly KubePod[]): void {
    const pods = [...members.values()]
      .filter((member) => member.pod.node === node)
      .map((member) => podOrder(member, translation.meshPods.get(member.pod.uid)?.probePorts ?? []))
      .sort((a, b) => (a.uid < b.uid ? -1 : 1));
    const { meshNamespaces } = translation;
    const gateways = gatewayPods.map(({ uid }) => uid).sort();
    this.#orders.give(node, { pods, meshNamespaces, gateways });
  }
}

/** Statuses are made anew in every step; the same ones must wake nobody. */
function isSameList(a: readonly GatewayApiStatus[], b: readonly GatewayApiStatus[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index] || canonicalJson(one) === canonicalJson(b[index]));
}

function gatewayOf({ gateway, ports, secured, clientCertificate }: TranslatedGateway, trustDomain: TrustDomain): Gateway {
  const { namespace, name } = gateway;
  const identity = workloadId(trustDomain, namespace as Namespace, gatewayObjectName(gateway) as AppName);
  return { namespace: namespace as Namespace, name, identity, ports, secured, ...(clientCertificate === undefined ? {} : { clientCertificate }) };
}

function generationsOf(decided: TranslatedGateway | undefined): Generations {
  return new Map(decided === undefined ? [] : [decided.gateway, ...decided.sets.taken].map(({ uid, generation }) => [uid, generation]));
}
