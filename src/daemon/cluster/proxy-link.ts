/** From one plan per node, and one per gateway, to their Envoys and back: what each was sent, and what it acknowledged. */
import type { GatewayPlan } from "../../compile/gateway-plan.ts";
import type { NodePlan } from "../../compile/node-plan.ts";
import { emitClusterGateway } from "../../emit/envoy/cluster-gateway.ts";
import { emitNodeProxy } from "../../emit/envoy/node-proxy.ts";
import type { EnvoyResource } from "../../emit/envoy/resource.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import { sameFields } from "../../lib/memoize.ts";
import type { PinnedPod } from "../../model/mesh-pod.ts";
import { nodeProxyId, proxyIdOf } from "../../model/spiffe.ts";
import type { ProxyState } from "../../providers/kubernetes/translate-gateway-status.ts";
import type { ProxyKnowledge } from "../../release/membership.ts";
import type { AckOutcome, AdsServer } from "../../xds/server.ts";
import { createResourceCache, createSnapshot, emptySnapshot, type Snapshot } from "../../xds/snapshot.ts";

/** What one snapshot means for how pods join and leave. */
interface Facts {
  readonly revision: number;
  /** By uid: the pods whose listeners are in it. */
  readonly pods: ReadonlyMap<string, PinnedPod>;
  /** Addresses that are called by mutual TLS. */
  readonly tunnels: ReadonlySet<string>;
  /** Of the Gateway that it was made for, and of what else was asked to be in it. */
  readonly generations?: Generations;
  /** The newest round that came to the same. */
  readonly round: number;
}

/** Uid of a Gateway or ListenerSet → its generation. */
export type Generations = ReadonlyMap<string, number>;

/** A gateway's plan, and which generations of its Gateway and ListenerSets it does. */
export interface GatewayWork {
  readonly plan: GatewayPlan;
  readonly generations: Generations;
}

/** What an Envoy did not take of what it was sent. */
export interface Refusal {
  readonly node: string;
  /** Of the resource: `mesh`, `web@v1.default:80`. */
  readonly resource: string;
}

/** How a node's Envoy is, as far as its configuration goes. */
export interface ProxyCondition {
  readonly connected: boolean;
  /** Its own words on what it did not take; empty: it took all. */
  readonly refusal: string;
}

interface NodeState {
  /** By which its Envoys ask for their configuration. */
  readonly id: string;
  /** Absent: a gateway, which is on no node. */
  readonly name?: string;
  readonly ended: AbortController;
  snapshot: Snapshot;
  /** What Envoy has, then everything sent since; empty before the first. */
  sent: readonly Facts[];
  /** Of the first of `sent`: whether Envoy acknowledged it, and what it refused of it. */
  acked: boolean;
  refused: ReadonlySet<string>;
  /** What Envoy said of what it refused. */
  refusal: string;
  /** Since when no Envoy of the node is heard of; undefined while one is. */
  awaySince: number | undefined;
}

/** After so long without its Envoy a node is not waited for: it is lost, or it will get the newest when it comes back. */
const patienceMs = 30_000;

export interface ProxyLinkOptions {
  readonly ads: AdsServer;
  readonly clock: Clock;
}

export class ProxyLink {
  readonly #ads: AdsServer;
  readonly #clock: Clock;
  readonly #cached = createResourceCache();
  readonly #nodes = new Map<string, NodeState>();
  readonly #changes = new Cell(0);

  constructor({ ads, clock }: ProxyLinkOptions) {
    this.#ads = ads;
    this.#clock = clock;
  }

  /** Counts up when what is known of Envoys changed. */
  get changes(): Readable<number> {
    return this.#changes;
  }

  /** Sends every node and every gateway its plan; one without a plan is forgotten. `round` numbers what all of it was made from, and never falls. */
  publish(plans: ReadonlyMap<string, NodePlan>, round: number, gateways: readonly GatewayWork[] = []): void {
    const wanted = new Set([...[...plans.keys()].map(nodeProxyId), ...gateways.map(({ plan }) => proxyIdOf(plan.identity))]);
    for (const [id, node] of this.#nodes) if (!wanted.has(id)) this.#forget(node);
    for (const [name, plan] of plans) {
      const facts = { pods: new Map(plan.pods.map((pod) => [pod.uid, pod])), tunnels: new Set(plan.remote.map(({ address }) => address)), round };
      this.#send(this.#nodes.get(nodeProxyId(name)) ?? this.#add({ id: nodeProxyId(name), name }), emitNodeProxy(plan), facts);
    }
    for (const { plan, generations } of gateways) {
      const id = proxyIdOf(plan.identity);
      this.#send(this.#nodes.get(id) ?? this.#add({ id }), emitClusterGateway(plan), { pods: new Map(), tunnels: plan.tunnels, generations, round });
    }
  }

  /**
   * How far a gateway's Envoys are with this generation of its Gateway, or of one of its ListenerSets. What changed since without one (endpoints, routes) does
   * not count.
   */
  stateOf(id: string, { uid, generation }: { readonly uid: string; readonly generation: number }): ProxyState {
    this.#look();
    const node = this.#nodes.get(id);
    if (node === undefined || !node.acked) return node?.awaySince === undefined || this.#isLost(node) ? { kind: "waiting" } : { kind: "unknown" };
    if (node.sent[0]?.generations?.get(uid) !== generation) return { kind: "waiting" };
    if (node.refused.size > 0) return { kind: "refused", message: node.refusal };
    return this.#isLost(node) ? { kind: "waiting" } : { kind: "working" };
  }

  /**
   * The round up to which the Envoys of all nodes that have pods of the mesh, and of all gateways, acknowledged everything; those that are away for long are
   * not waited for, nor gateways that never came.
   */
  acknowledged(): number {
    this.#look();
    const rounds = this.#present()
      .filter(({ name, sent, acked }) => (name === undefined ? acked : (sent.at(-1)?.pods.size ?? 0) > 0))
      .map(({ acked, sent }) => (acked ? (sent[0]?.round ?? 0) : 0));
    return Math.min(...rounds);
  }

  /** How the Envoys of nodes are, by node. */
  conditions(): ReadonlyMap<string, ProxyCondition> {
    this.#look();
    const nodes = [...this.#nodes.values()];
    return new Map(
      nodes.flatMap(({ name, awaySince, refusal }) => (name === undefined ? [] : [[name, { connected: awaySince === undefined, refusal }] as const])),
    );
  }

  /** What Envoys refused of what they have, but for pods' own listeners. */
  refusals(): readonly Refusal[] {
    return [...this.#nodes.values()].flatMap(({ id, name, refused }) =>
      [...refused].filter((resource) => !/^(in|out)\//.test(resource)).map((resource) => ({ node: name ?? id, resource })),
    );
  }

  /** What Envoys have, for the next step of who joins and leaves. */
  knowledge(): ProxyKnowledge {
    this.#look();
    const present = this.#present();
    return {
      hasListeners: (pod) => {
        const node = this.#nodes.get(nodeProxyId(pod.node));
        if (node === undefined || !node.acked || node.refused.has(`in/${pod.uid}`) || node.refused.has(`out/${pod.uid}`)) return false;
        return node.sent.every(({ pods }) => {
          const known = pods.get(pod.uid);
          return known !== undefined && sameFields(known, pod);
        });
      },
      allTunnelTo: (pod) =>
        present.filter((node) => node.name !== pod.node).every((node) => node.acked && node.sent.every(({ tunnels }) => tunnels.has(pod.address))),
      noneTunnelsTo: (pod) => present.every((node) => node.sent.every(({ tunnels }) => !tunnels.has(pod.address))),
    };
  }

  /** Ends everything that waits. */
  close(): void {
    for (const node of this.#nodes.values()) node.ended.abort();
  }

  #isLost({ awaySince }: NodeState): boolean {
    return awaySince !== undefined && this.#clock.now() - awaySince >= patienceMs;
  }

  #add(named: { readonly id: string; readonly name?: string }): NodeState {
    const node: NodeState = {
      ...named,
      ended: new AbortController(),
      snapshot: emptySnapshot,
      sent: [],
      acked: false,
      refused: new Set(),
      refusal: "",
      awaySince: this.#clock.now(),
    };
    this.#nodes.set(node.id, node);
    return node;
  }

  #forget(node: NodeState): void {
    node.ended.abort();
    this.#nodes.delete(node.id);
    this.#ads.forget(node.id);
  }

  #present(): readonly NodeState[] {
    return [...this.#nodes.values()].filter((node) => !this.#isLost(node));
  }

  #send(node: NodeState, emitted: readonly EnvoyResource[], meant: Omit<Facts, "revision">): void {
    const resources = emitted.map((one) => this.#cached(one.typeUrl, one.name, one, () => one.body));
    node.snapshot = createSnapshot(resources, node.snapshot);
    const revision = this.#ads.publish(node.id, node.snapshot);
    const facts: Facts = { revision, ...meant };
    // The same bytes may mean more: a gateway that calls none of the pods that joined has nothing to change for them.
    if (node.sent.at(-1)?.revision === revision) {
      node.sent = [...node.sent.slice(0, -1), facts];
      return;
    }
    node.sent = [...node.sent, facts];
    void this.#follow(node, revision);
  }

  async #follow(node: NodeState, revision: number): Promise<void> {
    const outcome = await this.#ads.waitAcked(node.id, revision, node.ended.signal);
    if (outcome.kind === "pending") return;
    const at = node.sent.findIndex((facts) => facts.revision === revision);
    // A newer one was acknowledged meanwhile.
    if (at < 0) return;
    node.sent = node.sent.slice(at);
    node.acked = true;
    node.refused = refusedNames(outcome);
    node.refusal = refusalOf(outcome);
    this.#changes.update((count) => count + 1);
  }

  /** Notes which nodes' Envoys are there. */
  #look(): void {
    const connected = new Set(
      this.#ads
        .status()
        .filter((status) => status.connected)
        .map((status) => status.nodeId),
    );
    for (const node of this.#nodes.values()) {
      if (connected.has(node.id)) node.awaySince = undefined;
      else node.awaySince ??= this.#clock.now();
    }
  }
}

function refusedNames(outcome: AckOutcome): ReadonlySet<string> {
  if (outcome.kind !== "rejected") return new Set();
  return new Set([...outcome.types.values()].flatMap(({ rejected, heldBack }) => [...rejected.map(({ name }) => name), ...heldBack]));
}

function refusalOf(outcome: AckOutcome): string {
  if (outcome.kind !== "rejected") return "";
  return [...outcome.types.values()].flatMap(({ rejected }) => rejected.map(({ name, message }) => `${name}: ${message}`)).join("; ");
}
