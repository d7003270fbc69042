/** From one plan per node to the nodes' Envoys and back: what each was sent, and what it acknowledged. */
import type { NodePlan } from "../../compile/node-plan.ts";
import { emitNodeProxy } from "../../emit/envoy/node-proxy.ts";
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { PinnedPod } from "../../model/mesh-pod.ts";
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
  /** The newest round that came to the same. */
  readonly round: number;
}

/** What an Envoy did not take of what it was sent. */
export interface Refusal {
  readonly node: string;
  /** Of the resource: `mesh`, `web@v1.default:80`. */
  readonly resource: string;
}

interface NodeState {
  readonly name: string;
  readonly ended: AbortController;
  snapshot: Snapshot;
  /** What Envoy has, then everything sent since; empty before the first. */
  sent: readonly Facts[];
  /** Of the first of `sent`: whether Envoy acknowledged it, and what it refused of it. */
  acked: boolean;
  refused: ReadonlySet<string>;
  /** Since when no Envoy of the node is heard of; undefined while one is. */
  awaySince: number | undefined;
}

/** After so long without its Envoy a node is not waited for: it is lost, or it will get the newest when it comes back. */
const patienceMs = 30_000;

/** The id by which a node's Envoy asks for its configuration. */
export function proxyId(node: string): string {
  return `node/${node}`;
}

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

  /** Sends every node its plan; a node without one is forgotten. `round` numbers what all of it was made from, and never falls. */
  publish(plans: ReadonlyMap<string, NodePlan>, round: number): void {
    for (const [name, node] of this.#nodes) if (!plans.has(name)) this.#forget(node);
    for (const [name, plan] of plans) this.#send(this.#nodes.get(name) ?? this.#add(name), plan, round);
  }

  /** The round up to which the Envoys of all nodes that have pods of the mesh acknowledged everything; those that are away for long are not waited for. */
  acknowledged(): number {
    this.#look();
    const rounds = this.#present()
      .filter(({ sent }) => (sent.at(-1)?.pods.size ?? 0) > 0)
      .map(({ acked, sent }) => (acked ? (sent[0]?.round ?? 0) : 0));
    return Math.min(...rounds);
  }

  /** What Envoys refused of what they have, but for pods' own listeners. */
  refusals(): readonly Refusal[] {
    return [...this.#nodes.values()].flatMap(({ name, refused }) =>
      [...refused].filter((resource) => !/^(in|out)\//.test(resource)).map((resource) => ({ node: name, resource })),
    );
  }

  /** What Envoys have, for the next step of who joins and leaves. */
  knowledge(): ProxyKnowledge {
    this.#look();
    const present = this.#present();
    return {
      hasListeners: (pod) => {
        const node = this.#nodes.get(pod.node);
        if (node === undefined || !node.acked || node.refused.has(`in/${pod.uid}`) || node.refused.has(`out/${pod.uid}`)) return false;
        return node.sent.every((facts) => isSamePod(facts.pods.get(pod.uid), pod));
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

  #add(name: string): NodeState {
    const node: NodeState = {
      name,
      ended: new AbortController(),
      snapshot: emptySnapshot,
      sent: [],
      acked: false,
      refused: new Set(),
      awaySince: this.#clock.now(),
    };
    this.#nodes.set(name, node);
    return node;
  }

  #forget(node: NodeState): void {
    node.ended.abort();
    this.#nodes.delete(node.name);
    this.#ads.forget(proxyId(node.name));
  }

  #present(): readonly NodeState[] {
    return [...this.#nodes.values()].filter((node) => node.awaySince === undefined || this.#clock.now() - node.awaySince < patienceMs);
  }

  #send(node: NodeState, plan: NodePlan, round: number): void {
    const resources = emitNodeProxy(plan).map((one) => this.#cached(one.typeUrl, one.name, one, () => one.body));
    node.snapshot = createSnapshot(resources, node.snapshot);
    const revision = this.#ads.publish(proxyId(node.name), node.snapshot);
    const last = node.sent.at(-1);
    if (last?.revision === revision) {
      node.sent = [...node.sent.slice(0, -1), { ...last, round }];
      return;
    }
    const pods = new Map(plan.pods.map((pod) => [pod.uid, pod]));
    node.sent = [...node.sent, { revision, pods, tunnels: new Set(plan.remote.map(({ address }) => address)), round }];
    void this.#follow(node, revision);
  }

  async #follow(node: NodeState, revision: number): Promise<void> {
    const outcome = await this.#ads.waitAcked(proxyId(node.name), revision, node.ended.signal);
    if (outcome.kind === "pending") return;
    const at = node.sent.findIndex((facts) => facts.revision === revision);
    // A newer one was acknowledged meanwhile.
    if (at < 0) return;
    node.sent = node.sent.slice(at);
    node.acked = true;
    node.refused = refusedNames(outcome);
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
      if (connected.has(proxyId(node.name))) node.awaySince = undefined;
      else node.awaySince ??= this.#clock.now();
    }
  }
}

function refusedNames(outcome: AckOutcome): ReadonlySet<string> {
  if (outcome.kind !== "rejected") return new Set();
  return new Set([...outcome.types.values()].flatMap(({ rejected, heldBack }) => [...rejected.map(({ name }) => name), ...heldBack]));
}

function isSamePod(a: PinnedPod | undefined, b: PinnedPod): boolean {
  return a !== undefined && a.networkNamespace === b.networkNamespace && a.mode === b.mode && a.address === b.address && a.identity === b.identity;
}
