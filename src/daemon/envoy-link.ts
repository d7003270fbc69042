/** From Worlds to proxies and back: what was sent, and what they acknowledged. */

import type { Refused } from "../api/context.ts";
import { type Compiled, compileWorld } from "../compile/compile.ts";
import { emitEnvoy } from "../emit/envoy/emit.ts";
import type { EnvoyResource } from "../emit/envoy/resource.ts";
import { Cell, type Readable } from "../lib/cell.ts";
import type { Log } from "../lib/log.ts";
import type { World } from "../model/world.ts";
import type { EnvoyKnowledge } from "../release/replace.ts";
import type { AckOutcome, AdsServer } from "../xds/server.ts";
import { createResourceCache, createSnapshot, emptySnapshot, type Resource, type Snapshot } from "../xds/snapshot.ts";
import { typeUrls } from "../xds/type-urls.ts";

/** One World as it went out. */
interface Sent {
  readonly world: World;
  readonly nodeRevision: number;
  readonly gatewayRevision: number;
}

export interface EnvoyState {
  /** The newest World that went out; undefined: none yet. */
  readonly newest?: Sent;
  /** The newest that the node Envoy acknowledged. */
  readonly node?: Sent;
  /** Of the newest World that both acknowledged, apart from what they refuse. */
  readonly ackedRevision: number;
  /** Everything that went out since `node`, it included. */
  readonly since: readonly Sent[];
  /** What Envoy refuses of the newest World; what it had of it stays in force. */
  readonly refusals: readonly Refused[];
}

/** Before the first World. */
export const nothingSent: EnvoyState = { ackedRevision: 0, since: [], refusals: [] };

export class EnvoyLink {
  readonly #ads: AdsServer;
  readonly #log: Log;
  readonly #state = new Cell<EnvoyState>(nothingSent);
  readonly #cached = createResourceCache();
  #snapshots: { readonly node: Snapshot; readonly gateway: Snapshot } = { node: emptySnapshot, gateway: emptySnapshot };
  #gatewayAcked = 0;
  #compiled: Compiled | undefined;

  constructor(ads: AdsServer, log: Log) {
    this.#ads = ads;
    this.#log = log;
  }

  get state(): Readable<EnvoyState> {
    return this.#state;
  }

  /** Compiles and sends one World. */
  publish(world: World): void {
    this.#compiled = compileWorld(world, this.#compiled);
    const { plan, problems } = this.#compiled;
    for (const problem of problems) this.#log.warn("cannot be served", { code: problem.code, message: problem.message });
    const config = emitEnvoy(plan);
    const resources = (list: readonly EnvoyResource[]): readonly Resource[] =>
      list.map((resource) => this.#cached(resource.typeUrl, resource.name, resource, () => resource.body));
    this.#snapshots = {
      node: createSnapshot(resources(config.node), this.#snapshots.node),
      gateway: createSnapshot(resources(config.gateway), this.#snapshots.gateway),
    };
    // The gateway's way to a socket is there before the node's Envoy listens on it only if it goes first; it only moves bytes, so nothing depends on the order.
    const gatewayRevision = this.#ads.publish("gateway", this.#snapshots.gateway);
    const nodeRevision = this.#ads.publish("node", this.#snapshots.node);
    const sent = { world, nodeRevision, gatewayRevision };
    this.#state.update((state) => ({ ...state, newest: sent, since: [...state.since, sent] }));
  }

  /** Follows the acknowledgements until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#followNode(signal), this.#followBoth(signal)]);
  }

  async #followNode(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#state.watch(signal)) {
      for (;;) {
        const { newest, node } = this.#state.get();
        if (newest === undefined || newest === node || signal.aborted) break;
        const outcome = await this.#ads.waitAcked("node", newest.nodeRevision, signal);
        if (hasEndpoints(outcome)) this.#state.update((state) => ({ ...state, node: newest, since: state.since.slice(state.since.indexOf(newest)) }));
        else await this.#nextChange(signal);
      }
    }
  }

  async #followBoth(signal: AbortSignal): Promise<void> {
    for await (const { node, ackedRevision } of this.#state.watch(signal)) {
      if (node === undefined || node.world.revision <= ackedRevision) continue;
      const settled = await this.#ads.waitAcked("node", node.nodeRevision, signal);
      const gateway = node.gatewayRevision <= this.#gatewayAcked ? settled : await this.#ads.waitAcked("gateway", node.gatewayRevision, signal);
      if (settled.kind === "pending" || gateway.kind === "pending") continue;
      this.#gatewayAcked = Math.max(this.#gatewayAcked, node.gatewayRevision);
      const refusals = [...refusedIn("node", settled), ...refusedIn("gateway", gateway)];
      this.#state.update((state) => ({ ...state, ackedRevision: Math.max(state.ackedRevision, node.world.revision), refusals }));
    }
  }

  /** Waits for news of the proxies or of ourselves. */
  async #nextChange(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const any = AbortSignal.any([signal, woken.signal]);
    const first = async (cell: Readable<unknown>): Promise<void> => {
      let count = 0;
      for await (const _ of cell.watch(any)) if ((count += 1) > 1) return woken.abort();
    };
    await Promise.all([first(this.#ads.changes), first(this.#state)]);
  }
}

function refusedIn(proxy: string, outcome: AckOutcome): readonly Refused[] {
  if (outcome.kind !== "rejected") return [];
  return [...outcome.types.values()].flatMap(({ rejected }) => rejected.map(({ name, message, at }) => ({ proxy, name, message, at })));
}

/** Clusters and endpoints are in force, whatever else was refused. */
function hasEndpoints(outcome: AckOutcome): boolean {
  if (outcome.kind !== "rejected") return outcome.kind === "acked";
  return [typeUrls.cluster, typeUrls.endpoints].every((typeUrl) => {
    const type = outcome.types.get(typeUrl);
    return type === undefined || type.rejected.length + type.heldBack.length === 0;
  });
}

/** What Envoy knows of replicas; before its first word it may have any of `all`. */
export function knowledgeOf(state: EnvoyState, all: Iterable<string>): EnvoyKnowledge {
  const { node, newest, since } = state;
  if (node === undefined || newest === undefined) return { has: new Set(), mayHave: new Set(all), mayCapture: new Set(all) };
  const newestIds = endpointIds(newest.world);
  const has = new Set([...endpointIds(node.world)].filter((id) => newestIds.has(id)));
  const mayHave = new Set(since.flatMap(({ world }) => [...endpointIds(world)]));
  const mayCapture = new Set(since.flatMap(({ world }) => world.captures.map((capture) => capture.workload)));
  return { has, mayHave, mayCapture };
}

/** Workloads in whose namespaces Envoy listens, as far as it has said so. */
export function capturedNow({ node }: EnvoyState): ReadonlySet<string> {
  return new Set(node?.world.captures.map(({ workload }) => workload));
}

function endpointIds(world: World): ReadonlySet<string> {
  return new Set([...world.endpoints.values()].flat().map((endpoint) => endpoint.id));
}
