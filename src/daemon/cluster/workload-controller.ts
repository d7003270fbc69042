/** Keeps on a cluster what is declared there and what gateways need: whenever anything changed, one round from what should be to what is. */
import { Cell, type Readable } from "../../lib/cell.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { sameFields, shareMap } from "../../lib/memoize.ts";
import { WorkloadWriter } from "../../providers/kubernetes/apply.ts";
import type { KubeClient } from "../../providers/kubernetes/client.ts";
import type { ClusterView } from "../../providers/kubernetes/objects.ts";
import { declarationKey, type GatewayClaims, heldObjects, unwanted, type Wanted, wantedObjects } from "../../providers/kubernetes/translate-wanted.ts";
import { Alarm } from "../alarm.ts";
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
  readonly #wakes = new Cell(0);
  readonly #alarm: Alarm;
  readonly #state = new Cell<WorkloadState>(empty);

  constructor(options: WorkloadControllerOptions) {
    this.#options = options;
    this.#writer = new WorkloadWriter(options);
    this.#alarm = new Alarm(options.clock, () => this.#wakes.update((count) => count + 1));
  }

  get state(): Readable<WorkloadState> {
    return this.#state;
  }

  /** Works until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { view, gateways } = this.#options;
    const follow = async (source: Readable<unknown>): Promise<void> => {
      for await (const _ of source.watch(signal)) this.#wakes.update((count) => count + 1);
    };
    await Promise.all([follow(view), follow(gateways), this.#alarm.start(signal), this.#run(signal)]);
  }

  async #run(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#wakes.watch(signal)) {
      const view = this.#options.view.get();
      // What was true a while ago is nothing to put things back to.
      if (view === undefined || !view.connected) continue;
      try {
        await this.#round(view, signal);
      } catch (error) {
        this.#options.log.error("a round failed", { error: error instanceof Error ? error.stack : String(error) });
      }
    }
  }

  async #round(view: ClusterView, signal: AbortSignal): Promise<void> {
    const wanted = wantedObjects(view, shortHash, { begun: this.#state.get().begun, gateways: this.#options.gateways.get() });
    const held = heldObjects(view);
    const objects = [...wanted.objects.values()].map(({ object }) => object);
    this.#alarm.set(await this.#writer.round(objects, { held, unwanted: unwanted(held, wanted) }, signal));
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
  }

  /** Why declarations cannot be, and why objects for them cannot. */
  #reasons(wanted: Wanted): ReadonlyMap<string, string> {
    const refused = [...this.#writer.reasons].flatMap(([key, reason]) => (wanted.objects.get(key)?.by ?? []).map((name) => [name, reason] as const));
    return new Map([...refused, ...wanted.reasons]);
  }
}
