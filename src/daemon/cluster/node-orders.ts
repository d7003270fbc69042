/** Tells nodes' agents what to do, when it is something else than before. */
import type { NodeOrder, PodOrder } from "../../agent/cluster/contract.ts";
import type { Clock } from "../../lib/clock.ts";
import { isCaptured, type Member } from "../../release/membership.ts";

export interface NodeOrdersOptions {
  readonly agents: { order(node: string, order: NodeOrder): void; forget(node: string): void };
  readonly clock: Clock;
}

export class NodeOrders {
  readonly #options: NodeOrdersOptions;
  readonly #given = new Map<string, { readonly text: string; readonly generation: number }>();

  constructor(options: NodeOrdersOptions) {
    this.#options = options;
  }

  /** Gives a node its order, unless it has the same already. */
  give(node: string, order: Omit<NodeOrder, "generation">): void {
    const { agents, clock } = this.#options;
    const text = JSON.stringify(order);
    const before = this.#given.get(node);
    if (before?.text === text) return;
    // Later than any order of a control plane before us, so that the node sees what is newer.
    const generation = Math.max((before?.generation ?? 0) + 1, clock.now());
    this.#given.set(node, { text, generation });
    agents.order(node, { generation, ...order });
  }

  /** The node is no longer in the cluster. */
  forget(node: string): void {
    this.#options.agents.forget(node);
    this.#given.delete(node);
  }
}

/** What the agent of its node does about a pod of the mesh. */
export function podOrder(member: Member, probePorts: readonly number[]): PodOrder {
  const { uid, namespace, name, address, identity, mode } = member.pod;
  return { uid, namespace, name, address, identity, mode, probePorts, capture: isCaptured(member) };
}
