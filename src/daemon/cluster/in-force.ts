/** What Envoys were sent, in rounds, and which of it all of them have. */
import type { World } from "../../model/world.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import type { ClusterTranslation } from "../../providers/kubernetes/translate.ts";
import type { Refusal } from "./proxy-link.ts";

/** What Envoys are sent, and what it was made from. */
export interface Sent {
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

const declaredParts = ["apps", "versions", "routers", "externals"] as const;

export class SentRounds {
  /** From the newest that is acknowledged everywhere; in order. */
  #rounds: readonly Round[] = [];

  /** The number of what is sent now. Views in which nothing declared is new are the same. */
  add(sent: Sent): number {
    const last = this.#rounds.at(-1);
    const isSame = last !== undefined && last.world === sent.world && declaredParts.every((part) => last.view[part] === sent.view[part]);
    const round: Round = { number: isSame ? last.number : (last?.number ?? 0) + 1, ...sent };
    this.#rounds = isSame ? [...this.#rounds.slice(0, -1), round] : [...this.#rounds, round];
    return round.number;
  }

  /** The newest of what all Envoys have, when they have everything up to `number`; undefined before they have anything. Those before it are forgotten. */
  acknowledged(number: number): Sent | undefined {
    const at = this.#rounds.findLastIndex((round) => round.number <= number);
    const round = this.#rounds[at];
    if (round === undefined) return undefined;
    this.#rounds = this.#rounds.slice(at);
    const { world, view, declaredApps } = round;
    return { world, view, declaredApps };
  }
}
