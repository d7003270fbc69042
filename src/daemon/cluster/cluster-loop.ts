/** The loop of a cluster's control plane: whenever anything changed, one step from what the cluster has to what every node's Envoy and agent should do. */
import type { NodeOrder, NodeReport, PodOrder } from "../../agent/cluster/contract.ts";
import { type Compiled, compileWorld } from "../../compile/compile.ts";
import { compileGateway, type GatewayPlan } from "../../compile/gateway-plan.ts";
import { compileNode, type NodePlan } from "../../compile/node-plan.ts";
import { compilePublicGateway } from "../../compile/public-gateway.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { sameFields, shareList } from "../../lib/memoize.ts";
import type { Gateway } from "../../model/gateway.ts";
import type { MeshPod, MeshPods } from "../../model/mesh-pod.ts";
import type { AppName, Namespace } from "../../model/names.ts";
import { proxyIdOf, type SpiffeId, type TrustDomain, workloadId } from "../../model/spiffe.ts";
import type { World } from "../../model/world.ts";
import type { GatewayApiStatus } from "../../providers/kubernetes/gateway-api-status.ts";
import type { ClusterView, KubePod } from "../../providers/kubernetes/objects.ts";
import { type ClusterTranslation, translateCluster } from "../../providers/kubernetes/translate.ts";
import { reservedPorts } from "../../providers/kubernetes/translate-gateway-listeners.ts";
import { gatewayStatus } from "../../providers/kubernetes/translate-gateway-status.ts";
import { gatewayObjectName, publicGatewayName } from "../../providers/kubernetes/translate-gateway-workloads.ts";
import type { TranslatedGateway } from "../../providers/kubernetes/translate-gateways.ts";
import { refusedSetStatus, setStatus } from "../../providers/kubernetes/translate-listener-sets.ts";
import { isCaptured, type Member, meshPods, nextMembers, type PodNews } from "../../release/membership.ts";
import { clusterGateway, clusterWorld, nextChangeAt } from "./cluster-world.ts";
import type { MeshFacts } from "./mesh-reports.ts";
import type { Generations, ProxyLink, Refusal } from "./proxy-link.ts";

export interface ClusterLoopOptions {
  readonly view: Readable<ClusterView | undefined>;
  /** The agents of the nodes. */
  readonly agents: {
    readonly reports: Readable<ReadonlyMap<string, NodeReport>>;
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

/** What Envoys are sent, and what it was made from. */
interface Sent {
  readonly world: World;
  readonly view: ClusterView;
  readonly declaredApps: ClusterTranslation["declaredApps"];
}

/** What the Envoys of all nodes with pods of the mesh have acknowledged. */
export interface InForce extends Sent {
  readonly refusals: readonly Refusal[];
}

interface Round extends Sent {
  readonly number: number;
}

/**
 * So long after our start a node may stay silent, although it has pods of the mesh, before we go on without it. Before that nothing is sent: its agent knows
 * which of them are captured, and without its word other nodes would be told to call them in plaintext. One that the cluster calls not ready may be lost; but
 * all are called so for some seconds after an API server was away, and their agents are on their way to us.
 */
const firstReportsMs = { ready: 45_000, notReady: 15_000 };
const declaredParts = ["apps", "versions", "routers", "externals"] as const;
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
  readonly #gateway: World["gateway"];
  readonly #publicIdentity: SpiffeId;
  readonly #startedAt: number;
  readonly #orders = new Map<string, { readonly text: string; readonly generation: number }>();
  #translation: ClusterTranslation | undefined;
  #world: World | undefined;
  #compiled: Compiled | undefined;
  #mesh: MeshPods | undefined;
  #plans: ReadonlyMap<string, NodePlan> = new Map();
  #gatewayPlans: ReadonlyMap<string, GatewayPlan> = new Map();
  #publicPlan: GatewayPlan | undefined;
  /** What was sent, from the newest that is acknowledged everywhere; in order. */
  #rounds: readonly Round[] = [];
  #guarded: ReadonlyMap<string, string> = new Map();
  #isOpen = false;

  constructor(options: ClusterLoopOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#gateway = clusterGateway(options.domain);
    this.#publicIdentity = workloadId(options.trustDomain, options.namespace as Namespace, publicGatewayName as AppName);
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
    const known = { identities, gateways: new Set([...gateways.map(({ identity }) => identity), this.#publicIdentity]) };
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
    this.#mesh = meshPods(members, trustDomain, this.#mesh);
    this.#world = clusterWorld(translation, now, this.#gateway, this.#world);
    this.#compiled = compileWorld(this.#world, this.#compiled);
    const { plan } = this.#compiled;
    const mesh = this.#mesh;
    this.#plans = new Map([...reports.keys()].map((node) => [node, compileNode(plan, mesh, node, this.#plans.get(node))]));
    const world = this.#world;
    this.#gatewayPlans = new Map(
      gateways.map((gateway) => [gateway.identity, compileGateway(gateway, world, plan, mesh, this.#gatewayPlans.get(gateway.identity))]),
    );
    this.#publicPlan = compilePublicGateway(this.#publicIdentity, plan, mesh, reservedPorts, this.#publicPlan);
    this.#publicPorts.set(this.#publicPlan?.ports.map(({ port }) => port) ?? []);
    const works = [...this.#gatewayPlans.values()].map((one, index) => ({ plan: one, generations: generationsOf(translation.gateways[index]) }));
    const own = this.#publicPlan === undefined ? [] : [{ plan: this.#publicPlan, generations: new Map() }];
    proxies.publish(this.#plans, this.#round({ world, view: seen, declaredApps: translation.declaredApps }), [...works, ...own]);
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

  #tellFacts(view: ClusterView, translation: ClusterTranslation, reports: ReadonlyMap<string, NodeReport>): void {
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

  /** The number of what is sent now. Views in which nothing declared is new are the same. */
  #round(sent: Sent): number {
    const last = this.#rounds.at(-1);
    const isSame = last !== undefined && last.world === sent.world && declaredParts.every((part) => last.view[part] === sent.view[part]);
    const round: Round = { number: isSame ? last.number : (last?.number ?? 0) + 1, ...sent };
    this.#rounds = isSame ? [...this.#rounds.slice(0, -1), round] : [...this.#rounds, round];
    return round.number;
  }

  #acknowledge(): void {
    const { proxies } = this.#options;
    const acknowledged = proxies.acknowledged();
    const at = this.#rounds.findLastIndex(({ number }) => number <= acknowledged);
    const round = this.#rounds[at];
    if (round === undefined) return;
    this.#rounds = this.#rounds.slice(at);
    const { number: _, ...sent } = round;
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
    const text = JSON.stringify([pods, meshNamespaces, gateways]);
    const before = this.#orders.get(node);
    if (before?.text === text) return;
    // Later than any order of a control plane before us, so that the node sees what is newer.
    const generation = Math.max((before?.generation ?? 0) + 1, this.#options.clock.now());
    this.#orders.set(node, { text, generation });
    this.#options.agents.order(node, { generation, pods, meshNamespaces, gateways });
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
    return [{ uid, namespace, name, node, address, mode, identity: identityOf(pod, trustDomain) }];
  });
  return new Map(pods.map((pod) => [pod.uid, pod]));
}

function identityOf({ namespace, serviceAccount }: { readonly namespace: string; readonly serviceAccount: string }, trustDomain: TrustDomain): SpiffeId {
  return workloadId(trustDomain, namespace as Namespace, serviceAccount as AppName);
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

/** Whether the node of a pod holds its certificate, as nodes say. */
function certifiedIn(reports: ReadonlyMap<string, NodeReport>): (pod: MeshPod) => boolean {
  const held = new Map([...reports].map(([node, { certificates }]) => [node, certificates && new Set(certificates.map(({ identity }) => identity))]));
  return ({ node, identity }) => held.has(node) && held.get(node)?.has(identity) !== false;
}
