/** Keeps on a cluster what is declared there and what gateways need: whenever anything changed, one round from what should be to what is. */
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { runLoop } from "../../lib/loop.ts";
import { sameFields, shareMap } from "../../lib/memoize.ts";
import { WorkloadWriter } from "../../providers/kubernetes/apply.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { declarationKey, type GatewayClaims, heldObjects, unwanted, type Wanted, wantedObjects } from "../../providers/kubernetes/translate-wanted.ts";
import { shortHash } from "../made-from.ts";

export interface WorkloadControllerOptions {
  readonly view: Readable<ClusterView | undefined>;
  readonly gateways: Readable<GatewayClaims>;
  readonly client: Pick<KubeClient, "get" | "apply" | "delete">;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the last round left behind. */
export interface WorkloadState {
  /** Declaration or Gateway → one line why it is not on the cluster as declared. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Version or job → hash of what its pods are made from. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Version or job → the generation of it that all this is about. */
  readonly generations: ReadonlyMap<string, number>;
  /** Job → the newest cause that it was run for. */
  readonly begun: ReadonlyMap<string, string>;
}

const empty: WorkloadState = { reasons: new Map(), hashes: new Map(), generations: new Map(), begun: new Map() };

export class WorkloadController {
  readonly #options: WorkloadControllerOptions;
  readonly #writer: WorkloadWriter;
  readonly #state = new Cell<WorkloadState>(empty);

  constructor(options: WorkloadControllerOptions) {
    this.#options = options;
    this.#writer = new WorkloadWriter(options);
  }

  get state(): Readable<WorkloadState> {
    return this.#state;
  }

  /** Works until `signal` aborts. */
  start(signal: AbortSignal): Promise<void> {
    const { view, gateways, clock, log } = this.#options;
    const step = async (): Promise<number | undefined> => {
      const seen = view.get();
      // What was true a while ago is nothing to put things back to.
      return seen?.connected === true ? this.#round(seen, signal) : undefined;
    };
    return runLoop({ sources: [view, gateways], clock, log, step }, signal);
  }

  /** Answers when to look again although nothing happened. */
  async #round(view: ClusterView, signal: AbortSignal): Promise<number | undefined> {
    const wanted = wantedObjects(view, shortHash, { begun: this.#state.get().begun, gateways: this.#options.gateways.get() });
    const held = heldObjects(view);
    const objects = [...wanted.objects.values()].map(({ object }) => object);
    const wakeAt = await this.#writer.round(objects, { held, unwanted: unwanted(held, wanted) }, signal);
    const before = this.#state.get();
    for (const [name, reason] of wanted.reasons) if (before.reasons.get(name) !== reason) this.#options.log.info("cannot be as declared", { of: name, reason });
    const generations = new Map(
      [...view.versions.values(), ...view.declaredJobs.values()].map((one): [string, number] => [declarationKey(one), one.generation]),
    );
    const state: WorkloadState = {
      reasons: shareMap(before.reasons, this.#reasons(wanted)),
      hashes: shareMap(before.hashes, wanted.hashes),
      generations: shareMap(before.generations, generations),
      begun: shareMap(before.begun, wanted.begun),
    };
    if (!sameFields(state, before)) this.#state.set(state);
    return wakeAt;
  }

  /** Why declarations cannot be, and why objects for them cannot. */
  #reasons(wanted: Wanted): ReadonlyMap<string, string> {
    const refused = [...this.#writer.reasons].flatMap(([key, reason]) => (wanted.objects.get(key)?.by ?? []).map((name) => [name, reason] as const));
    return new Map([...refused, ...wanted.reasons]);
  }
}
